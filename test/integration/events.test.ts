import { describe, expect, it } from 'vitest';
import { handlerModule, portOf, startNode, until } from './support/nodes.js';
import { frame, RawPeer } from './support/raw-peer.js';

describe('events', () => {
  it('tell that a peer is gone before they tell that it is back, also while its last frames still wait', async () => {
    const node = await startNode({ workers: 1, handlers: [handlerModule('slow.mjs')] });
    const events: string[] = [];
    const handled: number[] = [];
    node.on('peer:connected', ({ id }) => events.push(`${id} connected`));
    node.on('peer:disconnected', ({ id, name }) => events.push(`${id} ${name}`));
    node.on('published', (value) => handled.push(value as number));
    const first = await RawPeer.join(portOf(node), 'twice');
    first.socket.end(Buffer.concat(Array.from({ length: 60 }, (_, i) => frame('slow', Buffer.of(i)))));
    await until(() => node.peers().length === 0, 'the first to be no peer any more');
    const second = await RawPeer.join(portOf(node), 'twice');
    expect(second.greeting?.[0]).toBe(1);
    expect(handled.length).toBeLessThan(60);
    await until(() => handled.length === 60, 'its last frames');
    expect(events).toEqual(['twice connected', 'twice NetworkError', 'twice connected']);
    expect(node.stats().connections.disconnectsByCode).toEqual({ NetworkError: 1 });
  });
});

describe('a node that disconnects a peer', () => {
  it('loses nothing of what it sent before, however slowly the peer reads, and whatever it sends meanwhile', async () => {
    const slow = await startNode({
      nodeId: 'slow',
      workers: 1,
      ringSize: '4KiB',
      handlers: [handlerModule('slow.mjs')],
    });
    const fast = await startNode({ nodeId: 'fast' });
    const handled: number[] = [];
    slow.on('published', (value) => handled.push(value as number));
    await fast.dial(slow.listen);
    const count = 500;
    const padding = Buffer.alloc(1000);
    for (let i = 0; i < count; i++) await fast.send('slow', 'slow', Buffer.concat([Buffer.of(i & 0xff), padding]));
    fast.disconnect('slow');
    const timer = setInterval(() => slow.broadcast('news', padding), 20);
    await until(() => handled.length === count, 'all messages', 15_000).finally(() => clearInterval(timer));
    expect(handled).toEqual(Array.from({ length: count }, (_, i) => i & 0xff));
  });
});
