/**
 * Messages of one queued type that wait for their handler, with bounded concurrency and a bounded queue. Worker thread.
 * A full queue is answered as the type's policy says; the copies lie in shared memory, which counts against the memory
 * budget, and outlive this thread.
 */
import type { Clock } from '../shared/clock.js';
import { EntryState } from '../shared/memory/queue-segment.js';
import type { Policy } from '../shared/policy.js';
import { isPromise } from './is-promise.js';
import type { QueueGate } from './queue-gate.js';
import type { QueueEntry, QueueLog } from './queue-log.js';

/** One waiting message: where it lies, and what to do with it. */
export interface QueuedMessage {
  readonly entry: QueueEntry;
  run(): unknown;
  /** Its copy is given up: it has run, or was dropped. */
  released(): void;
}

export class HandlerQueue {
  readonly log: QueueLog;
  readonly #policy: Policy;
  readonly #gate: QueueGate;
  readonly #onError: (error: unknown) => void;
  readonly #onDone: () => void;
  readonly #addWaiting: (messages: number) => void;
  readonly #clock: Clock;
  readonly #took: (ms: number) => void;
  /** As long as nobody knows whether the handler returns promises. */
  #decided: ((mode: Policy['mode']) => void) | null;
  /** Messages that may wait or run at once. */
  readonly #places: number;
  /** Ring of waiting messages; `#head` is the oldest. */
  #waiting: (QueuedMessage | undefined)[];
  #head = 0;
  #length = 0;
  #running = 0;
  /** What `isFull` last said no to had a place in the queue, but no memory. */
  lacksMemory = false;

  constructor(parts: {
    policy: Policy;
    log: QueueLog;
    gate: QueueGate;
    /** Gets what a handler throws. */
    onError: (error: unknown) => void;
    /** Called when a message is through and there is room again. */
    onDone: () => void;
    /** Keeps the count of messages waiting or running. */
    addWaiting: (messages: number) => void;
    clock: Clock;
    /** Gets how long each handler took, from its start until it settled. */
    took: (ms: number) => void;
    /**
     * For a handler that does not say how it runs: gets to know with its first message. If that is inline, the queue is
     * empty and is offered nothing more.
     */
    decided?: (mode: Policy['mode']) => void;
  }) {
    const { policy } = parts;
    this.log = parts.log;
    this.#policy = policy;
    this.#gate = parts.gate;
    this.#gate.add(this);
    this.#onError = parts.onError;
    this.#onDone = parts.onDone;
    this.#addWaiting = parts.addWaiting;
    this.#clock = parts.clock;
    this.#took = parts.took;
    this.#decided = parts.decided ?? null;
    this.#places = policy.queueLength + policy.concurrency;
    this.#waiting = new Array(this.#places).fill(undefined);
  }

  /**
   * Whether the next message must wait in its connection's ring. The caller asks before it copies the payload; with a
   * dropping overflow the answer is always no. Under back-pressure a no holds the memory that it takes: the caller then
   * offers the message, or says `forgo`.
   */
  isFull(payloadBytes: number): boolean {
    if (this.#policy.overflow !== 'back-pressure') return false;
    const hasPlace = this.#hasPlace;
    this.lacksMemory = hasPlace && !this.log.hasRoom(payloadBytes);
    return !hasPlace || this.lacksMemory;
  }

  /** The message that `isFull` found room for does not come. */
  forgo(): void {
    this.log.trim();
  }

  /**
   * Takes a message that `make` copies. Under `drop-new` a full queue drops it, under `drop-old` the oldest one waiting. Its
   * handler is not called before `start`.
   * @returns messages dropped: 0 or 1, or 2 if the one given up did not free memory enough
   */
  offer(payloadBytes: number, make: () => QueuedMessage): number {
    let dropped = 0;
    if (!this.#hasRoom(payloadBytes)) {
      if (this.#policy.overflow !== 'drop-old' || this.#length === 0) return 1;
      const oldest = this.#shift();
      const { entry } = oldest;
      const { isSuspect } = entry;
      this.#addWaiting(-1);
      oldest.released();
      this.log.drop(entry);
      if (isSuspect) this.#gate.through(false);
      dropped = 1;
      if (!this.#hasRoom(payloadBytes)) return 2;
    }
    this.#waiting[(this.#head + this.#length) % this.#waiting.length] = make();
    this.#length++;
    this.#addWaiting(1);
    return dropped;
  }

  /**
   * Takes over what a worker that died left, the oldest first, before anything else is taken. Those that are to be handled
   * alone had begun once, so no other is overtaken by them.
   */
  adopt(messages: readonly QueuedMessage[]): void {
    const suspects = messages.filter(({ entry }) => entry.isSuspect);
    const others = messages.filter(({ entry }) => !entry.isSuspect);
    for (const [i, message] of [...suspects, ...others].entries()) this.#waiting[i] = message;
    this.#length = messages.length;
  }

  /** Calls handlers of waiting messages, as many at once as the policy says. */
  start(): void {
    while (this.#running < this.#policy.concurrency && this.#length > 0) {
      if (!this.#gate.admits(this, this.#waiting[this.#head]!.entry.isSuspect)) return;
      this.#running++;
      void this.#run(this.#shift());
    }
  }

  get #hasPlace(): boolean {
    return this.#length + this.#running < this.#places;
  }

  #hasRoom(payloadBytes: number): boolean {
    return this.#hasPlace && this.log.hasRoom(payloadBytes);
  }

  #shift(): QueuedMessage {
    const message = this.#waiting[this.#head]!;
    this.#waiting[this.#head] = undefined;
    this.#head = (this.#head + 1) % this.#waiting.length;
    this.#length--;
    return message;
  }

  async #run(message: QueuedMessage): Promise<void> {
    const { entry } = message;
    const startMs = this.#clock.nowMs();
    let isInline = false;
    try {
      entry.mark(EntryState.Starting);
      const result = message.run();
      isInline = this.#decide(result) === 'inline';
      if (!isInline) {
        entry.mark(EntryState.Running);
        await result;
      }
    } catch (error) {
      this.#onError(error);
    }
    this.#took(this.#clock.nowMs() - startMs);
    this.#running--;
    this.#addWaiting(-1);
    message.released();
    const { isSuspect } = entry;
    this.log.finish(entry);
    if (isSuspect) this.#gate.through(true);
    if (isInline) {
      this.log.close();
      // Not within the turn that began this.
      queueMicrotask(this.#onDone);
      return;
    }
    this.start();
    this.#onDone();
  }

  /** What a first result tells of how the handler runs; null if nothing, or if that is known. */
  #decide(result: unknown): Policy['mode'] | null {
    const decided = this.#decided;
    if (decided === null) return null;
    // Those that wait come before whatever would be handled inline.
    if (!isPromise(result) && this.#length > 0) return null;
    const mode = isPromise(result) ? 'queued' : 'inline';
    this.#decided = null;
    decided(mode);
    return mode;
  }
}
