/**
 * How late the main thread's event loop is: the most that a periodic timer was late within the last full second. Main
 * thread; driven by the node's sweep, so it costs no timer of its own.
 */
const WINDOW_MS = 1000;
/** Windows of `lastMinuteMs`. */
const WINDOWS = 60;

export class EventLoopWatch {
  /** Milliseconds. */
  lagMs = 0;
  readonly #intervalMs: number;
  #expectedMs: number;
  #windowMs: number;
  #maxMs = 0;
  readonly #lastMinuteMs: number[] = [];

  constructor(intervalMs: number, nowMs: number) {
    this.#intervalMs = intervalMs;
    this.#expectedMs = nowMs + intervalMs;
    this.#windowMs = nowMs;
  }

  /** The same for each second of the last minute, the newest last. */
  get lastMinuteMs(): readonly number[] {
    return this.#lastMinuteMs;
  }

  /** The timer fired. */
  tick(nowMs: number): void {
    this.#maxMs = Math.max(this.#maxMs, nowMs - this.#expectedMs);
    this.#expectedMs = nowMs + this.#intervalMs;
    if (nowMs - this.#windowMs < WINDOW_MS) return;
    this.lagMs = this.#maxMs;
    this.#lastMinuteMs.push(this.#maxMs);
    if (this.#lastMinuteMs.length > WINDOWS) this.#lastMinuteMs.shift();
    this.#windowMs = nowMs;
    this.#maxMs = 0;
  }
}
