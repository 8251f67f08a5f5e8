/** One worker without its thread: a pipeline and its parts on an arena that outlives it, as the main thread sees it. */
import { type QueueTakeover, type Sender, takeOverQueues } from '../../../src/main/pool/queue-takeover.js';
import { type Pinned, Takeover } from '../../../src/main/pool/takeover.js';
import { WorkerBuffers } from '../../../src/main/pool/worker-buffers.js';
import type { DeclaredHandler, Handler, HandlerModule } from '../../../src/shared/handler.js';
import type { Arena } from '../../../src/shared/memory/arena.js';
import { Slot, Worker, type WorkerCounter } from '../../../src/shared/memory/arena-layout.js';
import type { ByteRing } from '../../../src/shared/memory/byte-ring.js';
import { readCounter } from '../../../src/shared/memory/counters.js';
import type { MemoryBudget } from '../../../src/shared/memory/memory-budget.js';
import { OutboundReader, RecordKind } from '../../../src/shared/memory/outbound-ring.js';
import { ReadyQueue } from '../../../src/shared/memory/ready-queue.js';
import type { RelayedType } from '../../../src/shared/policy.js';
import { encodeValue } from '../../../src/shared/wire/msgpack.js';
import type { HandlerRegistry } from '../../../src/workers/handler-registry.js';
import type { Pipeline } from '../../../src/workers/pipeline.js';
import { WorkerCore } from '../../../src/workers/worker-core.js';
import { FakeClock, fill, MIB, makeArena, openSlot } from './stage.js';

/** A death of the worker, thrown out of a handler and through everything. */
export class Death extends Error {}

const nothing = () => undefined;

export interface StageOptions {
  readonly slots?: number;
  readonly ringBytes?: number;
  readonly outboundBytes?: number;
  /** What the memory budget has beside the arena. */
  readonly budgetBytes?: number;
  readonly sendQueueBytes?: number;
  readonly subscriptions?: readonly string[];
  readonly relay?: readonly RelayedType[];
  /** Called when a handler turns out to run in another way than was said. */
  readonly onPolicies?: () => void;
  /** Handlers that do not say how they run are left to show it; else they are declared. */
  readonly isFoundOut?: boolean;
  /** Called where the worker looks for commands of the main thread. */
  readonly takeCommands?: (stage: Stage) => void;
  /** Called when the outbound ring is full, before the writer waits. */
  readonly onFull?: (stage: Stage) => void;
  /** Called when the main thread would be told that a buffer was given up. */
  readonly onAsideGone?: () => void;
}

/** How a handler runs that does not say so is found out with its first message, which most tests are not about. */
function inlineUnlessSaid(module: HandlerModule): HandlerModule {
  const said = ([type, exported]: [string, Handler | DeclaredHandler]) => {
    const declared = typeof exported === 'function' ? { handler: exported } : exported;
    const mode = declared.handler.constructor.name === 'AsyncFunction' ? 'queued' : 'inline';
    return [type, { mode, ...declared }];
  };
  return Object.fromEntries(Object.entries(module).map(said));
}

/** The parts of one worker around a pipeline, on an arena that outlives it. */
export class Stage {
  readonly arena: Arena;
  readonly budget: MemoryBudget;
  readonly clock = new FakeClock();
  readonly rings: ByteRing[] = [];
  readonly reader: OutboundReader;
  readonly queue: ReadyQueue;
  readonly asides = new WorkerBuffers();
  readonly segments = new WorkerBuffers();
  /** What handlers threw. */
  readonly errors: unknown[] = [];
  core!: WorkerCore;
  /** Those of the next worker. */
  handlers: HandlerModule;
  readonly #options: StageOptions;
  #takeover: Takeover<Pinned>;
  #poisoned: Sender[] = [];

  constructor(handlers: HandlerModule, options: StageOptions = {}) {
    const { slots = 1, ringBytes = 4096, outboundBytes = 2 ** 18, budgetBytes = 64 * MIB } = options;
    const { arena, budget } = makeArena({ slots, ringBytes, outboundBytes }, budgetBytes);
    this.arena = arena;
    this.budget = budget;
    for (let slot = 0; slot < slots; slot++) this.rings.push(openSlot(arena, slot));
    this.reader = new OutboundReader(arena, 0);
    this.queue = new ReadyQueue(arena, 0);
    this.handlers = handlers;
    this.#options = options;
    this.#takeover = this.#newTakeover();
    this.build();
  }

  /** A worker, or its replacement. */
  build(): void {
    const {
      sendQueueBytes = 2 ** 24,
      subscriptions = [],
      relay = [],
      onFull,
      onAsideGone,
      takeCommands,
      onPolicies = nothing,
      isFoundOut = false,
    } = this.#options;
    const core = new WorkerCore({
      arena: this.arena,
      worker: 0,
      clock: this.clock,
      later: { afterTurn: setImmediate, afterMs: (ms, callback) => void setTimeout(callback, ms) },
      budget: this.budget,
      gossipKey: new Uint8Array(32),
      sendQueueBytes,
      maxFreeBytes: 16 * MIB,
      asides: this.asides.all,
      segments: this.segments.all,
      log: { debug: nothing, info: nothing, warn: nothing, error: nothing },
      onAside: (id, buffer) => {
        this.asides.set(id, buffer);
        if (buffer === null) onAsideGone?.();
      },
      onSegment: (id, buffer) => this.segments.set(id, buffer),
      onError: (_, error) => {
        if (error instanceof Death) throw error;
        this.errors.push(error);
      },
      // A worker that died takes its queues along: what ends later is no business of its replacement.
      onPolicies,
      onQueueMoved: () => void (this.core === core && this.pipeline.retryWaiting()),
      afterSend: nothing,
      encodeOpaque: (value) => encodeValue(value),
      takeCommands: () => takeCommands?.(this),
      raiseMain: nothing,
      drainMain: () => {
        if (onFull === undefined) throw new Error('outbound ring full');
        onFull(this);
      },
    });
    core.registry.relay(relay);
    core.registry.adopt(isFoundOut ? this.handlers : inlineUnlessSaid(this.handlers));
    for (const type of subscriptions) core.registry.subscribe(type, true);
    core.adoptQueues();
    this.core = core;
    core.startQueues();
  }

  get pipeline(): Pipeline {
    return this.core.pipeline;
  }

  get registry(): HandlerRegistry {
    return this.core.registry;
  }

  /** What becomes of queued messages if the worker dies now. */
  takeOverQueues(): QueueTakeover {
    const isFrameInHand = this.arena.words[this.arena.layout.worker(0) + Worker.InHand] !== 0;
    return takeOverQueues(this.segments.all.values(), this.arena, 0, isFrameInHand);
  }

  /**
   * The worker dies, and another takes its place, as in WorkerGroup.
   * @param isHeldAgainst whether what was in hand at the death before may be skipped for it
   * @returns messages that it finds in queues, and the connections whose messages are given up for this death
   */
  takeOver(isHeldAgainst = false): { waiting: number; poisoned: readonly Sender[] } {
    this.reader.recover();
    this.#poisoned = [];
    if (!isHeldAgainst) this.#takeover = this.#newTakeover();
    this.#takeover.run();
    const waiting = this.arena.words[this.arena.layout.worker(0) + Worker.QueuedMessages];
    this.build();
    return { waiting, poisoned: this.#poisoned };
  }

  #newTakeover(): Takeover<Pinned> {
    return new Takeover({
      arena: this.arena,
      budget: this.budget,
      worker: 0,
      ready: this.queue,
      asides: this.asides,
      segments: this.segments,
      pinned: () => this.#pinned(),
      released: nothing,
      poisoned: (slot, generation) => {
        this.#poisoned.push({ slot, generation });
        return false;
      },
    });
  }

  #pinned(): Pinned[] {
    const { words, layout } = this.arena;
    return this.rings.map((ring, slot) => {
      const seat = { slot, generation: words[layout.slot(slot) + Slot.Generation], ring };
      return { seat, isHeard: true, paused: false, resume: nothing };
    });
  }

  /** Lets bytes arrive. @returns how many there was room for */
  arrive(slot: number, bytes: Uint8Array): number {
    const took = fill(this.rings[slot], bytes);
    this.queue.push(slot, Math.trunc(this.clock.ms * 1000));
    return took;
  }

  /** Turns until nothing is left to do but what must wait. */
  turns(): void {
    for (let i = 0; this.pipeline.hasWork; i++) {
      if (i > 10_000) throw new Error('the pipeline never rests');
      this.pipeline.turn();
    }
    this.pipeline.flush();
  }

  setState(slot: number, state: number): void {
    this.arena.words[this.arena.layout.slot(slot) + Slot.State] = state;
    this.queue.push(slot, 0);
  }

  /** A counter of the worker. */
  count(name: WorkerCounter): number {
    return readCounter(this.arena.words, this.arena.layout.workerCounter(0, name));
  }

  /** A word of a slot's control block. */
  word(slot: number, word: number): number {
    return this.arena.words[this.arena.layout.slot(slot) + word];
  }

  /** What came out: frames as [slot, type, payload], commands as [kind, slot, code] with their data. */
  out(): { frames: [number, string, Buffer][]; commands: [number, number, number][]; data: Buffer[] } {
    const frames: [number, string, Buffer][] = [];
    const commands: [number, number, number][] = [];
    const data: Buffer[] = [];
    const view = Buffer.from(this.arena.buffer);
    while (this.reader.next()) {
      const { kind, a, type, dataOffset, dataBytes } = this.reader;
      if (kind !== RecordKind.Send) {
        commands.push([kind, a, type]);
        data.push(Buffer.from(view.subarray(dataOffset, dataOffset + dataBytes)));
        continue;
      }
      for (let at = dataOffset; at < dataOffset + dataBytes; ) {
        const end = at + 4 + view.readUInt32BE(at);
        const typeEnd = at + 6 + view.readUInt16BE(at + 4);
        frames.push([a, view.toString('utf8', at + 6, typeEnd), Buffer.from(view.subarray(typeEnd, end))]);
        at = end;
      }
    }
    this.reader.release();
    return { frames, commands, data };
  }
}
