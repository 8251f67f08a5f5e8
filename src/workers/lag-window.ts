/**
 * The worker's lag: the longest that a ready ring waited for its worker within the last full second. Worker thread;
 * published in one shared word, microseconds.
 */
const WINDOW_US = 1_000_000;

export class LagWindow {
  readonly #words: Int32Array;
  readonly #index: number;
  #startUs = 0;
  #maxUs = 0;

  constructor(words: Int32Array, index: number) {
    this.#words = words;
    this.#index = index;
  }

  add(nowUs: number, waitedUs: number): void {
    this.roll(nowUs);
    if (waitedUs > this.#maxUs) this.#maxUs = waitedUs;
  }

  /** Publishes a window that is over. `nowUs` counts modulo 2^32. */
  roll(nowUs: number): void {
    const age = (nowUs - this.#startUs) | 0;
    if (age >= 0 && age < WINDOW_US) return;
    Atomics.store(this.#words, this.#index, this.#maxUs);
    this.#startUs = nowUs;
    this.#maxUs = 0;
  }
}
