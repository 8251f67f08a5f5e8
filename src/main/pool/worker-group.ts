/**
 * The worker threads: starts them, pins connections to them, replaces one that dies. Main thread. Piscina runs each as
 * one endless task, in a pool of its own: a pool never starts a thread again after one died before it was ready, and so
 * such a pool is given up without the other workers noticing. A spare pool, whose thread has loaded all but the handlers,
 * stands ready: a thread takes longer to start than peers may be kept waiting. A replacement goes on where the cursors of
 * the one before it stand: sockets stay up, what finished frames caused is published, the frame in hand is dispatched
 * again, and skipped if it kills a second time.
 */
import { clearInterval, clearTimeout, setImmediate, setInterval, setTimeout } from 'node:timers';
import { setTimeout as delay } from 'node:timers/promises';
import { MessageChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { type Clock, sinceSharedMs } from '../../shared/clock.js';
import { NodeError } from '../../shared/errors.js';
import type { Arena } from '../../shared/memory/arena.js';
import { Worker } from '../../shared/memory/arena-layout.js';
import type { MemoryBudget } from '../../shared/memory/memory-budget.js';
import { ReadyQueue } from '../../shared/memory/ready-queue.js';
import { SeenTable } from '../../shared/memory/seen-table.js';
import { Signal } from '../../shared/memory/signal.js';
import type { Policy, PolicyDeclaration, RelayedType } from '../../shared/policy.js';
import type { WorkerCommand, WorkerInit, WorkerNotice } from '../../shared/worker-protocol.js';
import { formatDuration } from '../config/duration.js';
import type { Connection } from '../net/connection.js';
import { messageInHand, typesWaitedFor } from './at-work.js';
import { deathReason, whatItWasAt } from './death-reason.js';
import { Takeover } from './takeover.js';
import { Watchdog } from './watchdog.js';
import { WorkerBuffers } from './worker-buffers.js';
import type { InHand, Workers } from './workers.js';

/** A worker that dies so often in a row before it is ready is started again only after a while. */
const QUICK_STARTS = 5;
const START_DELAY_MS = 100;
const MAX_START_DELAY_MS = 5000;
/** A replacement is ended that is not ready after so many times the limit for hung workers, ... */
const START_LIMITS = 3;
/** ... or after so many times what the longest start has taken, if that is more. */
const LONGEST_STARTS = 4;
/** How often workers are looked at that might hang: a tenth of what they may, and at least this often. */
const LOOK_EVERY_MS_MAX = 50;
/** The spare is started a while after the node, which has better to do at first, and which may be a short-lived one. */
const SPARE_AFTER_MS = 500;
const MIB = 1024 * 1024;
/** How often a group that stops looks whether its time is up. */
const STOP_LOOK_MS = 50;
/** There are loops that V8 does not interrupt (operations.md, "Handlers"): the rest of the node closes all the same. */
const TERMINATE_MS = 2000;

/** What the group needs of the node. */
export interface WorkerGroupEvents {
  log(worker: number, notice: Extract<WorkerNotice, { kind: 'log' }>): void;
  /** The worker is dead; its effects are to be taken out of its outbound ring. */
  died(worker: number, error: Error, reason: string): void;
  /** Its replacement is up and has all that it left. `reason` is that of the first death since it was last up. */
  replaced(worker: number, reason: string): void;
  /**
   * A message of this connection, which may be gone, brought the worker down twice in a queued handler: it is given up.
   * @returns whether the peer is cut off for it, with all that it has sent
   */
  poisoned(slot: number, generation: number): boolean;
  /** Connections that sit in slots pinned to the worker. */
  pinnedTo(worker: number): readonly Connection[];
  /** The worker had let go of the connection before it died. May be told twice. */
  released(connection: Connection): void;
  /** The worker does not come up; it is tried again, but not at once. */
  failing(worker: number, reason: string): void;
}

interface Member {
  pool: Piscina | null;
  port: MessagePort | null;
  /** Of frames that are assembled aside. */
  readonly asides: WorkerBuffers;
  /** Of messages that wait for queued handlers. */
  readonly segments: WorkerBuffers;
  readonly takeover: Takeover<Connection>;
  readonly ready: ReadyQueue;
  readonly signal: Signal;
  task: Promise<void>;
  alive: boolean;
  connections: number;
  restarts: number;
  /** Deaths in a row before it was ready. */
  failedStarts: number;
  launchedMs: number;
  startTimer: NodeJS.Timeout | undefined;
  /** Something is new for it since it was last woken. */
  isCalled: boolean;
  /** Why we ended its thread ourselves. */
  ended: string | null;
  /** Why it died, as long as nobody has taken its place. */
  deathReason: string | null;
}

export interface WorkerGroupOptions {
  readonly handlers: readonly string[];
  readonly types: Readonly<Record<string, PolicyDeclaration>>;
  /** Types that are passed on, whatever their declarations say. */
  readonly relay: readonly RelayedType[];
  /** Secret of this node, HASH_KEY_BYTES long. */
  readonly gossipKey: Uint8Array;
  readonly sendQueueBytes: number;
  /** Most JavaScript heap of a worker. */
  readonly heapBytes: number;
}

export class WorkerGroup implements Workers {
  /** The policy table that the workers agreed on. */
  policies: Readonly<Record<string, Policy>> = {};
  readonly #arena: Arena;
  readonly #options: WorkerGroupOptions;
  readonly #events: WorkerGroupEvents;
  readonly #members: Member[];
  readonly #seen: SeenTable;
  readonly #subscriptions = new Set<string>();
  #relay: readonly RelayedType[];
  readonly #clock: Clock;
  readonly #watchdog: Watchdog;
  readonly #startWatchdog: Watchdog;
  #longestStartMs = 0;
  #watchTimer: NodeJS.Timeout | undefined;
  /** Has a thread that waits to become a worker. */
  #spare: Piscina | null = null;
  #spareTimer: NodeJS.Timeout | undefined;
  #stopping = false;

  constructor(
    arena: Arena,
    budget: MemoryBudget,
    clock: Clock,
    options: WorkerGroupOptions,
    events: WorkerGroupEvents,
  ) {
    const { workers } = arena.layout.geometry;
    this.#clock = clock;
    this.#arena = arena;
    this.#options = options;
    this.#relay = options.relay;
    this.#events = events;
    this.#seen = new SeenTable(arena, workers);
    const { pinnedTo, released, poisoned } = events;
    this.#members = Array.from({ length: workers }, (_, worker) => {
      const ready = new ReadyQueue(arena, worker);
      const asides = new WorkerBuffers();
      const segments = new WorkerBuffers();
      const pinned = () => pinnedTo(worker);
      const parts = { arena, budget, worker, ready, asides, segments, pinned, released, poisoned };
      return {
        pool: null,
        port: null,
        asides,
        segments,
        takeover: new Takeover(parts),
        ready,
        signal: new Signal(arena.words, arena.layout.worker(worker) + Worker.Signal),
        task: Promise.resolve(),
        alive: false,
        connections: 0,
        restarts: 0,
        failedStarts: 0,
        launchedMs: 0,
        startTimer: undefined,
        isCalled: false,
        ended: null,
        deathReason: null,
      };
    });
    this.#watchdog = new Watchdog(workers, clock.nowMs());
    this.#startWatchdog = new Watchdog(workers, clock.nowMs());
  }

  /** Starts all workers. @throws NodeError if one can't start, such as ERR_PAW_HANDLER_MODULE */
  async start(): Promise<void> {
    await Promise.all(this.#members.map((_, worker) => this.#launch(worker)));
    if (!this.#stopping) this.#spareTimer = setTimeout(() => this.#keepSpare(), SPARE_AFTER_MS).unref();
  }

  get size(): number {
    return this.#members.length;
  }

  get liveCount(): number {
    return this.#members.filter((_, worker) => this.isLive(worker)).length;
  }

  restarts(worker: number): number {
    return this.#members[worker].restarts;
  }

  /** The worker with the fewest connections; of these the one with the fewest messages so far. */
  pin(): number {
    let best = 0;
    for (let worker = 1; worker < this.#members.length; worker++) {
      if (this.#members[worker].connections < this.#members[best].connections) best = worker;
    }
    this.#members[best].connections++;
    return best;
  }

  unpin(worker: number): void {
    this.#members[worker].connections--;
  }

  /**
   * A connection's ring has something new for its worker, which gets to know with the next `wake`; at once if that ring is
   * filling up, even when it naps.
   */
  ready(slot: number, worker: number, nowUs: number, isFilling: boolean): void {
    const member = this.#members[worker];
    if (member.ready.push(slot, nowUs)) member.isCalled = true;
    if (isFilling) member.signal.raise();
  }

  /** The end of a turn of the event loop: whoever has something new is woken, once for all of it. */
  wake(): void {
    for (const member of this.#members) {
      if (!member.isCalled) continue;
      member.isCalled = false;
      member.signal.raiseParked();
    }
  }

  /** From now on ends workers that hang for `limitMs`, null for never: what is in hand goes to their replacement. */
  watch(limitMs: number | null): void {
    clearInterval(this.#watchTimer);
    if (limitMs === null || this.#stopping) return;
    this.#watchTimer = setInterval(() => this.#lookForHung(limitMs), Math.min(LOOK_EVERY_MS_MAX, limitMs / 10));
  }

  #lookForHung(limitMs: number): void {
    const { words, layout } = this.#arena;
    for (const [worker, { signal }] of this.#members.entries()) {
      // A handler may hang where it went on after a wait, with its worker parked: one that is well takes a turn.
      if (this.queuedBy(worker) > 0) signal.raise();
    }
    const pulses = this.#members.map(({ alive, signal }, worker) => ({
      heartbeat: Atomics.load(words, layout.worker(worker) + Worker.HeartbeatMs),
      isAsleep: !alive || signal.isAsleep || this.#waitsForUs(worker),
    }));
    const nowMs = this.#clock.nowMs();
    for (const worker of this.#watchdog.look(pulses, nowMs, limitMs)) {
      this.#end(this.#members[worker], `hangs for ${formatDuration(limitMs)}`);
    }
    // A handler module may hang when it is loaded again.
    const starts = this.#members.map(({ alive, pool, launchedMs }) => ({
      heartbeat: launchedMs,
      isAsleep: alive || pool === null,
    }));
    const startLimitMs = Math.max(START_LIMITS * limitMs, LONGEST_STARTS * Math.ceil(this.#longestStartMs));
    for (const worker of this.#startWatchdog.look(starts, nowMs, startLimitMs)) {
      this.#end(this.#members[worker], `is not ready after ${formatDuration(startLimitMs)}`);
    }
  }

  #end(member: Member, why: string): void {
    member.ended = why;
    for (const thread of member.pool?.threads ?? []) void thread.terminate();
  }

  /** Its outbound ring is full. */
  #waitsForUs(worker: number): boolean {
    const { words, layout } = this.#arena;
    return Atomics.load(words, layout.worker(worker) + Worker.OutboundWaiting) === 1;
  }

  /** Whether the main thread wants messages of a type. In force for all bytes that are read from now on. */
  subscribe(type: string, wanted: boolean): void {
    if (wanted) this.#subscriptions.add(type);
    else this.#subscriptions.delete(type);
    this.#commandAll({ kind: 'subscribe', type, wanted });
  }

  /** The types that are passed on whatever their declarations say. In force for all bytes that are read from now on. */
  relay(relay: readonly RelayedType[]): void {
    this.#relay = relay;
    this.#commandAll({ kind: 'relay', relay });
  }

  spareMemory(): void {
    this.#commandAll({ kind: 'spare' });
  }

  /** Connections that are pinned to a worker. */
  connections(worker: number): number {
    return this.#members[worker].connections;
  }

  /** Not where its thread hangs: that was told to end, and may not have yet. */
  isLive(worker: number): boolean {
    const { alive, ended } = this.#members[worker];
    return alive && ended === null;
  }

  /** Since a worker last showed that it gets on: it does with each look at the clock. */
  silentMs(worker: number, nowMs: number): number {
    const { words, layout } = this.#arena;
    return sinceSharedMs(nowMs, Atomics.load(words, layout.worker(worker) + Worker.HeartbeatMs));
  }

  inHand(worker: number): InHand | null {
    const message = messageInHand(this.#arena, worker, this.#buffers(worker));
    if (message === null) return null;
    const { slot, generation } = message;
    const isFrom = ({ seat }: Connection) => seat?.slot === slot && seat.generation === generation;
    const connection = this.#events.pinnedTo(worker).find(isFrom) ?? null;
    return { type: this.#known([message.type])[0] ?? null, connection };
  }

  /** Of these types those that the application has declared: others are a peer's words. */
  #known(types: Iterable<string>): string[] {
    return [...types].filter((type) => Object.hasOwn(this.policies, type));
  }

  #buffers(worker: number) {
    const { asides, segments } = this.#members[worker];
    return { asides: asides.all, segments: segments.all };
  }

  /** Messages that wait or run in handler queues of one worker. */
  queuedBy(worker: number): number {
    const { words, layout } = this.#arena;
    return Atomics.load(words, layout.worker(worker) + Worker.QueuedMessages);
  }

  /** Messages that wait or run in handler queues of all workers. */
  queuedMessages(): number {
    return this.#members.reduce((sum, _, worker) => sum + this.queuedBy(worker), 0);
  }

  /** Lets every worker finish its turn and end; once `leftMs`, which is asked again and again, is 0 threads are terminated. */
  async stop(leftMs: () => number): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#watchTimer);
    clearTimeout(this.#spareTimer);
    for (const member of this.#members) clearTimeout(member.startTimer);
    this.#commandAll({ kind: 'stop' });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      // Looked at again, since whoever stops may be hurried meanwhile.
      const look = () => {
        const ms = leftMs();
        if (ms <= 0) resolve();
        else timer = setTimeout(look, Math.min(ms, STOP_LOOK_MS));
      };
      look();
    });
    await Promise.race([Promise.allSettled(this.#members.map((member) => member.task)), late]);
    clearTimeout(timer);
    const ends = [this.#spare, ...this.#members.map((member) => member.pool)].map((pool) => pool?.destroy());
    // Not waited for once all have ended: nobody's process stays for it.
    await Promise.race([Promise.all(ends), delay(TERMINATE_MS, undefined, { ref: false })]);
    for (const member of this.#members) member.port?.close();
  }

  /** Threads that run, for tests that kill them. */
  get threads() {
    return this.#members.flatMap((member) => member.pool?.threads ?? []);
  }

  #commandAll(command: WorkerCommand): void {
    const { words, layout } = this.#arena;
    for (const [worker, member] of this.#members.entries()) {
      member.port?.postMessage(command);
      Atomics.add(words, layout.worker(worker) + Worker.CommandEpoch, 1);
      member.signal.raise();
    }
  }

  /** Runs the worker's endless task. Settles when the worker is ready, or could not start. */
  #launch(worker: number): Promise<void> {
    const member = this.#members[worker];
    const { port1, port2 } = new MessageChannel();
    member.port = port1;
    member.launchedMs = this.#clock.nowMs();
    const init: WorkerInit = {
      arena: this.#arena.buffer,
      worker,
      port: port2,
      handlers: this.#options.handlers,
      types: this.#options.types,
      relay: this.#relay,
      gossipKey: this.#options.gossipKey,
      subscriptions: [...this.#subscriptions],
      sendQueueBytes: this.#options.sendQueueBytes,
      asides: member.asides.all,
      segments: member.segments.all,
    };
    return new Promise((resolve, reject) => {
      port1.on('message', (notice: WorkerNotice) => {
        if (notice.kind === 'ready') {
          member.alive = true;
          member.failedStarts = 0;
          this.#longestStartMs = Math.max(this.#longestStartMs, this.#clock.nowMs() - member.launchedMs);
          this.policies = notice.policies;
          this.#isUp(worker);
          resolve();
        } else if (notice.kind === 'failed') reject(new NodeError('ERR_PAW_HANDLER_MODULE', notice.message));
        else this.#onNotice(worker, notice);
      });
      member.pool ??= this.#takeSpare() ?? this.#newPool();
      member.task = runToEnd(member.pool, init, () => member.alive).then(
        () => undefined,
        (error: Error) => {
          const hasWorked = member.alive || member.restarts > 0;
          this.#leavePool(member);
          member.alive = false;
          reject(startError(error));
          const reason = member.ended ?? deathReason(error);
          member.ended = null;
          if (!this.#stopping && hasWorked) this.#replace(worker, error, reason);
        },
      );
    });
  }

  /** The pool of a worker that died starts another thread by itself, which becomes the spare if the spare is needed now. */
  #leavePool(member: Member): void {
    const { pool } = member;
    const spare = member.alive ? this.#takeSpare() : null;
    if (spare !== null) {
      member.pool = spare;
      this.#spare = pool;
    } else if (!member.alive) {
      void pool?.destroy();
      member.pool = null;
    }
  }

  /** Null if there is none, or if its thread died, after which the pool starts no other. */
  #takeSpare(): Piscina | null {
    const spare = this.#spare;
    this.#spare = null;
    if (spare === null || spare.threads.length > 0) return spare;
    void spare.destroy();
    return null;
  }

  #keepSpare(): void {
    if (this.#stopping || (this.#spare !== null && this.#spare.threads.length > 0)) return;
    void this.#spare?.destroy();
    this.#spare = this.#newPool();
  }

  #newPool(): Piscina {
    const pool = new Piscina({
      filename: new URL('../../workers/entry.cjs', import.meta.url).href,
      minThreads: 1,
      maxThreads: 1,
      concurrentTasksPerWorker: 1,
      // Piscina must not block a worker between tasks: workers wait in their own way.
      atomics: 'disabled',
      recordTiming: false,
      resourceLimits: { maxOldGenerationSizeMb: this.#options.heapBytes / MIB },
    });
    // Told when a thread dies that runs no task: the spare's, which is looked at before it is used.
    pool.on('error', () => undefined);
    return pool;
  }

  #isUp(worker: number): void {
    const member = this.#members[worker];
    if (member.deathReason === null) return;
    const reason = member.deathReason;
    member.deathReason = null;
    this.#events.replaced(worker, reason);
    this.#keepSpare();
  }

  #onNotice(worker: number, notice: Exclude<WorkerNotice, { kind: 'ready' | 'failed' }>): void {
    if (notice.kind === 'log') {
      this.#events.log(worker, notice);
      return;
    }
    if (notice.kind === 'policies') {
      this.policies = notice.policies;
      return;
    }
    const { asides, segments } = this.#members[worker];
    (notice.kind === 'aside' ? asides : segments).set(notice.id, notice.buffer);
  }

  #replace(worker: number, error: Error, why: string): void {
    const member = this.#members[worker];
    member.restarts++;
    // First of all: others may be waiting for it.
    this.#seen.recover(worker);
    this.#takeNotices(worker);
    const inHand = this.inHand(worker);
    const waitedFor = inHand === null ? this.#known(typesWaitedFor(this.#buffers(worker))) : [];
    const reason = `${why}${whatItWasAt(inHand?.type ?? null, waitedFor)}`;
    member.deathReason ??= reason;
    this.#events.died(worker, error, reason);
    member.takeover.run();
    const failures = ++member.failedStarts;
    if (failures === QUICK_STARTS) this.#events.failing(worker, reason);
    const delayMs =
      failures < QUICK_STARTS ? 0 : Math.min(START_DELAY_MS * 2 ** (failures - QUICK_STARTS), MAX_START_DELAY_MS);
    if (delayMs === 0) this.#relaunch(worker);
    else member.startTimer = setTimeout(() => this.#relaunch(worker), delayMs);
  }

  #relaunch(worker: number): void {
    // A start that fails ends in the task's rejection, which comes back here.
    if (!this.#stopping) this.#launch(worker).catch(() => undefined);
  }

  /** What the dead thread had posted and nobody has heard yet. */
  #takeNotices(worker: number): void {
    const { port } = this.#members[worker];
    if (port === null) return;
    for (let got = receiveMessageOnPort(port); got !== undefined; got = receiveMessageOnPort(port)) {
      const notice = got.message as WorkerNotice;
      if (notice.kind === 'ready') this.#members[worker].failedStarts = 0;
      else if (notice.kind !== 'failed') this.#onNotice(worker, notice);
    }
    port.close();
  }
}

/** Runs the endless task. Rejects when its thread ends, also where the pool itself would wait for ever. */
function runToEnd(pool: Piscina, init: WorkerInit, isReady: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const onDestroy = () => {
      // Once the task runs, the pool rejects it by itself, and with a better reason.
      if (!isReady()) setImmediate(() => reject(new Error('thread ended while it started')));
    };
    pool.once('workerDestroy', onDestroy);
    const run = pool.run(init, { transferList: [init.port] }) as Promise<void>;
    run.then(resolve, reject).finally(() => pool.off('workerDestroy', onDestroy));
  });
}

function startError(error: Error): NodeError {
  return new NodeError('ERR_PAW_WORKER', `worker failed: ${error.message}`, { cause: error });
}
