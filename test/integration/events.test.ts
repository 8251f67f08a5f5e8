import { describe, expect, it } from 'vitest';
import { divert } from '../simulation/event-loop.js';
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

describe('a published value that cannot be read', () => {
  it('is an error that is told, and those behind it arrive', async () => {
    const node = await startNode({ workers: 1, handlers: [handlerModule('extended.mjs')] });
    const told: unknown[] = [];
    node.on('error', (error) => told.push(error.message));
    node.on('published', (value) => told.push(value));
    const peer = await RawPeer.join(portOf(node));
    peer.send('height', Buffer.of(1, 2, 3));
    peer.send('height', Buffer.of(1));
    await until(() => told.length === 4, 'both of both');
    const error = expect.stringMatching(/unknown extension/i);
    expect(told).toEqual([error, 3, error, 1]);
  });
});

describe('listeners that throw', () => {
  it('throw where the program sees it, and the node loses no slot, no peer and no message for it', async () => {
    const uncaught: string[] = [];
    const restore = divert((error) => uncaught.push((error as Error).message));
    try {
      const node = await startNode({ workers: 1, maxPeers: 2, maxInbound: 2, maxOutbound: 0 });
      const events = ['peer:connected', 'peer:disconnected', 'worker:restarted'] as const;
      for (const event of events) {
        node.on(event, () => {
          throw new Error(event);
        });
      }
      // Whoever listens behind one that throws is told all the same.
      let connected = 0;
      node.on('peer:connected', () => connected++);
      const received: number[] = [];
      node.subscribe('number', ({ payload }) => received.push(payload[0]!));
      const stays = await RawPeer.join(portOf(node), 'stays');
      stays.send('number', Buffer.of(0));
      await until(() => received.length === 1, 'the first message');
      await node.workerThreads[0]!.terminate();
      stays.send('number', Buffer.of(1));
      // Twice as many as there are slots.
      for (let i = 0; i < 4; i++) {
        const visitor = await RawPeer.join(portOf(node), `visitor-${i}`);
        expect(visitor.greeting?.[0]).toBe(1);
        visitor.send('number', Buffer.of(2 + i));
        await until(() => received.length === 3 + i, 'its message');
        visitor.socket.end();
        await until(() => node.peers().length === 1, 'the visitor to be gone');
        await until(() => visitor.ended, 'its end');
      }
      expect(received).toEqual([0, 1, 2, 3, 4, 5]);
      await node.close({ drain: false });
      const told = (event: string) => uncaught.filter((message) => message === event).length;
      await until(() => uncaught.length === 11, 'all that was thrown');
      expect(events.map(told)).toEqual([5, 5, 1]);
      expect(connected).toBe(5);
    } finally {
      restore();
    }
  });
});

describe('a node that disconnects a peer', () => {
  it('loses nothing of what it sent before to a peer that reads slowly, whatever that sends meanwhile', async () => {
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
    // Read within a second on an idle machine: after five a peer that still sends is left all the same.
    const count = 150;
    const padding = Buffer.alloc(1000);
    for (let i = 0; i < count; i++) await fast.send('slow', 'slow', Buffer.concat([Buffer.of(i & 0xff), padding]));
    fast.disconnect('slow');
    const timer = setInterval(() => slow.broadcast('news', padding), 20);
    await until(() => handled.length === count, 'all messages', 15_000).finally(() => clearInterval(timer));
    expect(handled).toEqual(Array.from({ length: count }, (_, i) => i & 0xff));
  });
});
