import { afterEach, describe, expect, it } from 'vitest';
import type { Node, NodeOptions } from '../../dist/src/main/index.js';
import { startNode, until } from './support/nodes.js';
import { TollGate } from './support/toll-gate.js';

const gates: TollGate[] = [];
afterEach(async () => {
  for (const gate of gates.splice(0)) await gate.close();
});

/** Small nodes, so that many fit into one process. */
function startSmall(options: NodeOptions = {}): Promise<Node> {
  return startNode({
    nonStrictAddresses: true,
    workers: 1,
    ringSize: '16KiB',
    outboundRing: '64KiB',
    gossipCache: '64KiB',
    relay: ['news'],
    minOutbound: 4,
    ...options,
  });
}

async function startNetwork(seed: Node, count: number, options: NodeOptions = {}): Promise<Node[]> {
  return Promise.all(Array.from({ length: count }, () => startSmall({ seeds: [seed.listen], ...options })));
}

/** Whether a node has its minimum outbound; one that is connected to everybody can have no more. */
function isKeptUp(node: Node, minOutbound: number, others: number): boolean {
  const peers = node.peers();
  return peers.filter(({ direction }) => direction === 'outbound').length >= minOutbound || peers.length >= others;
}

/** What each node has got of `news`, as texts. */
function listen(nodes: readonly Node[]): Map<Node, string[]> {
  return new Map(
    nodes.map((node) => {
      const heard: string[] = [];
      node.subscribe('news', ({ payload }) => heard.push(payload.toString()));
      return [node, heard];
    }),
  );
}

/** Everybody but the origin hears it exactly once, and the origin never. */
async function expectHeardOnce(heard: Map<Node, string[]>, origin: Node, text: string, timeoutMs = 10_000) {
  const times = (node: Node) => heard.get(node)!.filter((one) => one === text).length;
  origin.broadcast('news', Buffer.from(text));
  const others = [...heard.keys()].filter((node) => node !== origin);
  await until(() => others.every((node) => times(node) >= 1), `${text} at all ${others.length}`, timeoutMs);
  // What is relayed again would come within this time: a relay over all of loopback takes some milliseconds.
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(others.map(times)).toEqual(others.map(() => 1));
  expect(times(origin)).toBe(0);
}

describe('a network of nodes that know one seed', () => {
  it('of 20: each finds its minimum outbound, and one broadcast reaches all exactly once', async () => {
    const seed = await startSmall();
    const nodes = await startNetwork(seed, 19);
    await until(() => nodes.every((node) => isKeptUp(node, 4, 19)), 'four outbound peers each', 30_000);
    const heard = listen([seed, ...nodes]);
    await expectHeardOnce(heard, nodes[7]!, 'first');
    await expectHeardOnce(heard, seed, 'second');
  }, 60_000);

  it('of 50: each message reaches all, each exactly once', async () => {
    const seed = await startSmall({ maxInbound: 60, maxPeers: 120 });
    const nodes = await startNetwork(seed, 49);
    await until(() => nodes.every((node) => isKeptUp(node, 4, 49)), 'four outbound peers each', 40_000);
    const heard = listen([seed, ...nodes]);
    for (let i = 0; i < 10; i++) await expectHeardOnce(heard, nodes[i * 4]!, `message ${i}`, 20_000);
  }, 120_000);

  it('heals when the seed dies, and when half of the nodes die and return', async () => {
    const seed = await startSmall();
    const nodes = await startNetwork(seed, 11, { minOutbound: 3 });
    await until(() => nodes.every((node) => isKeptUp(node, 3, 11)), 'three outbound peers each', 30_000);
    await seed.close({ drain: false });
    const [first, rest] = [nodes.slice(0, 5), nodes.slice(5)];
    const places = first.map(({ listen }) => listen);
    await Promise.all(first.map((node) => node.close({ drain: false })));
    await until(() => rest.every((node) => isKeptUp(node, 3, 5)), 'the others to find each other', 40_000);
    // They come back under other IDs at the same addresses, and know only each other's survivors.
    const returned = await Promise.all(
      places.map((listen, i) => startSmall({ listen, seeds: [rest[i % rest.length]!.listen], minOutbound: 3 })),
    );
    await until(() => returned.every((node) => isKeptUp(node, 3, 10)), 'those that return to be back', 40_000);
    await expectHeardOnce(listen([...rest, ...returned]), returned[0]!, 'healed', 20_000);
  }, 150_000);

  it('finds a node again that has come back at its address under another ID', async () => {
    const before = await startSmall();
    // It knows of nobody but that one: no seeds.
    const node = await startSmall({ minOutbound: 1 });
    await node.dial(before.listen);
    await before.close({ drain: false });
    const returned = await startSmall({ listen: before.listen });
    expect(returned.nodeId).not.toBe(before.nodeId);
    await until(() => node.peers().some(({ id }) => id === returned.nodeId), 'the two to meet again', 60_000);
  }, 90_000);

  it('heals after it was cut in two', async () => {
    const gateOf = new Map<Node, TollGate>();
    const sides = new Map<string, 'left' | 'right'>();
    const startGated = async (side: 'left' | 'right', seeds: string[]): Promise<Node> => {
      const gate = await TollGate.open();
      gates.push(gate);
      const node = await startSmall({ externalAddress: gate.address, seeds, minOutbound: 2, feelerInterval: '500ms' });
      gate.target = Number(node.listen.split(':').at(-1));
      gateOf.set(node, gate);
      sides.set(node.nodeId, side);
      return node;
    };
    const first = await startGated('left', []);
    const seeds = [gateOf.get(first)!.address];
    const rest = await Promise.all(
      Array.from({ length: 7 }, (_, i) => startGated(i % 2 === 0 ? 'right' : 'left', seeds)),
    );
    const nodes = [first, ...rest];
    const sideOf = (node: Node) => sides.get(node.nodeId);
    const across = (node: Node) => node.peers().filter(({ id }) => sides.get(id) !== sideOf(node)).length;
    await until(() => nodes.every((node) => isKeptUp(node, 2, 7)), 'two outbound peers each', 30_000);

    for (const [node, gate] of gateOf) {
      gate.lets = (from) => from !== null && sides.get(from) === sideOf(node);
      gate.enforce();
    }
    const heard = listen(nodes);
    await until(() => nodes.every((node) => across(node) === 0 && isKeptUp(node, 2, 3)), 'two halves', 30_000);
    const left = nodes.filter((node) => sideOf(node) === 'left');
    first.broadcast('news', Buffer.from('left only'));
    await until(() => left.every((node) => node === first || heard.get(node)!.includes('left only')), 'the left half');
    expect(nodes.filter((node) => heard.get(node)!.includes('left only'))).toHaveLength(left.length - 1);

    // Each half has what it needs; only that nodes go on looking around makes them one again.
    for (const gate of gateOf.values()) gate.lets = () => true;
    // A message that is on its way to a peer that leaves is not sent again: one connection alone may be the one that
    // makes room for another at this very moment.
    const crossings = () => nodes.reduce((sum, node) => sum + across(node), 0) / 2;
    await until(() => crossings() >= 3, 'three connections across', 60_000);
    await expectHeardOnce(heard, first, 'whole again', 20_000);
  }, 180_000);
});
