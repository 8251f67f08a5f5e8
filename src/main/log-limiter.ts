/**
 * Owns the rate of repeated log lines: per key one line in an interval, with a count of those left out. Decides only;
 * the caller logs. Main thread.
 */

export interface LogLimiterOptions {
  /** Least time between two lines of one key. */
  readonly intervalMs?: number;
  /** Most keys that are remembered; peers make keys up, so there must be a bound. */
  readonly maxKeys?: number;
}

interface Entry {
  readonly lastLineMs: number;
  suppressed: number;
}

/** Lines of a key that were left out and that no later line has told of. */
export interface Suppressed<K> {
  readonly key: K;
  readonly suppressed: number;
}

export class LogLimiter<K = string> {
  readonly #intervalMs: number;
  readonly #maxKeys: number;
  /** In order of `lastLineMs`, oldest first: an entry is put in anew with each line. Never more than `maxKeys`. */
  readonly #entries = new Map<K, Entry>();

  constructor({ intervalMs = 10_000, maxKeys = 1024 }: LogLimiterOptions = {}) {
    if (!(intervalMs > 0) || !(maxKeys >= 1)) throw new RangeError('intervalMs and maxKeys must be positive');
    this.#intervalMs = intervalMs;
    this.#maxKeys = maxKeys;
  }

  /** Null: leave the line out, it is counted. A number: log it, and so many like it were left out since the last. */
  admit(key: K, nowMs: number): number | null {
    const entry = this.#entries.get(key);
    if (entry !== undefined && nowMs - entry.lastLineMs < this.#intervalMs) {
      entry.suppressed++;
      return null;
    }
    this.#entries.delete(key);
    this.#entries.set(key, { lastLineMs: nowMs, suppressed: 0 });
    if (this.#entries.size > this.#maxKeys) this.#entries.delete(this.#entries.keys().next().value as K);
    return entry?.suppressed ?? 0;
  }

  /** Forgets keys whose interval is over, and gives those with lines left out, so that a storm's end is told too. */
  sweep(nowMs: number): Suppressed<K>[] {
    const ended: Suppressed<K>[] = [];
    for (const [key, entry] of this.#entries) {
      if (nowMs - entry.lastLineMs < this.#intervalMs) break;
      this.#entries.delete(key);
      if (entry.suppressed > 0) ended.push({ key, suppressed: entry.suppressed });
    }
    return ended;
  }
}
