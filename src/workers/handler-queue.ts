/**
 * Messages of one queued type that wait for their handler, with bounded concurrency and a bounded queue. Worker thread.
 * A full queue is answered as the type's policy says; each message's copy counts against the memory budget.
 */
import type { Clock } from '../shared/clock.js';
import type { Allowance } from '../shared/memory/memory-budget.js';
import type { Policy } from '../shared/policy.js';

/** One waiting message: a copy of its payload, and what to do with it. */
export interface QueuedMessage {
  readonly payload: Buffer;
  run(): unknown;
  /** It gave way to a newer one and will not run. */
  dropped?(): void;
  /** Its copy is given up: it has run, or was dropped. */
  released?(): void;
}

export class HandlerQueue {
  readonly #policy: Policy;
  readonly #budget: Allowance;
  readonly #onError: (error: unknown) => void;
  readonly #onDone: () => void;
  readonly #addWaiting: (messages: number) => void;
  readonly #clock: Clock;
  readonly #took: (ms: number) => void;
  /** Ring of waiting messages; `#head` is the oldest. */
  readonly #waiting: (QueuedMessage | undefined)[];
  #head = 0;
  #length = 0;
  #running = 0;
  /** Bytes that `isFull` set aside for the message that it found room for, -1 for none. */
  #promised = -1;
  /** What `isFull` last said no to had a place in the queue, but no memory. */
  lacksMemory = false;

  constructor(parts: {
    policy: Policy;
    budget: Allowance;
    /** Gets what a handler throws. */
    onError: (error: unknown) => void;
    /** Called when a message is through and there is room again. */
    onDone: () => void;
    /** Keeps the count of messages waiting or running. */
    addWaiting: (messages: number) => void;
    clock: Clock;
    /** Gets how long each handler took, from its start until it settled. */
    took: (ms: number) => void;
  }) {
    const { policy } = parts;
    this.#policy = policy;
    this.#budget = parts.budget;
    this.#onError = parts.onError;
    this.#onDone = parts.onDone;
    this.#addWaiting = parts.addWaiting;
    this.#clock = parts.clock;
    this.#took = parts.took;
    this.#waiting = new Array(policy.queueLength).fill(undefined);
  }

  /**
   * Whether the next message must wait in its connection's ring. The caller asks before it copies the payload; with a
   * dropping overflow the answer is always no. Under back-pressure a no sets the memory aside, since another thread may
   * take what is left of the budget before `offer`: the caller then offers the message, or says `forgo`.
   */
  isFull(payloadBytes: number): boolean {
    if (this.#policy.overflow !== 'back-pressure') return false;
    this.forgo();
    const hasPlace = this.#length < this.#waiting.length;
    this.lacksMemory = hasPlace && !this.#budget.reserve(payloadBytes);
    if (!hasPlace || this.lacksMemory) return true;
    this.#promised = payloadBytes;
    return false;
  }

  /** The message that `isFull` found room for does not come. */
  forgo(): void {
    if (this.#promised === -1) return;
    this.#budget.release(this.#promised);
    this.#promised = -1;
  }

  /**
   * Takes a message. Under `drop-new` a full queue drops it, under `drop-old` the oldest one waiting.
   * @returns messages dropped: 0 or 1, or 2 if the one given up did not free memory enough
   */
  offer(payloadBytes: number, message: () => QueuedMessage): number {
    if (this.#promised === payloadBytes) {
      this.#promised = -1;
      this.#take(message());
      return 0;
    }
    this.forgo();
    let dropped = 0;
    if (!this.#hasRoom(payloadBytes)) {
      if (this.#policy.overflow !== 'drop-old' || this.#length === 0) return 1;
      const oldest = this.#shift();
      oldest.dropped?.();
      this.#release(oldest);
      dropped = 1;
    }
    if (!this.#budget.reserve(payloadBytes)) return dropped + 1;
    this.#take(message());
    return dropped;
  }

  #take(message: QueuedMessage): void {
    this.#waiting[(this.#head + this.#length) % this.#waiting.length] = message;
    this.#length++;
    this.#addWaiting(1);
    this.#start();
  }

  #hasRoom(payloadBytes: number): boolean {
    if (this.#length === this.#waiting.length) return false;
    if (!this.#budget.reserve(payloadBytes)) return false;
    this.#budget.release(payloadBytes);
    return true;
  }

  #shift(): QueuedMessage {
    const message = this.#waiting[this.#head]!;
    this.#waiting[this.#head] = undefined;
    this.#head = (this.#head + 1) % this.#waiting.length;
    this.#length--;
    return message;
  }

  #release(message: QueuedMessage): void {
    this.#addWaiting(-1);
    this.#budget.release(message.payload.length);
    message.released?.();
  }

  #start(): void {
    while (this.#running < this.#policy.concurrency && this.#length > 0) {
      this.#running++;
      void this.#run(this.#shift());
    }
  }

  async #run(message: QueuedMessage): Promise<void> {
    const startMs = this.#clock.nowMs();
    try {
      await message.run();
    } catch (error) {
      this.#onError(error);
    }
    this.#took(this.#clock.nowMs() - startMs);
    this.#running--;
    this.#release(message);
    this.#start();
    this.#onDone();
  }
}
