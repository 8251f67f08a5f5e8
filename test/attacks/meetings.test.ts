/** Nodes that are no enemies, and get in each other's way all the same: all dial all, or both talk before they listen. */
import { describe, expect, it } from 'vitest';
import type { Node } from '../../dist/src/main/index.js';
import { portOf, startNode, until } from '../integration/support/nodes.js';

const NODES = 50;
/** What a node of fifty in one process needs: little of everything. */
const small = {
  workers: 1,
  ringSize: '4KiB',
  outboundRing: '64KiB',
  gossipCache: '64KiB',
  sendQueue: '64KiB',
  memoryBudget: '8MiB',
  pex: false,
  minOutbound: 0,
  maxPeers: 100,
  maxInbound: 100,
  maxOutbound: 100,
} as const;

describe('fifty nodes', () => {
  it('that all dial each other at once keep one connection for each pair, and are content with it', async () => {
    const nodes: Node[] = [];
    // A few at a time: each starts a process to check its store.
    while (nodes.length < NODES) {
      nodes.push(
        ...(await Promise.all(
          Array.from({ length: 5 }, (_, at) => startNode({ ...small, nodeId: `n${nodes.length + at}` })),
        )),
      );
    }
    // Neighbours first, on both sides: what one dials just now dials it.
    const othersOf = (at: number) =>
      Array.from({ length: NODES - 1 }, (_, i) => {
        const distance = (i >> 1) + 1;
        return nodes[(at + (i % 2 === 0 ? distance : NODES - distance)) % NODES];
      });
    const dialAll = () =>
      Promise.allSettled(
        nodes.flatMap((node, at) => othersOf(at).map((other) => node.dial(`127.0.0.1:${portOf(other)}`))),
      );
    const everybody = nodes.map(({ nodeId }) => nodeId).sort();
    const areMet = () => nodes.every((node) => node.peers().length === NODES - 1);
    await dialAll();
    await until(areMet, 'all to be connected');
    await until(() => nodes.every((node) => node.stats().dials.queued === 0), 'no dial to be under way');
    // Both ends agree which connection it is.
    for (const node of nodes) {
      const peers = node.peers();
      expect([...peers.map(({ id }) => id), node.nodeId].sort()).toEqual(everybody);
      for (const peer of peers) {
        const back = nodes
          .find(({ nodeId }) => nodeId === peer.id)!
          .peers()
          .find(({ id }) => id === node.nodeId)!;
        expect(new Set([peer.direction, back.direction]).size).toBe(2);
      }
    }
    const connectionsOf = () => nodes.reduce((sum, node) => sum + node.stats().connections.total, 0);
    const made = connectionsOf();
    // Of two that meet one gives way: each pair makes two connections at most, and each is counted at both of its ends.
    expect(made).toBeLessThanOrEqual(2 * NODES * (NODES - 1));
    const again = await dialAll();
    expect(again.every(({ status }) => status === 'rejected')).toBe(true);
    expect(areMet()).toBe(true);
    expect(connectionsOf()).toBe(made);
    process.stdout.write(`fifty nodes: ${made / 2} connections made for ${(NODES * (NODES - 1)) / 2} pairs\n`);
  }, 90_000);
});

describe('two nodes', () => {
  it('that send each other more than their queues hold, both at once, get all of it, in order', async () => {
    const options = {
      minOutbound: 0,
      workers: 1,
      sendQueue: '256KiB',
      ringSize: '64KiB',
      memoryBudget: '64MiB',
    } as const;
    const [one, two] = [await startNode({ ...options, nodeId: 'one' }), await startNode({ ...options, nodeId: 'two' })];
    await one.dial(`127.0.0.1:${portOf(two)}`);
    await until(() => two.peers().length === 1, 'both to be connected');
    const MESSAGES = 1000;
    const heard = new Map<Node, number[]>([
      [one, []],
      [two, []],
    ]);
    for (const [node, numbers] of heard) node.subscribe('bulk', ({ payload }) => numbers.push(payload.readUInt32BE(0)));
    const pour = (from: Node, to: string) =>
      Promise.all(
        Array.from({ length: MESSAGES }, (_, number) => {
          const payload = Buffer.alloc(32_768);
          payload.writeUInt32BE(number);
          return from.send(to, 'bulk', payload);
        }),
      );
    await Promise.all([pour(one, 'two'), pour(two, 'one')]);
    const numbers = Array.from({ length: MESSAGES }, (_, number) => number);
    for (const got of heard.values()) {
      await until(() => got.length >= MESSAGES, 'all messages');
      expect(got).toEqual(numbers);
    }
  });
});
