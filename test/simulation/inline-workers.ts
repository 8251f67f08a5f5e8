/**
 * One worker of a simulated node: the pipeline of `src/workers`, run on the simulation's only thread a moment after it is
 * woken, as a thread would be.
 */
import type { WorkerGroupOptions } from '../../src/main/pool/worker-group.js';
import type { Workers } from '../../src/main/pool/workers.js';
import type { Timers } from '../../src/main/timers.js';
import type { Clock } from '../../src/shared/clock.js';
import { sinceSharedMs } from '../../src/shared/clock.js';
import { NodeError } from '../../src/shared/errors.js';
import type { Arena } from '../../src/shared/memory/arena.js';
import { Worker } from '../../src/shared/memory/arena-layout.js';
import type { MemoryBudget } from '../../src/shared/memory/memory-budget.js';
import { ReadyQueue } from '../../src/shared/memory/ready-queue.js';
import type { Sleep } from '../../src/shared/memory/signal.js';
import type { Policy, RelayedType } from '../../src/shared/policy.js';
import type { HandlerRegistry } from '../../src/workers/handler-registry.js';
import type { Pipeline } from '../../src/workers/pipeline.js';
import { WorkerCore } from '../../src/workers/worker-core.js';

const nothing = () => undefined;

/** Time until a woken thread runs. */
const WAKE_MS = [0.05, 0.5] as const;
/** How often connections that wait for memory or a queue are tried again, as `worker.ts` has it. */
const RETRY_MS = 20;
const ONLY = 0;
const MAX_FREE_BYTES = 64 * 1024;

/** How the pump sleeps where nobody else has a thread: whoever raises it runs it a moment later. */
export class LocalSleep implements Sleep {
  #wake: (() => void) | null = null;

  park(): number {
    return 0;
  }

  unpark(): void {
    // Nobody sleeps who could be kept from it.
  }

  wait(): Promise<unknown> {
    return new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  raise(): void {
    this.#wake?.();
    this.#wake = null;
  }
}

export interface InlineParts {
  readonly arena: Arena;
  readonly budget: MemoryBudget;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: () => number;
  readonly options: WorkerGroupOptions;
  readonly sleep: LocalSleep;
  /** The main thread takes what is in the outbound ring, as it would at the same time on its own core. */
  drain(): void;
  /** A handler has thrown. */
  failed(type: string, error: unknown): void;
}

export class InlineWorkers implements Workers {
  policies: Readonly<Record<string, Policy>> = {};
  readonly size = 1;
  readonly liveCount = 1;
  readonly #parts: InlineParts;
  readonly #ready: ReadyQueue;
  readonly #registry: HandlerRegistry;
  readonly #pipeline: Pipeline;
  readonly #core: WorkerCore;
  #connections = 0;
  #isCalled = false;
  #isRunning = false;
  #isRetrying = false;
  #stopped = false;

  constructor(parts: InlineParts) {
    const { arena, budget, clock, timers, options } = parts;
    this.#parts = parts;
    this.#ready = new ReadyQueue(arena, ONLY);
    const asides = new Map<number, SharedArrayBuffer>();
    this.#core = new WorkerCore({
      arena,
      worker: ONLY,
      clock,
      later: {
        afterTurn: (callback) => void timers.after(0, callback),
        afterMs: (ms, callback) => void timers.after(ms, callback),
      },
      budget,
      gossipKey: options.gossipKey,
      sendQueueBytes: options.sendQueueBytes,
      maxFreeBytes: MAX_FREE_BYTES,
      asides,
      segments: new Map(),
      log: { debug: nothing, info: nothing, warn: nothing, error: nothing },
      onAside: (id, buffer) => {
        if (buffer === null) asides.delete(id);
        else asides.set(id, buffer);
      },
      onSegment: nothing,
      onError: parts.failed,
      onQueueMoved: () => this.#moved(),
      afterSend: () => {
        if (!this.#pipeline.inTurn) queueMicrotask(() => this.#pipeline.flush());
      },
      encodeOpaque: () => {
        throw new Error('nothing is published in a simulation');
      },
      raiseMain: () => parts.sleep.raise(),
      drainMain: parts.drain,
    });
    this.#registry = this.#core.registry;
    this.#pipeline = this.#core.pipeline;
  }

  async start(): Promise<void> {
    const { options } = this.#parts;
    if (options.handlers.length > 0) throw new NodeError('ERR_PAW_HANDLER_MODULE', 'a simulated node loads no modules');
    this.#registry.relay(options.relay);
    this.#registry.declare(options.types);
    this.policies = this.#registry.policies();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
  }

  pin(): number {
    this.#connections++;
    return ONLY;
  }

  unpin(): void {
    this.#connections--;
  }

  ready(slot: number, _worker: number, nowUs: number, isFilling: boolean): void {
    if (this.#ready.push(slot, nowUs)) this.#isCalled = true;
    if (isFilling) this.wake();
  }

  wake(): void {
    if (!this.#isCalled) return;
    this.#isCalled = false;
    this.#runSoon();
  }

  watch(): void {
    // Its only thread can't watch itself hang.
  }

  subscribe(type: string, wanted: boolean): void {
    this.#registry.subscribe(type, wanted);
    this.#moved();
  }

  relay(relay: readonly RelayedType[]): void {
    this.#registry.relay(relay);
    this.policies = this.#registry.policies();
    this.#moved();
  }

  spareMemory(): void {
    this.#core.spareMemory();
  }

  connections(): number {
    return this.#connections;
  }

  restarts(): number {
    return 0;
  }

  isLive(): boolean {
    return true;
  }

  silentMs(_worker: number, nowMs: number): number {
    const { arena } = this.#parts;
    return sinceSharedMs(nowMs, arena.words[arena.layout.worker(ONLY) + Worker.HeartbeatMs]);
  }

  inHand(): null {
    return null;
  }

  queuedBy(): number {
    const { arena } = this.#parts;
    return arena.words[arena.layout.worker(ONLY) + Worker.QueuedMessages];
  }

  queuedMessages(): number {
    return this.queuedBy();
  }

  #moved(): void {
    if (this.#pipeline.hasWaiting) this.#pipeline.retryWaiting();
    this.#runSoon();
  }

  #runSoon(): void {
    if (this.#isRunning || this.#stopped) return;
    this.#isRunning = true;
    const { timers, random } = this.#parts;
    timers.after(WAKE_MS[0] + random() * (WAKE_MS[1] - WAKE_MS[0]), () => this.#run());
  }

  #run(): void {
    this.#isRunning = false;
    if (this.#stopped) return;
    this.#pipeline.turn();
    if (this.#pipeline.hasWaiting) this.#retryLater();
    if (this.#pipeline.hasWork) this.#runSoon();
  }

  #retryLater(): void {
    if (this.#isRetrying) return;
    this.#isRetrying = true;
    this.#parts.timers.after(RETRY_MS, () => {
      this.#isRetrying = false;
      this.#moved();
    });
  }
}
