/**
 * Owns the latency histogram: buckets that grow by an eighth of an octave, so that any percentile is right to 10%.
 * Pure; main thread and workers.
 */

const BUCKETS_PER_OCTAVE = 8;
/** Lower bound of bucket 0, in milliseconds; 240 buckets reach past 10^6 ms. */
const LEAST_MS = 0.001;
const BUCKETS = 240;

/** Bucket numbers and counts by turns, buckets with a count only. */
export type LatencyPairs = readonly number[];

export class LatencyHistogram {
  readonly #counts = new Uint32Array(BUCKETS);
  #total = 0;

  get total(): number {
    return this.#total;
  }

  /** Clocks of two processes may differ by a hair, so what is under a microsecond, negative too, counts as one. */
  record(ms: number): void {
    const octaves = Math.log2(Math.max(ms, LEAST_MS) / LEAST_MS);
    this.#add(Math.min(BUCKETS - 1, Math.floor(octaves * BUCKETS_PER_OCTAVE)), 1);
  }

  /** Adds what another histogram took out or holds. */
  merge(pairs: LatencyPairs): void {
    for (let i = 0; i + 1 < pairs.length; i += 2) this.#add(pairs[i]!, pairs[i + 1]!);
  }

  pairs(): number[] {
    const pairs: number[] = [];
    this.#counts.forEach((count, bucket) => {
      if (count > 0) pairs.push(bucket, count);
    });
    return pairs;
  }

  /** What was recorded so far; the histogram starts anew. */
  take(): number[] {
    const pairs = this.pairs();
    this.#counts.fill(0);
    this.#total = 0;
    return pairs;
  }

  /** Upper bound in milliseconds of the bucket that holds the given share (0 to 1); null while empty. */
  percentileMs(share: number): number | null {
    if (this.#total === 0) return null;
    let left = Math.max(1, Math.ceil(this.#total * share));
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      left -= this.#counts[bucket]!;
      if (left <= 0) return LEAST_MS * 2 ** ((bucket + 1) / BUCKETS_PER_OCTAVE);
    }
    return null;
  }

  #add(bucket: number, count: number): void {
    this.#counts[bucket]! += count;
    this.#total += count;
  }
}
