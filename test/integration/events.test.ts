import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { divert } from '../simulation/event-loop.js';
import { CHAIN_ID, handlerModule, portOf, startNode, until } from './support/nodes.js';
import { frame, handshakeBytes, RawPeer } from './support/raw-peer.js';

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

describe('published values', () => {
  it('are checked where they are published, so that none of them hurts the main thread', async () => {
    const node = await startNode({ workers: 1, handlers: [handlerModule('publishing.mjs')] });
    const told: unknown[] = [];
    node.on('error', (error) => told.push(error.message));
    node.on('published', (value) => told.push(value));
    const peer = await RawPeer.join(portOf(node));
    for (const depth of [5000, 20, 5000]) {
      peer.send('parsed', Buffer.from('['.repeat(depth) + ']'.repeat(depth)));
    }
    peer.send('parsed', Buffer.from('"behind"'));
    await until(() => told.length === 2, 'what has a plain form');
    expect(JSON.stringify(told)).toBe(JSON.stringify([JSON.parse('['.repeat(20) + ']'.repeat(20)), 'behind']));
    expect(node.stats().messages.handlerErrors).toBe(2);
  });

  it('are of the program: bytes in them share no memory with ours', async () => {
    const node = await startNode({ workers: 1, handlers: [handlerModule('publishing.mjs')] });
    const told: { bytes: Uint8Array }[] = [];
    node.on('published', (value) => told.push(value as { bytes: Uint8Array }));
    const peer = await RawPeer.join(portOf(node));
    for (let i = 0; i < 600; i++) peer.send('bytes', Buffer.alloc(1000, i));
    await until(() => told.length === 600, 'all');
    for (const [i, { bytes }] of told.entries()) {
      expect(bytes.buffer).toBeInstanceOf(ArrayBuffer);
      expect(Buffer.alloc(1000, i).equals(bytes)).toBe(true);
    }
  });
});

describe('a listener that acts', () => {
  it('does so when what it is told of is through: one who comes back and is banned has come, and is gone', async () => {
    const node = await startNode({ workers: 1, handlers: [handlerModule('slow.mjs')] });
    const events: string[] = [];
    node.on('peer:connected', ({ id }) => events.push(`${id} connected`));
    node.on('peer:disconnected', ({ id, name }) => {
      events.push(`${id} ${name}`);
      node.ban('id:twice');
    });
    const first = await RawPeer.join(portOf(node), 'twice');
    first.socket.end(Buffer.concat(Array.from({ length: 60 }, (_, i) => frame('slow', Buffer.of(i)))));
    await until(() => node.peers().length === 0, 'the first to be no peer any more');
    const second = await RawPeer.dial(portOf(node));
    second.socket.write(handshakeBytes(CHAIN_ID, 'twice'));
    await until(() => events.length === 4, 'its end');
    expect(events).toEqual(['twice connected', 'twice NetworkError', 'twice connected', 'twice Banned']);
    expect(node.peers()).toEqual([]);
  });

  it('may close the node as peers go, which then closes once', async () => {
    const lines: string[] = [];
    const logger = pino({ level: 'info' }, { write: (line) => void lines.push(JSON.parse(line).msg) });
    const node = await startNode({ logger });
    const peers = await Promise.all(['a', 'b', 'c', 'd'].map((id) => RawPeer.join(portOf(node), id)));
    for (const { socket } of peers) socket.on('end', () => socket.end());
    node.on('peer:disconnected', () => void node.close());
    node.disconnect('a');
    await node.closed;
    expect(lines.filter((line) => line === 'node closed')).toHaveLength(1);
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
