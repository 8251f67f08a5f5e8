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
import { ErrorCode, type NodeError } from '../../src/shared/errors.js';
import type { Handler, HandlerModule } from '../../src/shared/handler.js';
import { Slot } from '../../src/shared/memory/arena-layout.js';
import type { PolicyDeclaration } from '../../src/shared/policy.js';
import { contentOf, readContent } from './content.js';
import { InlineWorkers, LocalSleep } from './inline-workers.js';
import type { Crash } from './plan.js';
import type { Schedule } from './schedule.js';
import type { Seeded } from './seeded.js';
import type { Host, SimulatedNetwork } from './simulated-network.js';
import type { Series, Stream, Streams } from './streams.js';
import { SurvivingStore } from './surviving-store.js';

/** 2026-01-01, so that wall clocks look like some. */
const EPOCH_MS = 1_767_225_600_000;
const STREAM = 'sim/stream';
const GOSSIP = 'sim/gossip';
/** Goes to a queued handler, which takes a while, and comes back as it is. */
const REQUEST = 'sim/request';
const ANSWER = 'sim/answer';
/** Sends that wait for room of one connection. */
const SENDS_WAITING = 3;
/** So that rings fill behind full queues. */
const REQUESTS_WAITING = 8;
const HANDLER_MS = [0, 30] as const;
/** A handler whose answer finds no room, or whose peer is gone, tries again so often. */
const ANSWER_AGAIN_MS = 20;
const ANSWER_TRIES = 10;

/** What nodes tell the simulation. */
export interface Witness {
  /** Something that must never be. */
  violated(what: string): void;
  connected(node: SimulatedNode, connection: Connection): void;
  disconnected(node: SimulatedNode, connection: Connection, cause: Cause): void;
  /** `isAtWork`: bytes had arrived that it was not through with. */
  workerDied(node: SimulatedNode, isAtWork: boolean): void;
  gossip(node: SimulatedNode, payload: Buffer): void;
  /** An answer has come twice. */
  answeredAgain(peerId: string): void;
  /** So many answers will never come, though later ones have. */
  unanswered(peerId: string, answers: number, connectedMs: number): void;
}

/** Timers of one life of a node: with it they end. What they run is the node's doing. */
class LifeTimers implements Timers {
  readonly #schedule: Schedule;
  readonly #actor: unknown;
  isOver = false;

  constructor(schedule: Schedule, actor: unknown) {
    this.#schedule = schedule;
    this.#actor = actor;
  }

  after(ms: number, run: () => void): Timer {
    return this.#schedule.after(ms, () => this.#unlessOver(run));
  }

  every(ms: number, run: () => void): Timer {
    const timer = this.#schedule.every(ms, () => {
      if (this.isOver) timer.cancel();
      this.#unlessOver(run);
    });
    return timer;
  }

  soon(run: () => void): void {
    this.#schedule.soon(() => this.#unlessOver(run));
  }

  #unlessOver(run: () => void): void {
    if (this.isOver) return;
    this.#schedule.actor = this.#actor;
    run();
  }
}

interface Life {
  readonly core: NodeCore;
  readonly workers: InlineWorkers;
  readonly timers: LifeTimers;
  readonly streams: Map<Connection, Stream>;
  readonly account: Account;
}

/** What one life of a node has to answer for, also after its end: who reads slowly hears of it later. */
interface Account {
  readonly sinceMs: number;
  /** Answers that others know they will never get. */
  unanswered: number;
  /** What it has left out, counted, for want of memory. */
  shed(): number;
}

const silent = pino({ level: 'silent' });

export class SimulatedNode {
  readonly index: number;
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
  #store: SurvivingStore;
  /** How often it has lost its disk, and its ID with it. */
  #wiped = 0;
  readonly #streams: Streams;
  readonly #fanout: number | 'all';
  readonly #knowsOnly: ReadonlySet<string> | null;
  #life: Life | null = null;
  /** Of all its lives, the first one first. */
  readonly #accounts: Account[] = [];

  constructor(parts: {
    index: number;
    settings: Settings;
    host: Host;
    network: SimulatedNetwork;
    chance: Seeded;
    witness: Witness;
    streams: Streams;
    fanout?: number | 'all';
    /** All whose addresses it takes up and tells; everybody by default. */
    knowsOnly?: ReadonlySet<string>;
  }) {
    this.index = parts.index;
    this.settings = parts.settings;
    this.limits = parts.settings;
    this.host = parts.host;
    this.#network = parts.network;
    this.#chance = parts.chance;
    this.#witness = parts.witness;
    this.#streams = parts.streams;
    this.#fanout = parts.fanout ?? 'all';
    this.#knowsOnly = parts.knowsOnly ?? null;
    this.#store = this.#emptyDisk();
  }

  /** By which it is known, since it last lost its disk. */
  get id(): string {
    return this.#wiped === 0 ? this.settings.nodeId! : `${this.settings.nodeId}.${this.#wiped}`;
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
    const timers = new LifeTimers(schedule, this.host);
    const world: World = {
      clock: { nowMs: () => schedule.nowMs, wallMs: () => EPOCH_MS + schedule.nowMs + this.skewMs },
      timers,
      network: this.#network.of(this.host),
      random: () => this.#chance.next(),
      randomBytes: (bytes) => this.#chance.bytes(bytes),
    };
    const sleep = new LocalSleep();
    const witness = this.#witness;
    const account: Account = { sinceMs: schedule.nowMs, unanswered: 0, shed: () => core.statistics.shed };
    this.#accounts.push(account);
    const life = { timers, streams: new Map(), account } as Omit<Life, 'core' | 'workers'>;
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
          handlers: (afterMs) => this.#handlers(afterMs),
          drain: () => core.pump.turn(),
          failed: (type, error) => witness.violated(`${this.id}: handler of ${type} failed: ${error}`),
        });
        return workers;
      },
      events: {
        connected: (connection) => {
          life.streams.set(connection, this.#streams.open(connection));
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
        workerDied: () => witness.workerDied(this, isAtWork(core)),
        workerReplaced: () => undefined,
        error: (error) => witness.violated(`${this.id}: ${error.stack}`),
        isOwnDial: () => false,
      },
    });
    this.#life = { ...life, core, workers };
    core.postman.subscribe(STREAM, ({ payload, peerId }) => this.hear(peerId, payload));
    core.postman.subscribe(ANSWER, ({ payload, peerId }) => this.#hearAnswer(peerId, payload));
    core.postman.subscribe(GOSSIP, ({ payload }) => witness.gossip(this, payload));
    void core.start().then(
      () => {
        if (!timers.isOver) core.run();
      },
      (error) => witness.violated(`${this.id} does not start: ${error.stack}`),
    );
  }

  crash(how: Crash): void {
    if (this.#life === null) return;
    this.#endLife(this.#life);
    if (how === 'unplugged') this.#network.unplug(this.host);
    else this.#network.kill(this.host);
    this.#store.crash();
    if (how !== 'wiped') return;
    this.#store = this.#emptyDisk();
    this.#wiped++;
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
    this.#endLife(life);
    this.#network.kill(this.host);
  }

  #endLife({ timers, core, account }: Life): void {
    timers.isOver = true;
    this.#life = null;
    // It keeps no memory of what is over.
    const { shed } = core.statistics;
    account.shed = () => shed;
  }

  /** Tells each peer something. */
  speak(bytes: number): void {
    for (const stream of this.#readStreams()) this.#send(stream, stream.told, STREAM, bytes);
  }

  /** Asks each peer something that it answers. */
  ask(bytes: number): void {
    for (const stream of this.#readStreams()) this.#send(stream, stream.asked, REQUEST, bytes);
  }

  /** Tells some peers something, whether or not there is room for it at once. */
  fill(peers: number, bytes: number): void {
    for (const stream of this.#openStreams().slice(0, peers)) {
      if (stream.told.waiting < SENDS_WAITING) this.#send(stream, stream.told, STREAM, bytes);
    }
  }

  broadcast(payload: Buffer): void {
    this.#life?.core.postman.broadcast(GOSSIP, payload, []);
  }

  /**
   * Others miss so many answers more, of a connection of that time. An answer that the worker has given up to the main
   * thread is left out, and counted, if there is no memory for it. @returns whether as many were
   */
  owes(answers: number, connectedMs: number): boolean {
    const account = this.#accounts.findLast(({ sinceMs }) => sinceMs <= connectedMs)!;
    account.unanswered += answers;
    return account.unanswered <= account.shed();
  }

  /** Streams to peers, with how much was sent. */
  *streams(): Generator<Stream> {
    if (this.#life !== null) yield* this.#life.streams.values();
  }

  /** One that does not read is not filled with what nobody waits for. */
  #readStreams(): Stream[] {
    const mostBytes = this.settings.sendQueueBytes / 2;
    return this.#openStreams().filter(({ connection }) => connection.writer.queuedBytes < mostBytes);
  }

  #openStreams(): Stream[] {
    const { core } = this;
    const isOpen = ({ connection: one }: Stream) => one.peerId !== null && core!.table.byId(one.peerId) === one;
    return [...this.streams()].filter(isOpen);
  }

  #send({ id, connection }: Stream, series: Series, type: string, bytes: number): void {
    const number = series.take();
    series.waiting++;
    const failed = (error: NodeError) => {
      if (connection.state !== 'Connected') return;
      if (error.code === 'ERR_PAW_SEND_QUEUE_FULL') series.withdraw(number);
      else this.#violated(`can't send to ${connection.peerId}: ${error.message}`);
    };
    this.core!.postman.send(connection.peerId!, type, contentOf(id, number, bytes))
      .catch(failed)
      .finally(() => series.waiting--);
  }

  #handlers(afterMs: (ms: number, run: () => void) => void): HandlerModule {
    const pause = (ms: number) => new Promise<void>((resolve) => afterMs(ms, resolve));
    const answer: Handler = async ({ payload }, context) => {
      await pause(this.#chance.between(...HANDLER_MS));
      for (let tries = 0; tries < ANSWER_TRIES; tries++) {
        if (context.reply(ANSWER, payload)) return;
        await pause(ANSWER_AGAIN_MS);
      }
      const content = readContent(payload);
      if (content === null) this.#violated('a request is not what was sent');
      else this.#streams.of(content.first)?.asked.withdraw(content.second);
    };
    return { [REQUEST]: { mode: 'queued', queueLength: REQUESTS_WAITING, handler: answer } };
  }

  #emptyDisk(): SurvivingStore {
    return new SurvivingStore(() => this.#network.schedule.nowMs);
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
    const content = readContent(payload);
    const series = content === null ? undefined : this.#streams.of(content.first)?.told;
    if (content === null || series === undefined) this.#violated(`a message of ${peerId} is not what was sent`);
    else if (content.second === series.due) series.hear(content.second);
    else this.#violated(`message ${content.second} of ${peerId} came where ${series.due} was due`);
  }

  #hearAnswer(peerId: string, payload: Buffer): void {
    const content = readContent(payload);
    const stream = content === null ? undefined : this.#streams.of(content.first);
    if (content === null || stream?.connection.peerId !== peerId) {
      this.#violated(`an answer of ${peerId} is not what was asked`);
      return;
    }
    if (content.second < stream.asked.due) {
      this.#witness.answeredAgain(peerId);
      return;
    }
    const missing = stream.asked.hear(content.second);
    if (missing > 0) this.#witness.unanswered(peerId, missing, stream.connection.connectedMs);
  }

  #violated(what: string): void {
    this.#witness.violated(`${this.id}: ${what}`);
  }
}

/** Whether bytes have arrived that the worker is not through with. */
function isAtWork({ arena, table }: NodeCore): boolean {
  const { words, layout } = arena;
  return [...table.connected()].some(({ seat }) => {
    const control = layout.slot(seat!.slot);
    return words[control + Slot.WriteCursor] !== words[control + Slot.Progress];
  });
}
