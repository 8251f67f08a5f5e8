/**
 * A whole simulated network, run by a plan: everything that goes wrong does so by plan and seed, all decisions are those of
 * the real code, and the same seed gives the same run, step by step.
 */
import type { NodeOptions, Settings } from '../../src/main/config/settings.js';
import type { Cause, Connection } from '../../src/main/net/connection.js';
import { netGroupOf } from '../../src/main/peers/net-group.js';
import { ErrorCode } from '../../src/shared/errors.js';
import { contentOf, readContent } from './content.js';
import { divert, settled, turned } from './event-loop.js';
import { Death } from './inline-workers.js';
import { faultOf } from './invariants.js';
import type { Event, PlannedEvent } from './plan.js';
import { Schedule } from './schedule.js';
import { Seeded } from './seeded.js';
import { SimulatedNetwork, type SimulatedSocket } from './simulated-network.js';
import { SimulatedNode, type Witness } from './simulated-node.js';
import { settingsOf, small } from './small-node.js';
import { type Series, Streams } from './streams.js';

export interface SimulationOptions {
  readonly seed: number;
  readonly nodes: number;
  /** After so long nothing goes wrong any more. */
  readonly faultsMs: number;
  /** By then every node has its peers again, and all are one network. */
  readonly recoveryMs: number;
  /** By then a broadcast has reached everybody. */
  readonly spreadMs: number;
  readonly options?: NodeOptions;
  /** Gets each line of what happens. */
  readonly trace?: (line: string) => void;
}

/** What the tests and `npm run simulate` run. */
export const defaults = { faultsMs: 12_000, recoveryMs: 120_000, spreadMs: 10_000 } as const;

/** How a run ended. */
export interface Outcome {
  /** What was violated first, null for nothing. */
  readonly violation: { readonly atMs: number; readonly what: string } | null;
  readonly steps: number;
  readonly simulatedMs: number;
  /** When all had their peers again, and were one network, after the faults. */
  readonly recoveredMs: number;
  /** How long the last broadcast took to reach everybody. */
  readonly spreadMs: number;
  readonly messages: number;
  /** Of workers. */
  readonly deaths: number;
  /** Those that came while there was something to do. */
  readonly deathsAtWork: number;
  /** Messages that were not sent for want of memory. */
  readonly shed: number;
  /** Peers that were left since they held most of the memory when others needed it. */
  readonly cutOff: number;
  readonly connections: number;
  /** The same for the same seed and plan, whatever machine. */
  readonly digest: string;
}

const PORT = 26_656;
/** How often it is looked whether all is well again. */
const LOOK_MS = 250;
/** While things go wrong every node tells and asks its peers something so often. */
const TALK_MS = 1000;
/** Larger than a quarter of a ring now and then, so that some are taken in parts. */
const TALK_BYTES = [0, 30, 300, 1500] as const;
/** A run of 200 nodes takes a hundredth of it. */
const STEPS_MAX = 50_000_000;
/**
 * What is thrown behind a promise is told so many steps later at most, unless it is caught by then; one seed in eight turns
 * the event loop at every step, so that nothing is caught too late.
 */
const STEPS_EACH_TURN = 16;
const SEEDS_OF_ONE_THAT_TURNS = 8;
/** A node that has more to say than is read says so much so often. */
const FILL_BYTES = 40_000;
const FILL_MS = 100;

export class Simulation implements Witness {
  readonly nodes: readonly SimulatedNode[];
  readonly schedule = new Schedule();
  readonly #options: SimulationOptions;
  readonly #plan: readonly PlannedEvent[];
  readonly network: SimulatedNetwork;
  readonly #byHost = new Map<unknown, SimulatedNode>();
  #violation: { readonly atMs: number; readonly what: string } | null = null;
  #digest = 0x811c9dc5;
  readonly #streams = new Streams();
  readonly #talk: Seeded;
  #broadcasts = 0;
  #connections = 0;
  #messages = 0;
  #deaths = 0;
  #deathsAtWork = 0;
  #answeredAgain = 0;
  #cutOff = 0;
  /** When a broadcast last reached somebody. */
  #lastHeardMs = 0;
  /** By broadcast, who has it. */
  readonly #heard = new Map<number, Set<number>>();

  constructor(options: SimulationOptions, plan: readonly PlannedEvent[]) {
    const { seed, nodes } = options;
    this.#options = options;
    this.#plan = plan;
    const conditions = { latencyMs: [1, 150], bytesPerMs: [100, 5000] } as const;
    this.#talk = new Seeded(seed, 'talk');
    this.network = new SimulatedNetwork(this.schedule, new Seeded(seed, 'network'), conditions);
    const settings = settingsOf({ ...small, ...options.options });
    this.nodes = Array.from({ length: nodes }, (_, index) => this.#node(index, settings));
    for (const node of this.nodes) this.#byHost.set(node.host, node);
  }

  #node(index: number, settings: Settings): SimulatedNode {
    const seeds = [0, 1].map((seed) => ({ id: null, host: ipOf(seed), port: PORT }));
    return new SimulatedNode({
      index,
      settings: {
        ...settings,
        nodeId: `node-${index}`,
        listen: { host: ipOf(index), port: PORT },
        seeds: seeds.filter(({ host }) => host !== ipOf(index)),
      },
      host: this.network.host(ipOf(index)),
      network: this.network,
      chance: new Seeded(this.#options.seed, `node ${index}`),
      witness: this,
      streams: this.#streams,
    });
  }

  /** Runs the plan, lets the network recover, and sees whether a broadcast reaches everybody. */
  async run(): Promise<Outcome> {
    // What is thrown behind a promise is a fault like any other, with the seed that brings it about.
    const restore = divert((error) => {
      if (!(error instanceof Death)) this.violated((error as Error)?.stack ?? String(error));
    });
    try {
      return await this.#run();
    } finally {
      restore();
    }
  }

  async #run(): Promise<Outcome> {
    const { faultsMs, recoveryMs, spreadMs } = this.#options;
    for (const node of this.nodes) this.#talks(node);
    for (const { atMs, event } of this.#plan) this.schedule.after(atMs, () => this.#happen(event));
    await this.#until(faultsMs, () => false);
    this.#endFaults();
    const isWhole = () => this.nodes.every((node) => this.#hasItsPeers(node)) && this.#joined() === this.nodes.length;
    const recovered = await this.#until(recoveryMs, isWhole);
    const recoveredMs = this.schedule.nowMs - faultsMs;
    if (!recovered) this.violated(`not recovered: ${this.#lonely()}; ${this.#joined()} nodes in the network of node-0`);
    const begunMs = this.schedule.nowMs;
    const last = this.#broadcast(this.nodes[0], 100);
    for (const node of this.nodes) {
      node.speak(10);
      node.ask(10);
    }
    const isThrough = () => this.#heard.get(last)!.size === this.nodes.length - 1 && this.#unheard() === null;
    if (!(await this.#until(spreadMs, isThrough))) {
      const missing = this.nodes.length - 1 - this.#heard.get(last)!.size;
      this.violated(missing > 0 ? `a broadcast does not reach ${missing} nodes` : `lost: ${this.#unheard()}`);
    }
    await turned();
    return {
      violation: this.#violation,
      steps: this.schedule.steps,
      simulatedMs: this.schedule.nowMs,
      recoveredMs,
      spreadMs: this.#lastHeardMs - begunMs,
      messages: this.#messages,
      deaths: this.#deaths,
      deathsAtWork: this.#deathsAtWork,
      shed: this.nodes.reduce((sum, { core }) => sum + (core?.statistics.shed ?? 0), 0),
      cutOff: this.#cutOff,
      connections: this.#connections,
      digest: (this.#digest >>> 0).toString(16).padStart(8, '0'),
    };
  }

  violated(what: string): void {
    if (this.#violation !== null) return;
    this.#violation = { atMs: this.schedule.nowMs, what };
    this.#note(what);
  }

  connected(node: SimulatedNode, { peerId, direction }: Connection): void {
    this.#connections++;
    this.#note(`${node.index} + ${direction} ${peerId}`);
  }

  disconnected(node: SimulatedNode, { peerId }: Connection, { code }: Cause): void {
    if (code === ErrorCode.ResourceExhausted) this.#cutOff++;
    this.#note(`${node.index} - ${peerId} ${code}`);
  }

  workerDied(node: SimulatedNode, isAtWork: boolean): void {
    this.#deaths++;
    if (isAtWork) this.#deathsAtWork++;
    this.#note(`${node.index} worker dies`);
  }

  answeredAgain(peerId: string): void {
    this.#note(`${peerId} answers again`);
    // The one request that was at work when a worker died.
    if (++this.#answeredAgain > this.#deaths) this.violated(`${peerId} answers again though no worker has died for it`);
  }

  unanswered(peerId: string, answers: number, connectedMs: number): void {
    this.#note(`${peerId} does not answer ${answers}`);
    if (!this.#byId(peerId).owes(answers, connectedMs)) this.violated(`${peerId} has lost an answer`);
  }

  gossip(node: SimulatedNode, payload: Buffer): void {
    const content = readContent(payload);
    if (content === null) {
      this.violated(`${node.id} gets a broadcast that is not what was sent`);
      return;
    }
    const broadcast = content.first;
    this.#messages++;
    this.#lastHeardMs = this.schedule.nowMs;
    this.#note(`${node.index} ! ${broadcast}`);
    const heard = this.#heard.get(broadcast)!;
    // Who has started again since has forgotten, its own as well.
    const life = lifeOf(node);
    if (content.second === life) this.violated(`${node.id} gets its own broadcast ${broadcast}`);
    if (heard.has(life)) this.violated(`${node.id} gets broadcast ${broadcast} twice`);
    heard.add(life);
  }

  /** What happened, in order, makes the digest. */
  #note(line: string): void {
    const text = `${this.schedule.nowMs} ${line}`;
    this.#options.trace?.(text);
    for (let i = 0; i < text.length; i++) this.#digest = Math.imul(this.#digest ^ text.charCodeAt(i), 0x01000193);
  }

  /** Runs until something holds, or for `ms`, or until something is violated. @returns whether it holds */
  async #until(ms: number, holds: () => boolean): Promise<boolean> {
    const endMs = this.schedule.nowMs + ms;
    let lookMs = this.schedule.nowMs + LOOK_MS;
    const eachTurn = this.#options.seed % SEEDS_OF_ONE_THAT_TURNS === 0 ? 1 : STEPS_EACH_TURN;
    while (this.#violation === null) {
      const step = this.schedule.take(Math.min(endMs, lookMs));
      if (step === null) {
        if (holds()) return true;
        if (this.schedule.nowMs >= endMs) return false;
        lookMs += LOOK_MS;
        continue;
      }
      try {
        step();
      } catch (error) {
        this.violated((error as Error).stack ?? String(error));
      }
      // All that was promised happens before the next step.
      await (this.schedule.steps % eachTurn === 0 ? turned() : settled());
      this.#check();
      if (this.schedule.steps > STEPS_MAX) this.violated('it never comes to an end');
    }
    return true;
  }

  #check(): void {
    const node = this.#byHost.get(this.schedule.actor);
    if (node === undefined) return;
    const fault = faultOf(node, this.schedule.nowMs);
    if (fault !== null) this.violated(`${node.id}: ${fault}`);
  }

  #happen(event: Event): void {
    this.#note(JSON.stringify(event));
    if (event.kind === 'partition') {
      const sides = new Map(this.nodes.map((node, index) => [node.host, event.sides[index]]));
      this.network.partition(sides);
      this.schedule.after(event.forMs, () => this.network.heal());
      return;
    }
    const node = this.nodes[event.node];
    this.schedule.actor = node.host;
    const backLater = (forMs: number) => this.schedule.after(forMs, () => node.start());
    if (event.kind === 'start') node.start();
    else if (event.kind === 'crash') {
      node.crash(event.how);
      backLater(event.forMs);
    } else if (event.kind === 'leave') {
      void node.leave();
      backLater(event.forMs + node.settings.shutdownTimeoutMs);
    } else if (event.kind === 'reset') socketOf(node, event.connection)?.reset();
    else if (event.kind === 'read') {
      node.host.read(event.how);
      this.schedule.after(event.forMs, () => node.host.read('fast'));
    } else if (event.kind === 'clock') node.skewMs += event.byMs;
    else if (event.kind === 'worker') node.killWorker(event.looksLeft);
    else if (event.kind === 'fill') this.#fills(node, event.peers, this.schedule.nowMs + event.forMs);
    else if (event.kind === 'speak') for (let i = 0; i < event.times; i++) node.speak(event.bytes);
    else if (event.kind === 'ask') for (let i = 0; i < event.times; i++) node.ask(event.bytes);
    else this.#broadcast(node, event.bytes);
  }

  #broadcast(node: SimulatedNode, bytes: number): number {
    const number = this.#broadcasts++;
    this.#heard.set(number, new Set());
    node.broadcast(contentOf(number, lifeOf(node), bytes));
    return number;
  }

  /** Until nothing goes wrong any more: what goes wrong finds something on its way. */
  #talks(node: SimulatedNode): void {
    const { schedule } = this;
    const talk = () => {
      if (schedule.nowMs > this.#options.faultsMs) return;
      schedule.actor = node.host;
      node.speak(this.#talk.pick(TALK_BYTES));
      node.ask(this.#talk.pick(TALK_BYTES));
      schedule.after(TALK_MS, talk);
    };
    schedule.after(this.#talk.between(0, TALK_MS), talk);
  }

  #fills(node: SimulatedNode, peers: number, untilMs: number): void {
    const { schedule } = this;
    const deaf = [...node.streams()].slice(0, peers).map(({ connection }) => this.#byId(connection.peerId!));
    for (const peer of deaf) peer.host.read('nothing');
    const fill = () => {
      if (schedule.nowMs > Math.min(untilMs, this.#options.faultsMs)) {
        for (const peer of deaf) peer.host.read('fast');
        return;
      }
      schedule.actor = node.host;
      node.fill(peers, FILL_BYTES);
      schedule.after(FILL_MS, fill);
    };
    fill();
  }

  #endFaults(): void {
    this.network.heal();
    for (const node of this.nodes) {
      node.host.read('fast');
      node.skewMs = 0;
      node.start();
    }
  }

  /** Whether a node has its outbound peers, and they have it: some may not have noticed yet that a peer is gone. */
  #hasItsPeers(node: SimulatedNode): boolean {
    if (node.core === null) return false;
    const groups = new Set<string>();
    for (const connection of node.core.table.connected()) {
      if (mirror(node, connection, this.nodes) === undefined) return false;
      if (connection.direction === 'outbound') groups.add(connection.netGroup);
    }
    if (groups.size >= node.settings.minOutbound) return true;
    // In a small network everybody else may be connected already, or in a netgroup that is taken, or full.
    const { table } = node.core;
    const isFree = ({ id, host, core, limits }: SimulatedNode) =>
      id !== node.id &&
      table.byId(id) === undefined &&
      !groups.has(netGroupOf(host.ip, PORT)) &&
      (core === null || core.table.counts().inbound < limits.maxInbound);
    return !this.nodes.some(isFree);
  }

  /** How many a broadcast of the first node can get to, itself included: a part of a network may have all the peers that it wants. */
  #joined(): number {
    const joined = new Set(this.nodes.slice(0, 1));
    for (const node of joined) {
      for (const connection of node.core?.table.connected() ?? []) {
        if (mirror(node, connection, this.nodes) !== undefined) joined.add(this.#byId(connection.peerId!));
      }
    }
    return joined.size;
  }

  /** Who has too few peers. */
  #lonely(): string {
    const lonely = this.nodes.filter((node) => !this.#hasItsPeers(node));
    const told = lonely.slice(0, 5).map((node) => {
      const counts = node.core?.table.counts();
      return `${node.id} ${node.isUp ? JSON.stringify(counts) : 'down'} knows ${JSON.stringify(node.core?.memory.book.counts())}`;
    });
    return `${lonely.length} nodes: ${told.join(', ')}`;
  }

  #byId(id: string): SimulatedNode {
    return nodeOf(id, this.nodes);
  }

  /** A message that was sent on a connection that lives, and has not arrived; null for none. */
  #unheard(): string | null {
    for (const node of this.nodes) {
      for (const { connection, told, asked } of node.streams()) {
        if (connection.state !== 'Connected' || mirror(node, connection, this.nodes) === undefined) continue;
        const count = ({ sent, heard }: Series) => `${heard} of ${sent}`;
        if (told.left > 0) return `${connection.peerId} has got ${count(told)} messages of ${node.id}`;
        if (asked.left > 0) return `${connection.peerId} has answered ${count(asked)} requests of ${node.id}`;
      }
    }
    return null;
  }
}

/** A node from one start to the next. */
function lifeOf({ index, starts }: SimulatedNode): number {
  return index * 1000 + starts;
}

/** The other end of a connection, where that is connected too. */
function mirror(node: SimulatedNode, { peerId }: Connection, nodes: readonly SimulatedNode[]): Connection | undefined {
  return nodeOf(peerId!, nodes).core?.table.byId(node.id);
}

/** Whose ID it is, or was. */
function nodeOf(id: string, nodes: readonly SimulatedNode[]): SimulatedNode {
  return nodes[Number.parseInt(id.slice('node-'.length), 10)];
}

function socketOf(node: SimulatedNode, number: number): SimulatedSocket | undefined {
  const sockets = [...node.host.sockets];
  return sockets[number % Math.max(1, sockets.length)];
}

/** Addresses as on the internet: some nodes share a /16, few a /24. */
function ipOf(index: number): string {
  const group = Math.floor(index / 2);
  return `${20 + (group % 100)}.${1 + Math.floor(group / 100)}.${index % 2}.${1 + (index % 200)}`;
}
