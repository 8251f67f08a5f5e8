/**
 * One node of a simulated network: the core of `src/main` on a simulated machine, and an application that sends numbered
 * messages to each peer and broadcasts gossip. Crashes, leaves, comes back with what its disk holds.
 */
import { pino } from 'pino';
import type { Settings } from '../../src/main/config/settings.js';
import { geometryOf } from '../../src/main/geometry.js';
import type { Cause, Connection } from '../../src/main/net/connection.js';
import { NodeCore } from '../../src/main/node-core.js';
import { PeerMemory } from '../../src/main/peer-memory.js';
import type { Timer, Timers } from '../../src/main/timers.js';
import type { World } from '../../src/main/world.js';
import { ErrorCode } from '../../src/shared/errors.js';
import type { PolicyDeclaration } from '../../src/shared/policy.js';
import { InlineWorkers, LocalSleep } from './inline-workers.js';
import type { Schedule } from './schedule.js';
import type { Seeded } from './seeded.js';
import type { Host, SimulatedNetwork } from './simulated-network.js';
import { SurvivingStore } from './surviving-store.js';

/** 2026-01-01, so that wall clocks look like some. */
const EPOCH_MS = 1_767_225_600_000;
export const STREAM = 'sim/stream';
export const GOSSIP = 'sim/gossip';
const STREAM_HEADER_BYTES = 8;

/** What nodes tell the simulation. */
export interface Witness {
  /** Something that must never be. */
  violated(what: string): void;
  connected(node: SimulatedNode, connection: Connection): void;
  disconnected(node: SimulatedNode, connection: Connection, cause: Cause): void;
  workerDied(node: SimulatedNode): void;
  gossip(node: SimulatedNode, payload: Buffer): void;
}

/** Numbered messages from one connection of a node to its peer. */
interface Stream {
  readonly id: number;
  readonly connection: Connection;
  sent: number;
}

/** Timers of one life of a node: with it they end. */
class LifeTimers implements Timers {
  readonly #schedule: Schedule;
  isOver = false;

  constructor(schedule: Schedule) {
    this.#schedule = schedule;
  }

  after(ms: number, run: () => void): Timer {
    return this.#schedule.after(ms, () => this.#unlessOver(run));
  }

  every(ms: number, run: () => void): Timer {
    const timer = this.#schedule.every(ms, () => {
      if (this.isOver) timer.cancel();
      else run();
    });
    return timer;
  }

  soon(run: () => void): void {
    this.#schedule.soon(() => this.#unlessOver(run));
  }

  #unlessOver(run: () => void): void {
    if (!this.isOver) run();
  }
}

interface Life {
  readonly core: NodeCore;
  readonly workers: InlineWorkers;
  readonly timers: LifeTimers;
  readonly streams: Map<Connection, Stream>;
  /** By stream, the number that comes next. */
  readonly expected: Map<number, number>;
}

const silent = pino({ level: 'silent' });

export class SimulatedNode {
  readonly index: number;
  readonly id: string;
  readonly host: Host;
  readonly settings: Settings;
  /** What it is held to. */
  readonly limits: Settings;
  /** Gets what other nodes say to it. */
  hear = (peerId: string, payload: Buffer): void => this.#hear(peerId, payload);
  /** How far its wall clock is off. */
  skewMs = 0;
  starts = 0;
  readonly #network: SimulatedNetwork;
  readonly #chance: Seeded;
  readonly #witness: Witness;
  readonly #store: SurvivingStore;
  readonly #nextStream: () => number;
  readonly #fanout: number | 'all';
  readonly #knowsOnly: ReadonlySet<string> | null;
  #life: Life | null = null;

  constructor(parts: {
    index: number;
    settings: Settings;
    host: Host;
    network: SimulatedNetwork;
    chance: Seeded;
    witness: Witness;
    nextStream: () => number;
    fanout?: number | 'all';
    /** All whose addresses it takes up and tells; everybody by default. */
    knowsOnly?: ReadonlySet<string>;
  }) {
    this.index = parts.index;
    this.settings = parts.settings;
    this.limits = parts.settings;
    this.id = parts.settings.nodeId!;
    this.host = parts.host;
    this.#network = parts.network;
    this.#chance = parts.chance;
    this.#witness = parts.witness;
    this.#nextStream = parts.nextStream;
    this.#fanout = parts.fanout ?? 'all';
    this.#knowsOnly = parts.knowsOnly ?? null;
    this.#store = new SurvivingStore(() => parts.network.schedule.nowMs);
  }

  get core(): NodeCore | null {
    return this.#life?.core ?? null;
  }

  get isUp(): boolean {
    return this.#life !== null;
  }

  start(): void {
    if (this.#life !== null) return;
    this.starts++;
    this.#network.schedule.actor = this.host;
    this.#network.plugIn(this.host);
    const { schedule } = this.#network;
    const timers = new LifeTimers(schedule);
    const world: World = {
      clock: { nowMs: () => schedule.nowMs, wallMs: () => EPOCH_MS + schedule.nowMs + this.skewMs },
      timers,
      network: this.#network.of(this.host),
      random: () => this.#chance.next(),
      randomBytes: (bytes) => this.#chance.bytes(bytes),
    };
    const sleep = new LocalSleep();
    const witness = this.#witness;
    const life = { timers, streams: new Map(), expected: new Map() } as Omit<Life, 'core' | 'workers'>;
    let workers!: InlineWorkers;
    const core = new NodeCore({
      settings: this.settings,
      geometry: geometryOf(this.settings),
      types: { [STREAM]: { mode: 'inline' }, [GOSSIP]: this.#gossipPolicy() },
      nodeId: this.id,
      memory: this.#memory(world),
      world,
      log: silent,
      sleep,
      makeWorkers: ({ arena, budget, clock, options, events }) => {
        workers = new InlineWorkers({
          arena,
          budget,
          clock,
          timers,
          random: world.random,
          options,
          events,
          sleep,
          drain: () => core.pump.turn(),
          failed: (type, error) => witness.violated(`${this.id}: handler of ${type} failed: ${error}`),
        });
        return workers;
      },
      events: {
        connected: (connection) => {
          life.streams.set(connection, { id: this.#nextStream(), connection, sent: 0 });
          witness.connected(this, connection);
          return null;
        },
        disconnected: (connection, cause) => {
          life.streams.delete(connection);
          witness.disconnected(this, connection, cause);
        },
        rejected: () => undefined,
        banned: (ban) => witness.violated(`${this.id}: an honest node is banned: ${JSON.stringify(ban)}`),
        published: () => undefined,
        workerDied: () => witness.workerDied(this),
        workerReplaced: () => undefined,
        error: (error) => witness.violated(`${this.id}: ${error.stack}`),
        isOwnDial: () => false,
      },
    });
    this.#life = { ...life, core, workers };
    core.postman.subscribe(STREAM, ({ payload, peerId }) => this.hear(peerId, payload));
    core.postman.subscribe(GOSSIP, ({ payload }) => witness.gossip(this, payload));
    void core.start().then(
      () => {
        if (!timers.isOver) core.run();
      },
      (error) => witness.violated(`${this.id} does not start: ${error.stack}`),
    );
  }

  /** The process is killed, or its machine loses power. */
  crash(how: 'killed' | 'unplugged'): void {
    if (this.#life === null) return;
    this.#life.timers.isOver = true;
    this.#life = null;
    if (how === 'killed') this.#network.kill(this.host);
    else this.#network.unplug(this.host);
    this.#store.crash();
  }

  /** Its worker dies after so many more looks at the clock. */
  killWorker(looksLeft: number): void {
    this.#life?.workers.kill(looksLeft);
  }

  /** Stops in good order. */
  async leave(): Promise<void> {
    const life = this.#life;
    if (life === null || life.timers.isOver) return;
    const { core } = life;
    const { schedule } = this.#network;
    const deadlineMs = schedule.nowMs + this.settings.shutdownTimeoutMs;
    const discoveryStopped = core.stopMeeting();
    await core.stop({ code: ErrorCode.ShuttingDown, reason: 'shutting down' }, () => deadlineMs);
    await discoveryStopped;
    await core.memory.close(core.runCounters());
    // It may have crashed meanwhile.
    if (this.#life !== life) return;
    life.timers.isOver = true;
    this.#life = null;
    this.#network.kill(this.host);
  }

  /** Sends the next numbered message to each peer. */
  speak(bytes: number): void {
    if (this.#life === null) return;
    const { core, streams } = this.#life;
    for (const stream of streams.values()) {
      const { peerId } = stream.connection;
      if (peerId === null || core.table.byId(peerId) !== stream.connection) continue;
      // More than what waits now is not said: a peer that does not read is not filled with messages.
      if (stream.connection.writer.queuedBytes >= this.settings.sendQueueBytes / 2) continue;
      const payload = Buffer.alloc(STREAM_HEADER_BYTES + bytes, stream.sent);
      payload.writeUInt32BE(stream.id, 0);
      payload.writeUInt32BE(stream.sent, 4);
      stream.sent++;
      core.postman.send(peerId, STREAM, payload).catch((error) => {
        this.#witness.violated(`${this.id}: can't send to ${peerId}: ${error.message}`);
      });
    }
  }

  broadcast(payload: Buffer): void {
    this.#life?.core.postman.broadcast(GOSSIP, payload, []);
  }

  /** Streams to peers, with how much was sent. */
  *streams(): Generator<Stream> {
    if (this.#life !== null) yield* this.#life.streams.values();
  }

  /** How many messages of a stream have arrived here. */
  heard(stream: number): number {
    return this.#life?.expected.get(stream) ?? 0;
  }

  /** Who serves an attacker passes nothing on. */
  #gossipPolicy(): PolicyDeclaration {
    return this.#knowsOnly === null ? { gossip: true, fanout: this.#fanout } : {};
  }

  #memory(world: World): PeerMemory {
    const memory = new PeerMemory(this.#store, this.settings, this.id, world);
    const only = this.#knowsOnly;
    if (only === null) return memory;
    const { book } = memory;
    const add = book.add.bind(book);
    book.add = (address, teller, toldSeenMs, nowMs) =>
      only.has(address.ip) ? add(address, teller, toldSeenMs, nowMs) : 'refused';
    const reached = book.reached.bind(book);
    book.reached = (max, nowMs) =>
      reached(max * 10, nowMs)
        .filter(({ ip }) => only.has(ip))
        .slice(0, max);
    const sample = book.sample.bind(book);
    book.sample = (...asked) => sample(...asked).filter(({ ip }) => only.has(ip));
    return memory;
  }

  #hear(peerId: string, payload: Buffer): void {
    const life = this.#life;
    if (life === null) return;
    const stream = payload.readUInt32BE(0);
    const number = payload.readUInt32BE(4);
    const expected = life.expected.get(stream) ?? 0;
    if (number !== expected) {
      this.#witness.violated(`${this.id}: message ${number} of ${peerId} came where ${expected} was due`);
    }
    const fill = payload.subarray(STREAM_HEADER_BYTES);
    if (fill.length > 0 && (fill[0] !== (number & 0xff) || fill[fill.length - 1] !== (number & 0xff))) {
      this.#witness.violated(`${this.id}: message ${number} of ${peerId} is not what was sent`);
    }
    life.expected.set(stream, number + 1);
  }
}
