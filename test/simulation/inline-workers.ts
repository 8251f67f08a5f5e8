/**
 * The workers of a simulated node, of which it has one: a `WorkerCore`, run on the simulation's only thread a moment after
 * it is woken, as a thread would be. It dies when it is told to, at one of its looks at the clock, and another takes over.
 */

import type { Connection } from '../../src/main/net/connection.js';
import { Takeover } from '../../src/main/pool/takeover.js';
import { WorkerBuffers } from '../../src/main/pool/worker-buffers.js';
import type { WorkerGroupEvents, WorkerGroupOptions } from '../../src/main/pool/worker-group.js';
import type { Workers } from '../../src/main/pool/workers.js';
import type { Timers } from '../../src/main/timers.js';
import type { Clock } from '../../src/shared/clock.js';
import { sinceSharedMs } from '../../src/shared/clock.js';
import { NodeError } from '../../src/shared/errors.js';
import type { HandlerModule } from '../../src/shared/handler.js';
import type { Arena } from '../../src/shared/memory/arena.js';
import { Slot, Worker } from '../../src/shared/memory/arena-layout.js';
import type { MemoryBudget } from '../../src/shared/memory/memory-budget.js';
import { EntryState, EntryWord, openEntries } from '../../src/shared/memory/queue-segment.js';
import { ReadyQueue } from '../../src/shared/memory/ready-queue.js';
import { SeenTable } from '../../src/shared/memory/seen-table.js';
import type { Sleep } from '../../src/shared/memory/signal.js';
import type { Policy, RelayedType } from '../../src/shared/policy.js';
import { WorkerCore } from '../../src/workers/worker-core.js';

const nothing = () => undefined;

/** A death of the worker, thrown where it looks at the clock and through everything; also where nobody is left to catch it. */
export class Death extends Error {}

/** Time until a woken thread runs. */
const WAKE_MS = [0.05, 0.5] as const;
/** How often connections that wait for memory or a queue are tried again, as `worker.ts` has it. */
const RETRY_MS = 20;
const ONLY = 0;
const MAX_FREE_BYTES = 64 * 1024;
/** From a death until its replacement is up. */
const REPLACED_MS = [1, 200] as const;

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
  readonly events: WorkerGroupEvents;
  readonly sleep: LocalSleep;
  /** What is loaded into a worker; `afterMs` calls back unless that one is dead by then. */
  handlers(afterMs: (ms: number, run: () => void) => void): HandlerModule;
  /** The main thread takes what is in the outbound ring, as it would at the same time on its own core. */
  drain(): void;
  /** A handler has thrown. */
  failed(type: string, error: unknown): void;
}

export class InlineWorkers implements Workers {
  policies: Readonly<Record<string, Policy>> = {};
  readonly size = 1;
  readonly #parts: InlineParts;
  readonly #ready: ReadyQueue;
  readonly #seen: SeenTable;
  readonly #asides = new WorkerBuffers();
  readonly #segments = new WorkerBuffers();
  readonly #takeover: Takeover<Connection>;
  readonly #subscriptions = new Set<string>();
  #relay: readonly RelayedType[];
  /** Null from a death until another is up. */
  #core: WorkerCore | null = null;
  /** Of that worker; over when it has died, which the main thread may not have heard yet. */
  #life = { isOver: true };
  #connections = 0;
  #restarts = 0;
  /** Looks at the clock that it will yet live to see. */
  #looksLeft = Number.POSITIVE_INFINITY;
  /** The frame that was in hand at the last death. */
  #suspect: string | null = null;
  #isCalled = false;
  #isRunning = false;
  #isRetrying = false;
  #stopped = false;

  constructor(parts: InlineParts) {
    const { arena, budget, options, events } = parts;
    const { pinnedTo, released, poisoned } = events;
    this.#parts = parts;
    this.#relay = options.relay;
    this.#ready = new ReadyQueue(arena, ONLY);
    this.#seen = new SeenTable(arena, arena.layout.geometry.workers);
    this.#takeover = new Takeover({
      arena,
      budget,
      worker: ONLY,
      ready: this.#ready,
      asides: this.#asides,
      segments: this.#segments,
      pinned: () => pinnedTo(ONLY),
      released,
      poisoned,
    });
  }

  get liveCount(): number {
    return this.#core === null ? 0 : 1;
  }

  /** The worker dies at one of its next looks at the clock: so many it still takes. */
  kill(looksLeft: number): void {
    this.#looksLeft = looksLeft;
  }

  #build(): WorkerCore {
    const { arena, budget, clock, timers, options, failed, sleep, drain } = this.#parts;
    const life = { isOver: false };
    this.#life = life;
    // What a worker had still to do when it died is no business of the next.
    const unlessDead = (run: () => void) => () => {
      if (!life.isOver) run();
    };
    const core: WorkerCore = new WorkerCore({
      arena,
      worker: ONLY,
      clock: { nowMs: () => this.#look(life), wallMs: () => clock.wallMs() },
      later: {
        afterTurn: (run) => void timers.after(0, unlessDead(run)),
        afterMs: (ms, run) => void timers.after(ms, unlessDead(run)),
      },
      budget,
      gossipKey: options.gossipKey,
      sendQueueBytes: options.sendQueueBytes,
      maxFreeBytes: MAX_FREE_BYTES,
      asides: this.#asides.all,
      segments: this.#segments.all,
      log: { debug: nothing, info: nothing, warn: nothing, error: nothing },
      onAside: (id, buffer) => this.#asides.set(id, buffer),
      onSegment: (id, buffer) => this.#segments.set(id, buffer),
      onError: failed,
      onPolicies: () => undefined,
      onQueueMoved: () => this.#moved(),
      afterSend: () => {
        if (!core.pipeline.inTurn) queueMicrotask(unlessDead(() => core.pipeline.flush()));
      },
      encodeOpaque: () => {
        throw new Error('nothing is published in a simulation');
      },
      // Here nothing is told: it is done at once.
      takeCommands: nothing,
      raiseMain: () => sleep.raise(),
      drainMain: drain,
    });
    core.registry.relay(this.#relay);
    core.registry.declare(options.types);
    core.registry.adopt(this.#parts.handlers((ms, run) => void timers.after(ms, unlessDead(run))));
    for (const type of this.#subscriptions) core.registry.subscribe(type, true);
    core.adoptQueues();
    this.policies = core.registry.policies();
    return core;
  }

  #look(life: { isOver: boolean }): number {
    if (!life.isOver && (this.#looksLeft-- > 0 || this.#wouldAccuse())) return this.#parts.clock.nowMs();
    const death = new Death('killed by the plan');
    // In a turn, or in a handler that goes on after a wait: the main thread hears of it later.
    if (!life.isOver) this.#parts.timers.soon(() => this.#die(death));
    life.isOver = true;
    throw death;
  }

  /**
   * Whether what is at work was so when the last one died: a second death by chance would rightly be held against its
   * sender, so that one comes a little later.
   */
  #wouldAccuse(): boolean {
    const inHand = this.#frameInHand();
    if (inHand !== null && inHand === this.#suspect) return true;
    for (const segment of this.#segments.all.values()) {
      const words = new Int32Array(segment);
      for (const at of openEntries(words)) {
        const state = words[at + EntryWord.State];
        const isAtWork = state === EntryState.Starting || state === EntryState.Running;
        if (isAtWork && words[at + EntryWord.Deaths] > 0) return true;
      }
    }
    return false;
  }

  #frameInHand(): string | null {
    const { words, layout } = this.#parts.arena;
    const slot = words[layout.worker(ONLY) + Worker.InHand] - 1;
    if (slot < 0) return null;
    const control = layout.slot(slot);
    return `${slot} ${words[control + Slot.Generation]} ${words[control + Slot.Progress]}`;
  }

  /** As WorkerGroup does; and a moment later the replacement is up. */
  #die(death: Death): void {
    const { events, timers, random } = this.#parts;
    this.#core = null;
    this.#suspect = this.#frameInHand();
    this.#looksLeft = Number.POSITIVE_INFINITY;
    this.#seen.recover(ONLY);
    events.died(ONLY, death, death.message);
    this.#takeover.run();
    timers.after(REPLACED_MS[0] + random() * (REPLACED_MS[1] - REPLACED_MS[0]), () => {
      if (this.#stopped) return;
      this.#core = this.#build();
      this.#restarts++;
      this.#core.startQueues();
      events.replaced(ONLY, death.message);
      this.#runSoon();
    });
  }

  async start(): Promise<void> {
    const { options } = this.#parts;
    if (options.handlers.length > 0) throw new NodeError('ERR_PAW_HANDLER_MODULE', 'a simulated node loads no modules');
    this.#core = this.#build();
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
    if (wanted) this.#subscriptions.add(type);
    else this.#subscriptions.delete(type);
    this.#core?.registry.subscribe(type, wanted);
    this.#moved();
  }

  relay(relay: readonly RelayedType[]): void {
    this.#relay = relay;
    if (this.#core === null) return;
    this.#core.registry.relay(relay);
    this.policies = this.#core.registry.policies();
    this.#moved();
  }

  spareMemory(): void {
    this.#core?.spareMemory();
  }

  connections(): number {
    return this.#connections;
  }

  restarts(): number {
    return this.#restarts;
  }

  isLive(): boolean {
    return this.#core !== null;
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
    const pipeline = this.#core?.pipeline;
    if (pipeline?.hasWaiting) pipeline.retryWaiting();
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
    if (this.#stopped || this.#core === null || this.#life.isOver) return;
    const { pipeline } = this.#core;
    try {
      pipeline.turn();
    } catch (error) {
      if (error instanceof Death) return;
      throw error;
    }
    if (pipeline.hasWaiting) this.#retryLater();
    if (pipeline.hasWork) this.#runSoon();
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
