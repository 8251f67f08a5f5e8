/**
 * Durations in shared memory, counted by how long they were. Each histogram has exactly one writing thread, which takes
 * no lock and allocates nothing; any thread reads.
 *
 * A histogram is a row of counters (counters.ts): one for each bucket, the last for what is longer than all bounds, and
 * the sum in nanoseconds. How many durations there are is nowhere stored but added up by who reads, so that a writer that
 * dies between two stores leaves nothing that disagrees but the sum, by the one duration in hand.
 */
import { addUnordered, COUNTER_WORDS, readCounter } from './counters.js';

/**
 * Upper bounds of the buckets, inclusive, in microseconds. One ladder for all, from what a quick handler takes to what no
 * timeout would wait for: a quantile read from it is wrong by a factor of 2.5 at most, and shares of durations within
 * round numbers of milliseconds can be asked for exactly.
 */
export const BOUNDS_US = [
  ...[0.25, 0.5],
  ...[1, 2.5, 5, 10, 25, 50, 100, 250, 500],
  ...[1e3, 2.5e3, 5e3, 1e4, 2.5e4, 5e4, 1e5, 2.5e5, 5e5],
  ...[1e6, 2.5e6, 5e6, 1e7],
] as const;

const BUCKETS = BOUNDS_US.length + 1;
export const HISTOGRAM_WORDS = (BUCKETS + 1) * COUNTER_WORDS;

/** Longest single duration that the sum takes, so that a broken clock can't spoil it: a day, 50 of which a counter adds. */
const MAX_US = 86_400e6;

/** What a histogram held when it was read. */
export interface Durations {
  /** How many fell into each bucket: one count for each of BOUNDS_US, and one for what was longer. */
  readonly counts: readonly number[];
  readonly sumSeconds: number;
}

/**
 * Counts `times` (at most 50) durations of `us` microseconds each in the histogram at word `index`. Writer only. What is
 * negative, as between clocks of two threads that are a moment apart, counts as 0.
 */
export function addDuration(words: Int32Array, index: number, us: number, times = 1): void {
  const duration = Math.min(Math.max(us, 0), MAX_US);
  let bucket = 0;
  while (bucket < BOUNDS_US.length && duration > BOUNDS_US[bucket]) bucket++;
  addUnordered(words, index + bucket * COUNTER_WORDS, times);
  addUnordered(words, index + BUCKETS * COUNTER_WORDS, Math.round(duration * times * 1000));
}

/** Reads the histogram at word `index` from any thread. */
export function readDurations(words: Int32Array, index: number): Durations {
  const counts = Array.from({ length: BUCKETS }, (_, bucket) => readCounter(words, index + bucket * COUNTER_WORDS));
  return { counts, sumSeconds: readCounter(words, index + BUCKETS * COUNTER_WORDS) / 1e9 };
}

/** Two histograms as if they were one. */
export function addedDurations(a: Durations, b: Durations): Durations {
  return { counts: a.counts.map((count, bucket) => count + b.counts[bucket]), sumSeconds: a.sumSeconds + b.sumSeconds };
}
