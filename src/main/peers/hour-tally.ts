/**
 * Counts what was refused, dropped, banned or failed within the last hour, by kind and error code, a minute at a time.
 * History keeps single events, and a storm pushes them out; counts stay. The clock is passed in; main thread.
 */
import { errorCodeName } from '../../shared/errors.js';
import type { HistoryKind, HourCount } from '../api.js';

const MINUTE_MS = 60_000;
const MINUTES = 60;

interface Count {
  readonly kind: HistoryKind;
  readonly code: number;
  count: number;
}

interface Minute {
  /** Minutes since the clock's zero. */
  readonly number: number;
  /** By code, then by kind: there are 256 codes at most. */
  readonly counts: Map<string, Count>;
}

export class HourTally {
  /** The oldest first, one for each minute in which something happened; never more than an hour of them. */
  readonly #minutes: Minute[] = [];

  add(kind: HistoryKind, code: number, nowMs: number): void {
    const number = Math.floor(nowMs / MINUTE_MS);
    let minute = this.#minutes.at(-1);
    if (minute?.number !== number) {
      minute = { number, counts: new Map() };
      this.#minutes.push(minute);
      this.#forget(number);
    }
    const key = `${code} ${kind}`;
    const known = minute.counts.get(key);
    if (known === undefined) minute.counts.set(key, { kind, code, count: 1 });
    else known.count++;
  }

  /** The most frequent first. */
  counts(nowMs: number): HourCount[] {
    this.#forget(Math.floor(nowMs / MINUTE_MS));
    const sums = new Map<string, Count>();
    for (const { counts } of this.#minutes) {
      for (const [key, { kind, code, count }] of counts) {
        const sum = sums.get(key);
        if (sum === undefined) sums.set(key, { kind, code, count });
        else sum.count += count;
      }
    }
    return [...sums.values()]
      .sort((a, b) => b.count - a.count)
      .map(({ kind, code, count }) => ({ kind, code, name: errorCodeName(code), count }));
  }

  #forget(nowMinute: number): void {
    while (this.#minutes.length > 0 && this.#minutes[0].number <= nowMinute - MINUTES) this.#minutes.shift();
  }
}
