/**
 * Puts what a dead worker has left in shared memory into the state that its replacement starts from: connections go on
 * behind the last frame that is done, messages wait again for their queued handlers, and whatever brought the worker down
 * twice is not met a third time. Main thread, while no thread runs for the worker.
 */
import type { Arena } from '../../shared/memory/arena.js';
import { Slot, Worker } from '../../shared/memory/arena-layout.js';
import { addCounter } from '../../shared/memory/counters.js';
import { type MemoryBudget, TrackedAllowance } from '../../shared/memory/memory-budget.js';
import { openEntries } from '../../shared/memory/queue-segment.js';
import type { ReadyQueue } from '../../shared/memory/ready-queue.js';
import { Signal } from '../../shared/memory/signal.js';
import type { Connection } from '../net/connection.js';
import { giveUpFrom, takeOverQueues } from './queue-takeover.js';
import type { WorkerBuffers } from './worker-buffers.js';

/** What is asked of a connection in a slot of the worker. */
export type Pinned = Pick<Connection, 'isHeard' | 'paused' | 'resume'> & {
  readonly seat: {
    readonly slot: number;
    readonly generation: number;
    readonly ring: { readonly free: number; readonly capacity: number };
  } | null;
};

export interface TakeoverParts<C extends Pinned> {
  readonly arena: Arena;
  readonly budget: MemoryBudget;
  readonly worker: number;
  readonly ready: ReadyQueue;
  readonly asides: WorkerBuffers;
  readonly segments: WorkerBuffers;
  /** Connections that sit in slots of the worker. */
  pinned(): readonly C[];
  /** The worker had let go of the connection before it died. May be told twice. */
  released(connection: C): void;
  /**
   * A message of this connection, which may be gone, brought the worker down twice in a queued handler: it is given up.
   * @returns whether the peer is cut off for it, with all that it has sent
   */
  poisoned(slot: number, generation: number): boolean;
}

interface FrameInHand {
  readonly slot: number;
  readonly generation: number;
  readonly position: number;
  /** Of its buffer, 0 for none. One that was assembled aside ends where the next frame begins: there Progress is the same for both. */
  readonly asideId: number;
}

function isSame(a: FrameInHand, b: FrameInHand): boolean {
  return a.slot === b.slot && a.generation === b.generation && a.position === b.position && a.asideId === b.asideId;
}

export class Takeover<C extends Pinned> {
  readonly #parts: TakeoverParts<C>;
  readonly #words: Int32Array<SharedArrayBuffer>;
  /** First word of the worker's block. */
  readonly #block: number;
  /** The frame that the last death found in hand. */
  #suspect: FrameInHand | null = null;

  constructor(parts: TakeoverParts<C>) {
    const { arena, worker } = parts;
    this.#parts = parts;
    this.#words = arena.words;
    this.#block = arena.layout.worker(worker);
  }

  /** The worker has died, and its outbound ring has been recovered. */
  run(): void {
    const { arena, ready, asides } = this.#parts;
    const words = this.#words;
    // Queues first: which frames come again is seen from the connections as the worker left them.
    this.#queues();
    this.#findPoison();
    ready.reset();
    // Asleep or not, the thread that said so is gone, and the next one begins awake.
    new Signal(words, this.#block + Worker.Signal).unpark();
    const inUse = new Set<number>();
    // Microseconds modulo 2^32, as the ready queue takes them.
    const lastSeenUs = Math.imul(words[this.#block + Worker.HeartbeatMs], 1000);
    for (const connection of this.#parts.pinned()) {
      const { slot, generation } = connection.seat!;
      const control = arena.layout.slot(slot);
      if (words[control + Slot.Released] === generation) {
        // The record that says so may have died with the thread.
        this.#parts.released(connection);
        continue;
      }
      // The main thread lets go of such a one by itself: nobody here may hear of it.
      if (!connection.isHeard) continue;
      inUse.add(words[control + Slot.AsideId]);
      words[control + Slot.QueuedUnits] = 0;
      Atomics.store(words, control + Slot.ReadCursor, words[control + Slot.Progress]);
      Atomics.store(words, control + Slot.Queued, 0);
      ready.push(slot, lastSeenUs);
      this.#resumeOrWait(connection, control);
    }
    const keptBytes = asides.keep((id) => inUse.has(id));
    this.#forfeit(Worker.AsideKib, keptBytes);
  }

  /** What waited for queued handlers waits for those of the replacement. */
  #queues(): void {
    const { arena, worker, segments, poisoned } = this.#parts;
    const words = this.#words;
    const buffers = [...segments.all.values()];
    const isFrameInHand = words[this.#block + Worker.InHand] !== 0;
    const queues = takeOverQueues(buffers, arena, worker, isFrameInHand);
    let givenUp = queues.doubtful;
    let { waiting } = queues;
    for (const sender of queues.poisoned) {
      addCounter(words, arena.layout.workerCounter(worker, 'droppedPoisoned'), 1);
      if (!poisoned(sender.slot, sender.generation)) continue;
      const messages = giveUpFrom(sender, buffers, arena, worker);
      givenUp += messages;
      waiting -= messages;
    }
    if (givenUp > 0) addCounter(words, arena.layout.workerCounter(worker, 'queueDropped'), givenUp);
    Atomics.store(words, this.#block + Worker.QueuedMessages, waiting);
    const keptBytes = segments.keep((_, buffer) => openEntries(new Int32Array(buffer)).length > 0);
    this.#forfeit(Worker.QueuedKib, keptBytes);
  }

  /** Gives budget back, also for what the thread took and had told nobody of. */
  #forfeit(word: number, keptBytes: number): void {
    new TrackedAllowance(this.#parts.budget, this.#words, this.#block + word).forfeit(keptBytes);
  }

  /**
   * A paused socket is read on if half of its ring is free, as the worker would have said: its word may have died with
   * it. Otherwise the replacement gets to say it.
   */
  #resumeOrWait(connection: C, control: number): void {
    if (!connection.paused) return;
    const { ring } = connection.seat!;
    const hasRoom = ring.free >= ring.capacity / 2;
    Atomics.store(this.#words, control + Slot.ReadPaused, hasRoom ? 0 : 1);
    if (hasRoom) connection.resume();
  }

  /** A frame that was in hand at two deaths in a row is armed to be skipped. */
  #findPoison(): void {
    const words = this.#words;
    const slot = words[this.#block + Worker.InHand] - 1;
    words[this.#block + Worker.InHand] = 0;
    if (slot < 0) return;
    const control = this.#parts.arena.layout.slot(slot);
    const frame: FrameInHand = {
      slot,
      generation: words[control + Slot.Generation],
      position: words[control + Slot.Progress],
      asideId: words[control + Slot.AsideId],
    };
    const isSecond = this.#suspect !== null && isSame(this.#suspect, frame);
    this.#suspect = isSecond ? null : frame;
    if (!isSecond) return;
    words[control + Slot.SkipAt] = frame.position;
    words[control + Slot.SkipArmed] = 1;
  }
}
