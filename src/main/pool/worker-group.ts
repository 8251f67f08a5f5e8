/**
 * The worker threads: starts them, pins connections to them, replaces one that dies. Main thread. Piscina runs each as
 * one endless task, in a pool of its own: a pool never starts a thread again after one died before it was ready, and so
 * such a pool is given up without the other workers noticing. A spare pool, whose thread has loaded all but the handlers,
 * stands ready: a thread takes longer to start than peers may be kept waiting. A replacement goes on where the cursors of
 * the one before it stand: sockets stay up, what finished frames caused is published, the frame in hand is dispatched
 * again, and skipped if it kills a second time.
 */
import { MessageChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { type Clock, sinceSharedMs } from '../../shared/clock.js';
import { NodeError } from '../../shared/errors.js';
import type { Arena } from '../../shared/memory/arena.js';
import { Slot, Worker } from '../../shared/memory/arena-layout.js';
import { addCounter } from '../../shared/memory/counters.js';
import { heapWeight } from '../../shared/memory/heap-weight.js';
import { type MemoryBudget, TrackedAllowance } from '../../shared/memory/memory-budget.js';
import { openEntries } from '../../shared/memory/queue-segment.js';
import { ReadyQueue } from '../../shared/memory/ready-queue.js';
import { SeenTable } from '../../shared/memory/seen-table.js';
import { Signal } from '../../shared/memory/signal.js';
import type { Policy, PolicyDeclaration, RelayedType } from '../../shared/policy.js';
import type { WorkerCommand, WorkerInit, WorkerNotice } from '../../shared/worker-protocol.js';
import { formatDuration } from '../config/duration.js';
import type { Connection } from '../net/connection.js';
import { deathReason } from './death-reason.js';
import { giveUpFrom, takeOverQueues } from './queue-takeover.js';
import { Watchdog } from './watchdog.js';
import type { Workers } from './workers.js';

/** A worker that dies so often in a row before it is ready is started again only after a while. */
const QUICK_STARTS = 5;
const START_DELAY_MS = 100;
const MAX_START_DELAY_MS = 5000;
/** How often workers are looked at that might hang: a tenth of what they may, and at least this often. */
const LOOK_EVERY_MS_MAX = 50;
/** The spare is started a while after the node, which has better to do at first, and which may be a short-lived one. */
const SPARE_AFTER_MS = 500;
const MIB = 1024 * 1024;
/** How often a group that stops looks whether its time is up. */
const STOP_LOOK_MS = 50;

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
  /** Buffers of frames that are assembled aside, by ID; and beside each what V8 counts for it. */
  readonly asides: Map<number, SharedArrayBuffer>;
  /** The same of messages that wait for queued handlers; their weights stand under the negative ID. */
  readonly segments: Map<number, SharedArrayBuffer>;
  readonly asideWeights: Map<number, ArrayBuffer>;
  readonly ready: ReadyQueue;
  readonly signal: Signal;
  task: Promise<void>;
  alive: boolean;
  connections: number;
  restarts: number;
  /** Deaths in a row before it was ready. */
  failedStarts: number;
  startTimer: NodeJS.Timeout | undefined;
  /** Where the last death found a frame in hand. */
  suspect: { readonly slot: number; readonly generation: number; readonly position: number } | null;
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
  readonly #budget: MemoryBudget;
  readonly #options: WorkerGroupOptions;
  readonly #events: WorkerGroupEvents;
  readonly #members: Member[];
  readonly #seen: SeenTable;
  readonly #subscriptions = new Set<string>();
  #relay: readonly RelayedType[];
  readonly #clock: Clock;
  readonly #watchdog: Watchdog;
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
    this.#budget = budget;
    this.#options = options;
    this.#relay = options.relay;
    this.#events = events;
    this.#seen = new SeenTable(arena, workers);
    this.#members = Array.from({ length: workers }, (_, worker) => ({
      pool: null,
      port: null,
      asides: new Map(),
      segments: new Map(),
      asideWeights: new Map(),
      ready: new ReadyQueue(arena, worker),
      signal: new Signal(arena.words, arena.layout.worker(worker) + Worker.Signal),
      task: Promise.resolve(),
      alive: false,
      connections: 0,
      restarts: 0,
      failedStarts: 0,
      startTimer: undefined,
      suspect: null,
      isCalled: false,
      ended: null,
      deathReason: null,
    }));
    this.#watchdog = new Watchdog(workers, clock.nowMs());
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
    return this.#members.filter((member) => member.alive).length;
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
    for (const worker of this.#watchdog.look(pulses, this.#clock.nowMs(), limitMs)) {
      const member = this.#members[worker];
      member.ended = `hangs for ${formatDuration(limitMs)}`;
      for (const thread of member.pool?.threads ?? []) void thread.terminate();
    }
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

  isLive(worker: number): boolean {
    return this.#members[worker].alive;
  }

  /** Since a worker's last turn began. */
  silentMs(worker: number, nowMs: number): number {
    const { words, layout } = this.#arena;
    return sinceSharedMs(nowMs, Atomics.load(words, layout.worker(worker) + Worker.HeartbeatMs));
  }

  /** The connection whose frames a worker is at, `gone` if it has left its slot; null for none. */
  inHand(worker: number): Connection | 'gone' | null {
    const { words, layout } = this.#arena;
    const slot = Atomics.load(words, layout.worker(worker) + Worker.InHand) - 1;
    if (slot < 0) return null;
    return this.#events.pinnedTo(worker).find(({ seat }) => seat?.slot === slot) ?? 'gone';
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
    await Promise.all([this.#spare, ...this.#members.map((member) => member.pool)].map((pool) => pool?.destroy()));
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
      asides: member.asides,
      segments: member.segments,
    };
    return new Promise((resolve, reject) => {
      port1.on('message', (notice: WorkerNotice) => {
        if (notice.kind === 'ready') {
          member.alive = true;
          member.failedStarts = 0;
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
          member.deathReason ??= reason;
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
    const { asides, asideWeights, segments } = this.#members[worker];
    const buffers = notice.kind === 'aside' ? asides : segments;
    const key = notice.kind === 'aside' ? notice.id : -notice.id;
    if (notice.buffer === null) {
      buffers.delete(notice.id);
      asideWeights.delete(key);
    } else {
      buffers.set(notice.id, notice.buffer);
      asideWeights.set(key, heapWeight(notice.buffer.byteLength));
    }
  }

  #replace(worker: number, error: Error, reason: string): void {
    const member = this.#members[worker];
    member.restarts++;
    // First of all: others may be waiting for it.
    this.#seen.recover(worker);
    this.#takeNotices(worker);
    this.#events.died(worker, error, reason);
    this.#takeOver(worker);
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

  /** Puts shared memory into the state that a replacement starts from. No thread runs for this worker now. */
  #takeOver(worker: number): void {
    const { words, layout } = this.#arena;
    const member = this.#members[worker];
    const block = layout.worker(worker);
    this.#takeOverQueues(worker);
    this.#findPoison(worker);
    member.ready.reset();
    // Asleep or not, the thread that said so is gone, and the next one begins awake.
    member.signal.unpark();
    const inUse = new Set<number>();
    // Microseconds modulo 2^32, as the ready queue takes them.
    const lastSeenUs = Math.imul(words[block + Worker.HeartbeatMs], 1000);
    for (const connection of this.#events.pinnedTo(worker)) {
      const { slot, generation } = connection.seat!;
      const control = layout.slot(slot);
      if (words[control + Slot.Released] === generation) {
        // The record that says so may have died with the thread.
        this.#events.released(connection);
        continue;
      }
      // The main thread lets go of such a one by itself: nobody here may hear of it.
      if (!connection.isHeard) continue;
      inUse.add(words[control + Slot.AsideId]);
      words[control + Slot.QueuedBytes] = 0;
      Atomics.store(words, control + Slot.ReadCursor, words[control + Slot.Progress]);
      Atomics.store(words, control + Slot.Queued, 0);
      member.ready.push(slot, lastSeenUs);
      this.#resumeOrWait(connection, control);
    }
    let keptBytes = 0;
    for (const [id, buffer] of member.asides) {
      if (inUse.has(id)) {
        keptBytes += buffer.byteLength;
        continue;
      }
      member.asides.delete(id);
      member.asideWeights.delete(id);
    }
    // Also what the thread took and had told nobody of.
    new TrackedAllowance(this.#budget, words, block + Worker.AsideKib).forfeit(keptBytes);
  }

  /** What waited for queued handlers waits for those of the replacement. Before anything of the connections changes. */
  #takeOverQueues(worker: number): void {
    const { words, layout } = this.#arena;
    const { segments, asideWeights } = this.#members[worker];
    const block = layout.worker(worker);
    const isFrameInHand = words[block + Worker.InHand] !== 0;
    const queues = takeOverQueues(segments.values(), this.#arena, worker, isFrameInHand);
    let givenUp = queues.doubtful;
    let { waiting } = queues;
    for (const sender of queues.poisoned) {
      addCounter(words, layout.workerCounter(worker, 'droppedPoisoned'), 1);
      if (!this.#events.poisoned(sender.slot, sender.generation)) continue;
      const messages = giveUpFrom(sender, segments.values(), this.#arena, worker);
      givenUp += messages;
      waiting -= messages;
    }
    if (givenUp > 0) addCounter(words, layout.workerCounter(worker, 'queueDropped'), givenUp);
    Atomics.store(words, block + Worker.QueuedMessages, waiting);
    let keptBytes = 0;
    for (const [id, buffer] of segments) {
      if (openEntries(new Int32Array(buffer)).length > 0) keptBytes += buffer.byteLength;
      else {
        segments.delete(id);
        asideWeights.delete(-id);
      }
    }
    // Also what the thread took and had told nobody of.
    new TrackedAllowance(this.#budget, words, block + Worker.QueuedKib).forfeit(keptBytes);
  }

  /**
   * A paused socket is read on if half of its ring is free, as the worker would have said: its word may have died with
   * it. Otherwise the replacement gets to say it.
   */
  #resumeOrWait(connection: Connection, control: number): void {
    if (!connection.paused) return;
    const { ring } = connection.seat!;
    const hasRoom = ring.free >= ring.capacity / 2;
    Atomics.store(this.#arena.words, control + Slot.ReadPaused, hasRoom ? 0 : 1);
    if (hasRoom) connection.resume();
  }

  /** A frame that was in hand at two deaths in a row is armed to be skipped. */
  #findPoison(worker: number): void {
    const { words, layout } = this.#arena;
    const member = this.#members[worker];
    const inHand = layout.worker(worker) + Worker.InHand;
    const slot = words[inHand] - 1;
    words[inHand] = 0;
    if (slot < 0) return;
    const control = layout.slot(slot);
    const generation = words[control + Slot.Generation];
    const position = words[control + Slot.Progress];
    const { suspect } = member;
    member.suspect = { slot, generation, position };
    if (suspect?.slot !== slot || suspect.generation !== generation || suspect.position !== position) return;
    words[control + Slot.SkipAt] = position;
    words[control + Slot.SkipArmed] = 1;
    member.suspect = null;
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
