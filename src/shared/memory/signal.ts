/**
 * How one thread that has nothing to do waits, and others wake it. The waiter says that it is parked, looks once more
 * whether work has come, and only then waits; a waker notifies only a waiter that said so, so that under load nobody
 * makes a system call. Two words: [wake count, parked].
 */
export class Signal {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #index: number;

  constructor(words: Int32Array<SharedArrayBuffer>, index: number) {
    this.#words = words;
    this.#index = index;
  }

  /** Wakes the waiter if it is parked. Any thread, after it has published what it wants seen. */
  raise(): void {
    const parked = this.#index + 1;
    if (Atomics.load(this.#words, parked) === 0) return;
    if (Atomics.exchange(this.#words, parked, 0) === 0) return;
    Atomics.add(this.#words, this.#index, 1);
    Atomics.notify(this.#words, this.#index);
  }

  /**
   * Parks: call, look for work once more, then `wait(ticket)` or `unpark()`.
   * @returns ticket for `wait`
   */
  park(): number {
    const ticket = Atomics.load(this.#words, this.#index);
    Atomics.store(this.#words, this.#index + 1, 1);
    return ticket;
  }

  unpark(): void {
    Atomics.store(this.#words, this.#index + 1, 0);
  }

  /**
   * Waits until raised after `park` returned `ticket`, without blocking the event loop. There is no time-out on
   * purpose: one that is notified early would leave its timer behind. It does not hold the event loop open either.
   */
  wait(ticket: number): Promise<unknown> | null {
    const result = Atomics.waitAsync(this.#words, this.#index, ticket);
    return result.async ? result.value : null;
  }
}
