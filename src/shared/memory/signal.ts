/**
 * How one thread that has nothing to do waits, and others wake it. The waiter says that it is parked, looks once more
 * whether work has come, and only then waits; a waker notifies only a waiter that said so, so that under load nobody
 * makes a system call. Two words: [wake count, how the waiter sleeps].
 *
 * A waiter that has just had much to do takes a nap instead: it wakes by itself in a moment and finds more. To be woken
 * for every bit of work costs both threads more than the work (ARCHITECTURE.md, "Naps").
 */
const AWAKE = 0;
const PARKED = 1;
const NAPPING = 2;

/** The waiter's side of a signal. */
export type Sleep = Pick<Signal, 'park' | 'unpark' | 'wait'>;

export class Signal {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #index: number;

  constructor(words: Int32Array<SharedArrayBuffer>, index: number) {
    this.#words = words;
    this.#index = index;
  }

  /** Wakes the waiter, however it sleeps. Any thread, after it has published what it wants seen. */
  raise(): void {
    const sleep = this.#index + 1;
    if (Atomics.load(this.#words, sleep) === AWAKE) return;
    if (Atomics.exchange(this.#words, sleep, AWAKE) === AWAKE) return;
    Atomics.add(this.#words, this.#index, 1);
    Atomics.notify(this.#words, this.#index);
  }

  /** Whether the waiter sleeps, and nobody has woken it. */
  get isAsleep(): boolean {
    return Atomics.load(this.#words, this.#index + 1) !== AWAKE;
  }

  /** Wakes the waiter if it is parked; one that naps comes by itself. */
  raiseParked(): void {
    if (Atomics.load(this.#words, this.#index + 1) === PARKED) this.raise();
  }

  /**
   * Parks: call, look for work once more, then `wait(ticket)` or `unpark()`.
   * @returns ticket for `wait`
   */
  park(): number {
    const ticket = Atomics.load(this.#words, this.#index);
    Atomics.store(this.#words, this.#index + 1, PARKED);
    return ticket;
  }

  unpark(): void {
    Atomics.store(this.#words, this.#index + 1, AWAKE);
  }

  /**
   * Waits until raised after `park` returned `ticket`, without blocking the event loop. There is no time-out on
   * purpose: one that is notified early would leave its timer behind. It does not hold the event loop open either.
   */
  wait(ticket: number): Promise<unknown> | null {
    const result = Atomics.waitAsync(this.#words, this.#index, ticket);
    return result.async ? result.value : null;
  }

  /** Sleeps for a moment, event loop and all, or until raised; unless `hasWork` finds some before. Worker threads only. */
  nap(ms: number, hasWork: () => boolean): void {
    const ticket = Atomics.load(this.#words, this.#index);
    Atomics.store(this.#words, this.#index + 1, NAPPING);
    if (!hasWork()) Atomics.wait(this.#words, this.#index, ticket, ms);
    this.unpark();
  }
}
