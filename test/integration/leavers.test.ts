import { describe, expect, it } from 'vitest';
import type { Node } from '../../dist/src/main/index.js';
import { handlerModule, portOf, startNode, until } from './support/nodes.js';
import { frame, RawPeer } from './support/raw-peer.js';

/** More than a handler that takes 5 ms is through with before the test ends. */
const MANY = Buffer.concat(Array.from({ length: 2000 }, () => frame('slow', Buffer.of(255))));

/** A node whose 37 slots are soon taken by those that have left. */
function startSmall(): Promise<Node> {
  const handlers = [handlerModule('slow.mjs')];
  return startNode({ handlers, workers: 1, maxPeers: 5, maxInbound: 5, maxOutbound: 0, ringSize: '64KiB' });
}

const isPeer = (node: Node, wanted: string) => node.peers().some(({ id }) => id === wanted);
const slotsTaken = (node: Node) => node.stats().workers[0]!.connections;

/** Comes, sends, closes, and is no peer any more: what it has sent waits for its handler. */
async function comeAndGo(node: Node, id: string, bytes: Uint8Array, from: string): Promise<void> {
  const peer = await RawPeer.join(portOf(node), id, from);
  expect(peer.greeting?.subarray(0, 2), `${id} is taken in`).toEqual(Buffer.from('\x01p'));
  peer.socket.end(bytes);
  await until(() => !isPeer(node, id), `${id} to be gone`);
}

describe('peers whose last frames wait for a slow handler', () => {
  it('of one host do not take all slots: its oldest go without, told and counted, and nobody else loses a frame', async () => {
    const node = await startSmall();
    const handled: unknown[] = [];
    node.on('published', (value) => handled.push(value));
    for (let i = 0; i < 10; i++) await comeAndGo(node, `evil-${i}`, MANY, '127.20.0.9');
    await comeAndGo(node, 'good', Buffer.concat([1, 2, 3].map((n) => frame('slow', Buffer.of(n)))), '127.21.0.1');
    for (let i = 10; i < 50; i++) await comeAndGo(node, `evil-${i}`, MANY, '127.20.0.9');
    const newcomer = await RawPeer.join(portOf(node), 'newcomer', '127.22.0.1');
    expect(newcomer.greeting?.[0]).toBe(1);
    const told = () => node.history({ code: 0x49 }).filter(({ kind }) => kind === 'dropped');
    const lost = told();
    expect(lost.length).toBeGreaterThan(10);
    expect(lost.every(({ address }) => address?.startsWith('127.20.0.9:'))).toBe(true);
    expect(lost.at(-1)).toMatchObject({ peerId: 'evil-0' });
    expect(node.stats().messages.droppedByCode.ResourceExhausted).toBe(lost.length);
    await until(() => [1, 2, 3].every((n) => handled.includes(n)), 'all that the good one has sent');
  });

  it('lose them with a ban of their host, be their sockets closed or closing, and their slots with it', async () => {
    const node = await startSmall();
    for (let i = 0; i < 5; i++) await comeAndGo(node, `resets-${i}`, MANY, '127.20.0.9');
    // Sockets of these are open on our side, until the last frame has been dispatched.
    expect(slotsTaken(node)).toBe(5);
    const closed = await RawPeer.join(portOf(node), 'closed', '127.20.0.9');
    closed.socket.write(MANY);
    await until(() => (node.peers()[0]?.bytesReceived ?? 0) >= MANY.length, 'all of it to arrive');
    closed.socket.resetAndDestroy();
    await until(() => node.peers().length === 0, 'it to be gone');
    expect(slotsTaken(node)).toBe(6);
    node.ban('127.20.0.9');
    await until(() => slotsTaken(node) === 0, 'their slots to be free', 2000);
    expect(node.stats().messages.received).toBeLessThan(MANY.length / 12);
  });
});
