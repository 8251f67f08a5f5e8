/** One worker without its thread: a pipeline and its parts on an arena that outlives it, as the main thread sees it. */
import { type QueueTakeover, takeOverQueues } from '../../../src/main/pool/queue-takeover.js';
import type { HandlerModule } from '../../../src/shared/handler.js';
import type { Arena } from '../../../src/shared/memory/arena.js';
import { Slot, Worker, type WorkerCounter } from '../../../src/shared/memory/arena-layout.js';
import type { ByteRing } from '../../../src/shared/memory/byte-ring.js';
import { readCounter } from '../../../src/shared/memory/counters.js';
import { type MemoryBudget, TrackedAllowance } from '../../../src/shared/memory/memory-budget.js';
import { OutboundReader, OutboundWriter, RecordKind } from '../../../src/shared/memory/outbound-ring.js';
import { heldBy, openEntries } from '../../../src/shared/memory/queue-segment.js';
import { ReadyQueue } from '../../../src/shared/memory/ready-queue.js';
import { TypeTable } from '../../../src/shared/memory/type-table.js';
import type { RelayedType } from '../../../src/shared/policy.js';
import { AsideStore } from '../../../src/workers/aside-store.js';
import { Sender } from '../../../src/workers/context.js';
import { Dispatcher } from '../../../src/workers/dispatcher.js';
import { FrameDecoder } from '../../../src/workers/frame-decoder.js';
import { Gossip } from '../../../src/workers/gossip.js';
import { HandlerQueue } from '../../../src/workers/handler-queue.js';
import { HandlerRegistry, newRoute, type Route, unknownRoute } from '../../../src/workers/handler-registry.js';
import { Outbox } from '../../../src/workers/outbox.js';
import { Pipeline } from '../../../src/workers/pipeline.js';
import { QueueGate } from '../../../src/workers/queue-gate.js';
import { QueueLog } from '../../../src/workers/queue-log.js';
import { TypeInterner } from '../../../src/workers/type-interner.js';
import { FakeClock, fill, MIB, makeArena, openSlot } from './stage.js';

/** A death of the worker, thrown out of a handler and through everything. */
export class Death extends Error {}

const log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

export interface StageOptions {
  readonly slots?: number;
  readonly ringBytes?: number;
  readonly outboundBytes?: number;
  /** What the memory budget has beside the arena. */
  readonly budgetBytes?: number;
  readonly sendQueueBytes?: number;
  readonly subscriptions?: readonly string[];
  readonly relay?: readonly RelayedType[];
  /** Called when the outbound ring is full, before the writer waits. */
  readonly onFull?: (stage: Stage) => void;
  /** Called when the main thread would be told that a buffer was given up. */
  readonly onAsideGone?: () => void;
}

/** The parts of one worker around a pipeline, on an arena that outlives it. */
export class Stage {
  readonly arena: Arena;
  readonly budget: MemoryBudget;
  readonly clock = new FakeClock();
  readonly rings: ByteRing[] = [];
  readonly reader: OutboundReader;
  readonly queue: ReadyQueue;
  readonly asides = new Map<number, SharedArrayBuffer>();
  readonly segments = new Map<number, SharedArrayBuffer>();
  /** What handlers threw. */
  readonly errors: unknown[] = [];
  pipeline!: Pipeline;
  registry!: HandlerRegistry;
  sender!: Sender;
  types!: TypeInterner<Route>;
  /** Those of the next worker. */
  handlers: HandlerModule;
  readonly #options: StageOptions;

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
    this.build();
  }

  /** A worker, or its replacement. */
  build(): void {
    const { arena, budget } = this;
    const { sendQueueBytes = 2 ** 24, subscriptions = [], onFull, onAsideGone } = this.#options;
    const block = arena.layout.worker(0);
    const table = new TypeTable(arena, 0);
    const types = new TypeInterner<Route>((name) => table.intern(name), unknownRoute);
    const ring = new OutboundWriter(arena, 0, () => {
      if (onFull === undefined) throw new Error('outbound ring full');
      onFull(this);
    });
    const outbox = new Outbox(arena, 0, ring, sendQueueBytes, budget);
    const gossip = new Gossip({ arena, worker: 0, clock: this.clock, key: new Uint8Array(32) });
    gossip.seen.forgetHeld(heldBy(this.segments.values()));
    const parts = { worker: 0, log, outbox, gossip, types };
    const encodeOpaque = () => new Uint8Array(0);
    const sender = new Sender({ ...parts, encodeOpaque, afterSend: () => undefined });
    const queueBudget = new TrackedAllowance(budget, arena.words, block + Worker.QueuedKib);
    const store = new AsideStore(queueBudget, 64 * 1024, (id, buffer) => {
      if (buffer === null) this.segments.delete(id);
      else this.segments.set(id, buffer);
    });
    const gate = new QueueGate();
    const keep = () => ring.markProgress();
    const logParts = { arena, worker: 0, store, seen: gossip.seen, keep };
    const registry = new HandlerRegistry(types, (type, policy) => {
      const onError = (error: unknown) => void this.errors.push(error);
      const addWaiting = (messages: number) => Atomics.add(arena.words, block + Worker.QueuedMessages, messages);
      // A worker that died takes its queues along: what ends later is no business of its replacement.
      const onDone = () => void (this.registry === registry && this.pipeline.retryWaiting());
      const took = (ms: number) => table.addHandled(table.intern(type), ms * 1000, 1);
      const log = new QueueLog(types.declare(type, newRoute).bytes, logParts);
      return new HandlerQueue({ policy, log, gate, onError, addWaiting, onDone, clock: this.clock, took });
    });
    registry.relay(this.#options.relay ?? []);
    registry.adopt(this.handlers);
    for (const type of subscriptions) registry.subscribe(type, true);
    const announce = (id: number, buffer: SharedArrayBuffer | null) => {
      if (buffer !== null) this.asides.set(id, buffer);
      else this.asides.delete(id);
      if (buffer === null) onAsideGone?.();
    };
    const onError = (_: string, error: unknown) => {
      if (error instanceof Death) throw error;
      this.errors.push(error);
    };
    const pong = types.declare('pong', () => unknownRoute);
    const dispatcher = new Dispatcher({ arena, worker: 0, sender, types, pong, onError });
    gate.isolate(dispatcher.adoptQueues(this.segments, store));
    gate.startAll();
    this.registry = registry;
    this.sender = sender;
    this.types = types;
    this.pipeline = new Pipeline({
      arena,
      worker: 0,
      clock: this.clock,
      ring,
      outbox,
      gossip,
      types,
      table,
      decoder: new FrameDecoder(arena, 0, new AsideStore(budget, 16 * MIB, announce), types),
      dispatcher,
      raiseMain: () => undefined,
      asides: this.asides,
    });
  }

  /** What becomes of queued messages if the worker dies now. */
  takeOverQueues(): QueueTakeover {
    const isFrameInHand = this.arena.words[this.arena.layout.worker(0) + Worker.InHand] !== 0;
    return takeOverQueues(this.segments.values(), this.arena, 0, isFrameInHand);
  }

  /** As WorkerGroup does when a worker died; `poisoned` are the slots whose frame at hand is to be skipped. */
  takeOver(poisoned: readonly number[] = []): QueueTakeover {
    const { words, layout } = this.arena;
    this.reader.recover();
    const queues = this.takeOverQueues();
    let keptBytes = 0;
    for (const [id, buffer] of this.segments) {
      if (openEntries(new Int32Array(buffer)).length > 0) keptBytes += buffer.byteLength;
      else this.segments.delete(id);
    }
    new TrackedAllowance(this.budget, words, layout.worker(0) + Worker.QueuedKib).forfeit(keptBytes);
    words[layout.worker(0) + Worker.QueuedMessages] = queues.waiting;
    words[layout.worker(0) + Worker.InHand] = 0;
    this.queue.reset();
    const inUse = new Set<number>();
    for (const slot of this.rings.keys()) {
      const control = layout.slot(slot);
      if (words[control + Slot.Released] === words[control + Slot.Generation]) continue;
      inUse.add(words[control + Slot.AsideId]);
      words[control + Slot.ReadCursor] = words[control + Slot.Progress];
      words[control + Slot.Queued] = 0;
      if (poisoned.includes(slot)) {
        words[control + Slot.SkipAt] = words[control + Slot.Progress];
        words[control + Slot.SkipArmed] = 1;
      }
      this.queue.push(slot, 0);
    }
    for (const [id, buffer] of this.asides) {
      if (inUse.has(id)) continue;
      this.asides.delete(id);
      this.budget.release(buffer.byteLength);
    }
    this.build();
    return queues;
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
