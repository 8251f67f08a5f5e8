/**
 * What large networks do: how fast a broadcast spreads and how often a node gets it again, how good address books are, and
 * how likely somebody who owns a share of the addresses surrounds a node. Many nodes, no faults; the same code.
 */
import type { NodeOptions } from '../../src/main/config/settings.js';
import { Schedule } from './schedule.js';
import { Seeded } from './seeded.js';
import { SimulatedNetwork } from './simulated-network.js';
import { SimulatedNode, type Witness } from './simulated-node.js';
import { settingsOf, small } from './small-node.js';
import { Streams } from './streams.js';

const PORT = 26_656;
/** One way between two nodes; and 8 Mbit/s. */
const conditions = { latencyMs: [5, 150], bytesPerMs: [1000, 1000] } as const;
const PAYLOAD_BYTES = 250;
/** What a broadcast may take. */
const SPREAD_MS = 20_000;
/** A broadcast that nobody has got for so long comes to nobody else. */
const QUIET_MS = 1000;

export interface StudyOptions {
  readonly seed: number;
  readonly nodes: number;
  /** Nodes that the others know from the beginning. */
  readonly seeds: number;
  /** Peers that a message is passed on to. */
  readonly fanout: number | 'all';
  /** Time for the network to come about. */
  readonly settleMs: number;
  readonly broadcasts: number;
  /** Of all nodes, those of the attacker: they tell of each other only, and pass nothing on. */
  readonly attackers: number;
  /** Netgroups that the attacker's addresses lie in. */
  readonly attackerGroups: number;
  readonly progress?: (line: string) => void;
}

/** What a network of many nodes did. */
export interface Study {
  readonly nodes: number;
  /** Honest nodes with their minimum of outbound peers. */
  readonly settled: number;
  /** Milliseconds until a share of the nodes had a broadcast, over all broadcasts: 50, 95, 99 and 100%. */
  readonly spreadMs: { readonly half: number; readonly most: number; readonly nearly: number; readonly all: number };
  /** Honest nodes that a broadcast did not reach, of all. */
  readonly missed: number;
  /** Copies that a node got beyond the first, for each message. */
  readonly duplicates: number;
  /** Addresses in an honest node's book: how many, the share of these that belongs to a node of the network, is tried, is the attacker's. */
  readonly book: { readonly known: number; readonly right: number; readonly tried: number; readonly attackers: number };
  /** Of the outbound peers of honest nodes, the share that is the attacker's. */
  readonly attackerOutbound: number;
  /** Honest nodes all of whose outbound peers are the attacker's, of all. */
  readonly surrounded: number;
  readonly honest: number;
  readonly peers: number;
  readonly steps: number;
}

class Network implements Witness {
  readonly schedule = new Schedule();
  readonly nodes: SimulatedNode[] = [];
  readonly #heardMs: number[] = [];
  #begunMs = 0;

  violated(what: string): void {
    throw new Error(what);
  }

  connected(): void {
    // Looked at when all is done.
  }

  disconnected(): void {
    // Looked at when all is done.
  }

  workerDied(node: SimulatedNode): void {
    this.violated(`a worker of ${node.id} dies`);
  }

  answeredAgain(peerId: string): void {
    this.violated(`${peerId} was asked nothing`);
  }

  unanswered(peerId: string): void {
    this.answeredAgain(peerId);
  }

  gossip(): void {
    this.#heardMs.push(this.schedule.nowMs - this.#begunMs);
  }

  async run(ms: number, isDone: () => boolean = () => false): Promise<void> {
    const endMs = this.schedule.nowMs + ms;
    for (let step = this.schedule.take(endMs); step !== null && !isDone(); step = this.schedule.take(endMs)) {
      step();
      await null;
    }
  }

  /** @returns when each node that got it had it, in order */
  async broadcast(from: SimulatedNode, number: number, expected: number): Promise<readonly number[]> {
    this.#heardMs.length = 0;
    this.#begunMs = this.schedule.nowMs;
    const payload = Buffer.alloc(PAYLOAD_BYTES);
    payload.writeUInt32BE(number, 0);
    from.broadcast(payload);
    const isOver = () => {
      const sinceMs = this.schedule.nowMs - this.#begunMs - (this.#heardMs.at(-1) ?? 0);
      return this.#heardMs.length >= expected || sinceMs > QUIET_MS;
    };
    await this.run(SPREAD_MS, isOver);
    return [...this.#heardMs];
  }
}

function addressOf(index: number, groups: number, firstGroup: number): string {
  const group = firstGroup + (index % groups);
  const within = Math.floor(index / groups);
  return `${20 + (group % 80)}.${1 + Math.floor(group / 80)}.${1 + (within % 250)}.${1 + Math.floor(within / 250)}`;
}

/** Brings a network up and looks at it. */
export async function study(options: StudyOptions): Promise<Study> {
  const { seed, nodes, seeds, fanout, settleMs, broadcasts, attackers, attackerGroups, progress } = options;
  const network = new Network();
  const links = new SimulatedNetwork(network.schedule, new Seeded(seed, 'network'), conditions);
  const chance = new Seeded(seed, 'study');
  const honest = nodes - attackers;
  // As many netgroups as nodes have in small networks; a few nodes share one in large ones.
  const honestGroups = Math.min(honest, 4000);
  const ips = Array.from({ length: nodes }, (_, index) =>
    index < honest ? addressOf(index, honestGroups, 0) : addressOf(index - honest, attackerGroups, honestGroups),
  );
  const attackerIps = new Set(ips.slice(honest));
  const settings = settingsOf({ ...small, ...large });
  const streams = new Streams();
  for (const [index, ip] of ips.entries()) {
    const isSeed = index < seeds;
    network.nodes.push(
      new SimulatedNode({
        index,
        settings: {
          ...settings,
          nodeId: `node-${index}`,
          listen: { host: ip, port: PORT },
          seeds: ips
            .slice(0, seeds)
            .filter((other) => other !== ip)
            .map((host) => ({ id: null, host, port: PORT })),
          seedMode: isSeed,
        },
        host: links.host(ip),
        network: links,
        chance: new Seeded(seed, `node ${index}`),
        witness: network,
        streams,
        fanout,
        ...(index < honest ? {} : { knowsOnly: attackerIps }),
      }),
    );
  }
  for (const node of network.nodes) {
    const startMs = node.index < seeds ? 0 : chance.between(0, settleMs / 4);
    network.schedule.after(startMs, () => node.start());
  }
  for (let part = 1; part <= 10; part++) {
    await network.run(settleMs / 10);
    progress?.(`${nodes} nodes: ${Math.round((network.schedule.nowMs / settleMs) * 100)}% settled`);
  }
  const good = network.nodes.slice(seeds, honest);
  const before = duplicatesOf(good);
  const times: number[] = [];
  let missed = 0;
  for (let number = 0; number < broadcasts; number++) {
    const heardMs = await network.broadcast(chance.pick(good), number, nodes - 1);
    missed += Math.max(0, nodes - 1 - heardMs.length);
    times.push(...heardMs);
    // What is still on the way belongs to this one.
    await network.run(QUIET_MS);
    progress?.(`${nodes} nodes: broadcast ${number + 1} of ${broadcasts}`);
  }
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.min(times.length - 1, Math.ceil(times.length * share) - 1)] ?? 0;
  return {
    nodes,
    settled: good.filter((node) => outboundOf(node).length >= node.settings.minOutbound).length,
    spreadMs: { half: at(0.5), most: at(0.95), nearly: at(0.99), all: at(1) },
    missed: broadcasts === 0 ? 0 : missed / broadcasts / nodes,
    duplicates: broadcasts === 0 ? 0 : (duplicatesOf(good) - before) / broadcasts / good.length,
    book: bookOf(good, new Set(ips), attackerIps),
    ...surroundings(good, attackerIps),
    honest: good.length,
    peers: good.reduce((sum, { core }) => sum + core!.table.connectedCount, 0) / good.length,
    steps: network.schedule.steps,
  };
}

/** Books of 20,480 places for each of 10,000 nodes are memory; rings of the smallest size are enough for what is sent. */
const large: NodeOptions = {
  memoryBudget: '8MiB',
  maxInbound: 16,
  maxOutbound: 8,
  maxPeers: 24,
  pexInterval: '30s',
  feelerInterval: '2m',
  pingInterval: '30s',
  readTimeout: '30s',
};

function duplicatesOf(nodes: readonly SimulatedNode[]): number {
  return nodes.reduce((sum, { core }) => sum + core!.statistics.gossip().duplicates, 0);
}

function outboundOf({ core }: SimulatedNode) {
  return [...core!.table.connected()].filter(({ direction }) => direction === 'outbound');
}

function bookOf(
  nodes: readonly SimulatedNode[],
  all: ReadonlySet<string>,
  attackers: ReadonlySet<string>,
): Study['book'] {
  let known = 0;
  let right = 0;
  let tried = 0;
  let theirs = 0;
  for (const { core } of nodes) {
    for (const { ip, bucket } of core!.memory.book.list()) {
      known++;
      if (all.has(ip)) right++;
      if (bucket === 'tried') tried++;
      if (attackers.has(ip)) theirs++;
    }
  }
  const share = (count: number) => (known === 0 ? 0 : count / known);
  return { known: known / nodes.length, right: share(right), tried: share(tried), attackers: share(theirs) };
}

function surroundings(nodes: readonly SimulatedNode[], attackers: ReadonlySet<string>) {
  let theirs = 0;
  let outbound = 0;
  let surrounded = 0;
  for (const node of nodes) {
    const peers = outboundOf(node);
    const hostile = peers.filter(({ ip }) => attackers.has(ip)).length;
    theirs += hostile;
    outbound += peers.length;
    if (peers.length > 0 && hostile === peers.length) surrounded++;
  }
  return { attackerOutbound: outbound === 0 ? 0 : theirs / outbound, surrounded: surrounded / nodes.length };
}
