import { describe, expect, it } from 'vitest';
import { settled } from './event-loop.js';
import { Schedule } from './schedule.js';
import { Seeded } from './seeded.js';
import { SimulatedNetwork } from './simulated-network.js';
import { SimulatedNode, type Witness } from './simulated-node.js';
import { settingsOf, small } from './small-node.js';
import { Streams } from './streams.js';

const PORT = 26_656;
const [HERE, THERE, ELSEWHERE] = ['20.0.0.1', '30.0.0.1', '40.0.0.1'] as const;
/** Names that are known to everybody. */
const names: Readonly<Record<string, string>> = { 'here.test': HERE, 'there.test': THERE };

/** Nodes at addresses of a network in which a piece takes 50 ms one way, and 1 ms from and to elsewhere. */
function network() {
  const schedule = new Schedule();
  const simulated = new SimulatedNetwork(schedule, new Seeded(1, 'net'), { latencyMs: [1, 1], bytesPerMs: [100, 100] });
  simulated.latencyMs = (from, to) => (from.ip === ELSEWHERE || to.ip === ELSEWHERE ? 1 : 50);
  const of = simulated.of.bind(simulated);
  simulated.of = (host) => {
    const seen = of(host);
    return { ...seen, connect: (to, sink) => seen.connect({ ...to, host: names[to.host] ?? to.host }, sink) };
  };
  const faults: string[] = [];
  const witness = { violated: (what: string) => void faults.push(what) };
  const nothing = () => undefined;
  const node = (nodeId: string, ip: string, persistentPeers: readonly string[] = []) =>
    new SimulatedNode({
      index: 0,
      settings: settingsOf({ ...small, nodeId, listen: `${ip}:${PORT}`, persistentPeers, minOutbound: 0, pex: false }),
      host: simulated.host(ip),
      network: simulated,
      chance: new Seeded(1, nodeId),
      witness: { connected: nothing, disconnected: nothing, ...witness } as unknown as Witness,
      streams: new Streams(),
    });
  const pass = async (ms: number) => {
    const endMs = schedule.nowMs + ms;
    for (let step = schedule.take(endMs); step !== null; step = schedule.take(endMs)) {
      step();
      await settled();
    }
    expect(faults).toEqual([]);
  };
  return { node, pass, schedule };
}

/** Its peers, and how each came about. */
function peersOf({ core }: SimulatedNode) {
  return [...core!.table.connected()].map(({ peerId, ip, direction }) => ({ peerId, ip, direction }));
}

const ids = [
  ['a', 'b'],
  ['b', 'a'],
] as const;
const named = [
  ['by ID and address', HERE, THERE],
  ['by ID and name', 'here.test', 'there.test'],
  ['one by a name, one by an address', HERE, 'there.test'],
] as const;
/** One handshake of a dial arrives while the other's is on its way; or before the other is connected. */
const laterMs = [0, 10, 60, 110, 140] as const;

describe('two persistent peers of each other that dial at once', () => {
  const meet = async (here: string, there: string, peers: readonly [string, string], startsLaterMs: number) => {
    const { node, pass } = network();
    const first = node(here, HERE, [peers[1]]);
    const second = node(there, THERE, [peers[0]]);
    first.start();
    await pass(startsLaterMs);
    second.start();
    await pass(1000);
    const both = [peersOf(first), peersOf(second)];
    await pass(30_000);
    // Nobody has to dial again.
    expect([peersOf(first), peersOf(second)]).toEqual(both);
    for (const { core } of [first, second]) expect(core!.table.connectedCount).toBe(1);
    return both.flatMap((peers) => peers.map(({ direction }) => direction)).join(' ');
  };
  const cases = named.flatMap(([how, ...at]) => ids.map(([here, there]) => ({ how, here, there, at })));

  it.each(cases)('keep the dial of the smaller ID: $here meets $there, named $how', async ({ here, there, at }) => {
    for (const ms of [0, 10]) {
      const kept = await meet(here, there, [`${here}@${at[0]}:${PORT}`, `${there}@${at[1]}:${PORT}`], ms);
      expect(kept, `${ms} ms later`).toBe(here === 'a' ? 'outbound inbound' : 'inbound outbound');
    }
  });

  it.each(cases)('agree on one connection: $here meets $there, named $how', async ({ here, there, at }) => {
    for (const ms of laterMs) {
      const kept = await meet(here, there, [`${here}@${at[0]}:${PORT}`, `${there}@${at[1]}:${PORT}`], ms);
      expect(['outbound inbound', 'inbound outbound'], `${ms} ms later`).toContain(kept);
    }
  });

  it.each(ids)('agree on one connection without any ID named: %s meets %s', async (here, there) => {
    for (const ms of laterMs) {
      const kept = await meet(here, there, [`${HERE}:${PORT}`, `${THERE}:${PORT}`], ms);
      expect(['outbound inbound', 'inbound outbound'], `${ms} ms later`).toContain(kept);
    }
  });
});

describe('a persistent peer that is being dialled', () => {
  const cases = ids.flatMap(([own, peer]) => [THERE, 'there.test'].map((at) => [own, peer, at] as const));

  it.each(cases)('by %s: %s is reached at %s, whoever comes under its ID meanwhile', async (own, peer, at) => {
    const { node, pass, schedule } = network();
    const owner = node(peer, THERE);
    const thief = node(peer, ELSEWHERE);
    const dialler = node(own, HERE, [`${peer}@${at}:${PORT}`]);
    thief.start();
    owner.start();
    schedule.every(20, () => {
      thief.core!.dial({ id: null, host: HERE, port: PORT }, false).catch(() => undefined);
      for (const { peerId } of peersOf(thief)) {
        const connection = thief.core!.table.byId(peerId!)!;
        thief.core!.connections.leave(connection, { code: 0, reason: 'again' }, { announce: false });
      }
    });
    await pass(500);
    dialler.start();
    await pass(2000);
    expect(peersOf(dialler)).toEqual([{ peerId: peer, ip: THERE, direction: 'outbound' }]);
    expect(dialler.core!.statistics.total('dialsFailed')).toBe(0);
    expect(dialler.core!.statistics.total('connectionsInbound')).toBeGreaterThan(0);
  });
});
