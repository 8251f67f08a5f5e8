/**
 * Resident memory of a whole node whose peers make it hold as much as they can. How much a node takes beside its budget is
 * told in docs/operations.md ("Memory beside the budget"); these tests hold it to that.
 */
import { describe, expect, it } from 'vitest';
import { GoodPeer, LoosePeer, MIB, WatchedNode } from './memory-watch.js';

const BUDGET = 64 * MIB;
const OVERHEAD = 192 * MIB;
const limits = ['--memory-budget', '64MiB', '--max-peers', '220', '--max-inbound', '220', '--workers', '2'];

/** Runs `step` again and again for so long, with turns of the event loop between. */
async function during(node: WatchedNode, ms: number, step: () => void): Promise<void> {
  const endMs = performance.now() + ms;
  const watching = (async () => {
    while (performance.now() < endMs) {
      await node.status();
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  })();
  while (performance.now() < endMs) {
    step();
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await watching;
}

/** What must hold whatever was done to the node. */
async function expectWell(node: WatchedNode, good: GoodPeer): Promise<void> {
  await good.rest();
  const { memory, messages } = await node.until(
    (status) => (status.messages.receivedByType.note ?? 0) >= good.sent,
    'all messages of the good peer',
  );
  console.log(
    JSON.stringify({
      start: Math.round(node.startBytes / MIB),
      peak: Math.round(node.peakBytes / MIB),
      used: Math.round(node.peakUsed / MIB),
      slowest: Math.round(good.slowestMs),
      pongs: good.pongs,
      shed: messages.shedByClass,
      by: memory.by,
    }),
  );
  expect(node.isAlive).toBe(true);
  expect(good.isConnected).toBe(true);
  expect(good.pongs).toBe(good.sent);
  expect(messages.receivedByType.note).toBe(good.sent);
  expect(good.slowestMs).toBeLessThan(500);
  expect(Object.values(memory.by).reduce((a, b) => a + b, 0)).toBe(memory.used);
  expect(node.peakUsed).toBeLessThanOrEqual(BUDGET);
  expect(node.peakBytes).toBeLessThan(BUDGET + OVERHEAD);
}

describe('a node with little memory', () => {
  it('keeps to it when 200 peers trickle frames of 10 MB', async () => {
    const node = await WatchedNode.start(limits, 'hoard.mjs');
    const good = new GoodPeer(node.port);
    const head = Buffer.concat([Buffer.from([0, 0xa0, 0, 0, 0, 5]), Buffer.from('block')]);
    const drip = Buffer.alloc(32 * 1024);
    let joined = 0;
    const join = () => {
      const peer = new LoosePeer(node.port, `slow-${joined++}`);
      peer.socket.write(head);
      return peer;
    };
    const peers = Array.from({ length: 200 }, join);
    await during(node, 8000, () => {
      // Whoever is cut off comes again.
      for (const [i, peer] of peers.entries()) if (peer.closed) peers[i] = join();
      for (const peer of peers) peer.pour(drip);
    });
    const { connections } = await node.status();
    expect(connections.disconnectsByCode.ResourceExhausted).toBeGreaterThan(0);
    expect(await node.history(0x49)).toContainEqual(
      expect.objectContaining({ kind: 'disconnected', name: 'ResourceExhausted' }),
    );
    for (const peer of peers) peer.socket.destroy();
    await node.until(({ memory }) => memory.used < BUDGET * 0.9, 'the memory to come back');
    await expectWell(node, good);
  });

  it('keeps to it when deaf peers are broadcast to', async () => {
    const node = await WatchedNode.start(limits, 'hoard.mjs');
    const good = new GoodPeer(node.port);
    const deaf = Array.from({ length: 50 }, (_, i) => new LoosePeer(node.port, `deaf-${i}`, { isDeaf: true }));
    const speaker = new LoosePeer(node.port, 'speaker', { from: '127.0.0.3' });
    await node.until(({ peers }) => peers.total === 52, 'all to be there');
    const noise = Buffer.alloc(20_000, 1);
    const frame = Buffer.concat([Buffer.from([0, 0, 0x4e, 0x28, 0, 6]), Buffer.from('spread'), noise]);
    const frames = Buffer.concat(Array.from({ length: 20 }, () => frame));
    await during(node, 8000, () => {
      speaker.pour(frames);
    });
    const status = await node.status();
    console.log(
      JSON.stringify([status.messages.shedByClass, status.messages.sendsSkipped, status.connections.disconnectsByCode]),
    );
    expect(status.messages.sendsSkipped).toBeGreaterThan(0);
    for (const peer of deaf) peer.socket.destroy();
    speaker.socket.destroy();
    await node.until(({ memory }) => memory.used < BUDGET * 0.9, 'the memory to come back');
    await expectWell(node, good);
  });

  it('keeps to it when peers flood queued handlers that are slow', async () => {
    const node = await WatchedNode.start(limits, 'hoard.mjs');
    const good = new GoodPeer(node.port);
    const body = Buffer.alloc(16_000, 1);
    const frame = Buffer.concat([Buffer.from([0, 0, 0x3e, 0x86, 0, 4]), Buffer.from('slow'), body]);
    const frames = Buffer.concat(Array.from({ length: 20 }, () => frame));
    const peers = Array.from({ length: 50 }, (_, i) => new LoosePeer(node.port, `flood-${i}`));
    await during(node, 8000, () => {
      for (const peer of peers) peer.pour(frames);
    });
    const status = await node.status();
    console.log(
      JSON.stringify([status.messages.receivedByType, status.memory.by, status.connections.disconnectsByCode]),
    );
    expect(status.memory.by.handlerQueues).toBeGreaterThan(MIB);
    for (const peer of peers) peer.socket.destroy();
    await expectWell(node, good);
  });
});
