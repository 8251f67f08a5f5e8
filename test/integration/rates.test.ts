import { describe, expect, it } from 'vitest';
import { portOf, startNode, until } from './support/nodes.js';
import { frame, RawPeer } from './support/raw-peer.js';

const KIB = 1024;

describe('a limit on what one peer may send', () => {
  it('stops reading from it rather than dropping, and everything arrives in its time', async () => {
    const node = await startNode({ receiveRate: 256 * KIB });
    let received = 0;
    node.subscribe('data', () => received++);
    const peer = await RawPeer.join(portOf(node));
    const startedMs = performance.now();
    for (let i = 0; i < 768; i++) peer.send('data', Buffer.alloc(KIB));
    await until(() => received === 768, 'all messages', 15_000);
    // 768 KiB with 256 KiB in hand at the start: two seconds, less what one read may run ahead.
    expect(performance.now() - startedMs).toBeGreaterThan(1300);
    expect(node.peers()[0]?.reputation).toBeGreaterThanOrEqual(50);
    expect(node.stats().messages.dropped).toBe(0);
  });

  it('counts messages, too, and penalises only gross excess', async () => {
    const node = await startNode({ receiveMessages: 100 });
    let received = 0;
    node.subscribe('data', () => received++);
    const fair = await RawPeer.join(portOf(node), 'fair');
    for (let i = 0; i < 200; i++) fair.send('data');
    await until(() => received === 200, 'all messages', 5000);
    expect(node.peers()[0]?.reputation).toBeGreaterThanOrEqual(50);
    const flood = await RawPeer.join(portOf(node), 'flood', '127.7.0.1');
    flood.socket.write(Buffer.concat(new Array(5000).fill(frame('data'))));
    await until(() => node.history().some(({ name }) => name === 'RateLimited'), 'an entry in history');
    expect(node.peers().find(({ id }) => id === 'fair')?.reputation).toBeGreaterThanOrEqual(50);
  });

  it('does not take the silence of a peer that is held back for a timeout', async () => {
    const node = await startNode({ receiveMessages: 100, readTimeout: 400, pingInterval: 700 });
    const peer = await RawPeer.join(portOf(node));
    peer.socket.write(Buffer.concat(new Array(200).fill(frame('data'))));
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(node.peers()).toHaveLength(1);
  });
});

describe('a limit on what one peer gets', () => {
  it('lets the rest wait in its send queue, and holds up nobody else', async () => {
    const node = await startNode({ sendRate: 256 * KIB });
    const slow = await RawPeer.join(portOf(node), 'slow');
    const other = await RawPeer.join(portOf(node), 'other');
    await until(() => node.peers().length === 2, 'both peers');
    const startedMs = performance.now();
    for (let i = 0; i < 12; i++) await node.send('slow', 'data', Buffer.alloc(64 * KIB));
    await node.send('other', 'quick', Buffer.alloc(0));
    await other.frame('quick', 500);
    await until(() => slow.of('data').length === 12, 'all messages', 15_000);
    expect(performance.now() - startedMs).toBeGreaterThan(1300);
  });
});
