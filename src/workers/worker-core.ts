/**
 * What a worker is made of, put together: all but its thread. `worker.ts` runs one on a thread of its own; the simulation
 * runs many on the only thread that it has. Owns no loop, no timer and no port.
 */
import type { Clock } from '../shared/clock.js';
import type { HandlerLog } from '../shared/handler.js';
import type { Arena } from '../shared/memory/arena.js';
import { Worker } from '../shared/memory/arena-layout.js';
import { Claim, type MemoryBudget, TrackedAllowance } from '../shared/memory/memory-budget.js';
import { OutboundWriter } from '../shared/memory/outbound-ring.js';
import { heldBy } from '../shared/memory/queue-segment.js';
import { TypeTable } from '../shared/memory/type-table.js';
import { ControlType } from '../shared/wire/message-type.js';
import { AsideStore } from './aside-store.js';
import { Sender } from './context.js';
import { Dispatcher } from './dispatcher.js';
import { FrameDecoder } from './frame-decoder.js';
import { Gossip } from './gossip.js';
import { HandlerQueue } from './handler-queue.js';
import { HandlerRegistry, newRoute, type Route, unknownRoute } from './handler-registry.js';
import { Outbox } from './outbox.js';
import { Pipeline } from './pipeline.js';
import { type Later, QueueGate } from './queue-gate.js';
import { QueueLog } from './queue-log.js';
import { TypeInterner } from './type-interner.js';

/** Of the free memory that is kept, so much for messages that wait for queued handlers. */
const QUEUES_SHARE = 1 / 2;

type Buffers = ReadonlyMap<number, SharedArrayBuffer>;
/** There is, or with null there is no longer, a buffer. */
type Announce = (id: number, buffer: SharedArrayBuffer | null) => void;

export interface WorkerCoreParts {
  readonly arena: Arena;
  readonly worker: number;
  readonly clock: Clock;
  readonly later: Later;
  readonly budget: MemoryBudget;
  /** Secret of this node, for the hashes of messages that it has seen, and of types. */
  readonly gossipKey: Uint8Array;
  readonly sendQueueBytes: number;
  /** Memory that is kept for the next large frames. */
  readonly maxFreeBytes: number;
  /** Buffers of half-assembled frames that the worker before this one left, by ID. */
  readonly asides: Buffers;
  /** The same of messages that waited for queued handlers. */
  readonly segments: Buffers;
  readonly log: HandlerLog;
  readonly onAside: Announce;
  readonly onSegment: Announce;
  /** Gets what handlers throw. */
  readonly onError: (type: string, error: unknown) => void;
  /** A handler turned out to run in another way than the policy table said. */
  readonly onPolicies: () => void;
  /** A queued handler is through, so that there may be room for who waits. */
  readonly onQueueMoved: () => void;
  /** Something was sent, in a turn or outside. */
  readonly afterSend: () => void;
  /** Encodes what handlers publish for the application. */
  readonly encodeOpaque: (value: unknown) => Uint8Array;
  /** Carries out what the main thread has told this worker, if it has told anything. */
  readonly takeCommands: () => void;
  /** The main thread has something to take. */
  readonly raiseMain: () => void;
  /** The outbound ring is full: the main thread must take from it now. */
  readonly drainMain: () => void;
}

export class WorkerCore {
  readonly types: TypeInterner<Route>;
  readonly registry: HandlerRegistry;
  readonly pipeline: Pipeline;
  readonly #dispatcher: Dispatcher;
  readonly #gate: QueueGate;
  readonly #inherited: Buffers;
  /** Memory of frames that are assembled aside, and of messages that wait for queued handlers. */
  readonly #asides: AsideStore;
  readonly #segments: AsideStore;

  constructor(parts: WorkerCoreParts) {
    const { arena, worker, clock, budget, onError } = parts;
    const block = arena.layout.worker(worker);
    const allowance = (word: number) => new TrackedAllowance(budget, arena.words, block + word, Claim.Inbound);
    const mayKeep = () => budget.hasRoom(Claim.Spare);
    const { maxFreeBytes } = parts;
    this.#asides = new AsideStore(allowance(Worker.AsideKib), maxFreeBytes, parts.onAside, mayKeep);
    this.#segments = new AsideStore(allowance(Worker.QueuedKib), maxFreeBytes * QUEUES_SHARE, parts.onSegment, mayKeep);
    this.#inherited = parts.segments;
    this.#gate = new QueueGate(clock, parts.later);
    const table = new TypeTable(arena, worker);
    const types = new TypeInterner<Route>((name) => table.intern(name), unknownRoute, parts.gossipKey);
    this.types = types;
    const ring = new OutboundWriter(arena, worker, parts.drainMain);
    const gossip = new Gossip({ arena, worker, clock, key: parts.gossipKey });
    gossip.seen.forgetHeld(heldBy(parts.segments.values()));
    const logParts = { arena, worker, store: this.#segments, seen: gossip.seen, keep: () => ring.markProgress() };
    this.registry = new HandlerRegistry(
      types,
      (type, policy, decided) => {
        const number = table.intern(type);
        return new HandlerQueue({
          policy,
          log: new QueueLog(types.declare(type, newRoute).bytes, logParts),
          gate: this.#gate,
          onError: (error) => onError(type, error),
          onDone: parts.onQueueMoved,
          addWaiting: (messages) => Atomics.add(arena.words, block + Worker.QueuedMessages, messages),
          clock,
          took: (ms) => table.addHandled(number, ms * 1000, 1),
          ...(decided && { decided }),
        });
      },
      parts.onPolicies,
    );
    const outbox = new Outbox(arena, worker, ring, parts.sendQueueBytes, budget);
    const { log, encodeOpaque, afterSend } = parts;
    const sender = new Sender({ worker, log, outbox, gossip, types, encodeOpaque, afterSend });
    const pong = types.declare(ControlType.pong, () => unknownRoute);
    this.#dispatcher = new Dispatcher({ arena, worker, sender, types, pong, onError });
    this.pipeline = new Pipeline({
      arena,
      worker,
      clock,
      ring,
      outbox,
      gossip,
      types,
      table,
      decoder: new FrameDecoder(arena, worker, this.#asides, types),
      dispatcher: this.#dispatcher,
      takeCommands: parts.takeCommands,
      raiseMain: parts.raiseMain,
      asides: parts.asides,
    });
  }

  /** Takes over the messages that the worker before this one left in its queues; once all handlers are known. */
  adoptQueues(): void {
    const suspects = this.#dispatcher.adoptQueues(this.#inherited, this.#segments);
    this.#gate.isolate(suspects);
  }

  /** Calls the handlers of adopted messages. */
  startQueues(): void {
    this.#gate.startAll();
  }

  /** Memory is short: gives back what is kept for later. */
  spareMemory(): void {
    this.#asides.clear();
    this.#segments.clear();
  }
}
