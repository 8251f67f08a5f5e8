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
  #intervalMs: number;
  readonly #late: (ms: number) => void;
  #expectedMs: number;
  #windowMs: number;
  #maxMs = 0;
  readonly #lastMinuteMs: number[] = [];

  /** @param late gets how late the timer was, each time */
  constructor(intervalMs: number, nowMs: number, late: (ms: number) => void) {
    this.#intervalMs = intervalMs;
    this.#late = late;
    this.#expectedMs = nowMs + intervalMs;
    this.#windowMs = nowMs;
  }

  /** The timer fires at another interval from now on. */
  setInterval(intervalMs: number, nowMs: number): void {
    this.#intervalMs = intervalMs;
    this.#expectedMs = nowMs + intervalMs;
  }

  /** The same for each second of the last minute, the newest last. */
  get lastMinuteMs(): readonly number[] {
    return this.#lastMinuteMs;
  }

  /** The timer fired. @returns how late it was, in milliseconds */
  tick(nowMs: number): number {
    const lateMs = nowMs - this.#expectedMs;
    this.#late(lateMs);
    this.#maxMs = Math.max(this.#maxMs, lateMs);
    this.#expectedMs = nowMs + this.#intervalMs;
    if (nowMs - this.#windowMs < WINDOW_MS) return lateMs;
    this.lagMs = this.#maxMs;
    this.#lastMinuteMs.push(this.#maxMs);
    if (this.#lastMinuteMs.length > WINDOWS) this.#lastMinuteMs.shift();
    this.#windowMs = nowMs;
    this.#maxMs = 0;
    return lateMs;
  }
}
