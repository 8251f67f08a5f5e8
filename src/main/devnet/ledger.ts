/**
 * Owns the reckoning of a devnet: what every origin sent against what arrived at a node, so that each message counts as
 * arrived exactly once, lost, duplicated or out of order. Pure; main thread.
 */

/** Sequence numbers of one origin, in order of arrival at one worker: origin, first, one past the last, and so on. */
export type Runs = readonly number[];

/** Half-open ranges of sequence numbers. */
export type Range = readonly [from: number, to: number];

/** A set of whole numbers, kept as sorted ranges that neither touch nor overlap. */
export class SequenceSet {
  readonly #ranges: [from: number, to: number][] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** One past the highest number. */
  get end(): number {
    return this.#ranges.at(-1)?.[1] ?? 0;
  }

  get ranges(): readonly Range[] {
    return this.#ranges;
  }

  /** Adds [from, to). @returns how many of them were not in the set yet */
  add(from: number, to: number): number {
    if (to <= from) return 0;
    const ranges = this.#ranges;
    // In order of arrival the last range grows, nearly always.
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === from) {
      last[1] = to;
      this.#size += to - from;
      return to - from;
    }
    const first = this.#firstEndingAtOrAfter(from);
    let [mergedFrom, mergedTo] = [from, to];
    let overlap = 0;
    let after = first;
    for (; after < ranges.length && ranges[after]![0] <= to; after++) {
      const [start, end] = ranges[after]!;
      overlap += Math.max(0, Math.min(end, to) - Math.max(start, from));
      mergedFrom = Math.min(mergedFrom, start);
      mergedTo = Math.max(mergedTo, end);
    }
    ranges.splice(first, after - first, [mergedFrom, mergedTo]);
    const fresh = to - from - overlap;
    this.#size += fresh;
    return fresh;
  }

  #firstEndingAtOrAfter(from: number): number {
    let [low, high] = [0, this.#ranges.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#ranges[middle]![1] < from) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** What arrived at a node from one origin. */
export interface OriginCount {
  readonly origin: number;
  /** Different messages. */
  readonly unique: number;
  /** One past the highest sequence number that arrived. */
  readonly end: number;
  readonly duplicated: number;
  readonly outOfOrder: number;
}

/** {@link OriginCount} with the sequence numbers themselves. */
export interface OriginArrivals extends OriginCount {
  readonly ranges: readonly Range[];
}

interface OriginLedger {
  readonly seen: SequenceSet;
  /** One past the highest sequence number, for each worker that it arrived through. */
  readonly endByWorker: Map<number, number>;
  duplicated: number;
  outOfOrder: number;
}

/** What arrived at one node, merged from the tallies of its workers. */
export class ArrivalLedger {
  readonly #origins = new Map<number, OriginLedger>();

  /**
   * Takes in runs that one worker saw, in its order. A message that is there already is a duplicate, whichever worker
   * had it; a new one below what the same worker has seen came out of order.
   */
  fold(worker: number, runs: Runs): void {
    for (let i = 0; i + 2 < runs.length; i += 3) this.#run(worker, runs[i]!, runs[i + 1]!, runs[i + 2]!);
  }

  counts(): OriginCount[] {
    return [...this.#origins].map(([origin, { seen, duplicated, outOfOrder }]) => ({
      origin,
      unique: seen.size,
      end: seen.end,
      duplicated,
      outOfOrder,
    }));
  }

  arrivals(): OriginArrivals[] {
    return this.counts().map((count) => ({ ...count, ranges: this.#origins.get(count.origin)!.seen.ranges }));
  }

  #run(worker: number, origin: number, from: number, to: number): void {
    let ledger = this.#origins.get(origin);
    if (ledger === undefined) {
      ledger = { seen: new SequenceSet(), endByWorker: new Map(), duplicated: 0, outOfOrder: 0 };
      this.#origins.set(origin, ledger);
    }
    const end = ledger.endByWorker.get(worker) ?? 0;
    const lateTo = Math.min(to, Math.max(from, end));
    const late = ledger.seen.add(from, lateTo);
    const fresh = late + ledger.seen.add(lateTo, to);
    ledger.outOfOrder += late;
    ledger.duplicated += to - from - fresh;
    ledger.endByWorker.set(worker, Math.max(end, to));
  }
}

/** Messages of one origin that did not arrive. */
export interface Gap {
  readonly origin: number;
  readonly from: number;
  readonly to: number;
}

/** How a node stands when everything that was sent is set against what arrived there. */
export interface Settlement {
  readonly expected: number;
  readonly arrived: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly outOfOrder: number;
  /** Arrived intact, but nobody says to have sent it. */
  readonly unexpected: number;
  /** The first few gaps. */
  readonly gaps: readonly Gap[];
}

const GAPS_SHOWN = 5;

/**
 * Sets what the origins sent against what arrived at `receiver`, which expects everything but its own messages.
 * @param sent how many messages each origin sent: its sequence numbers are 0 to that number less one
 */
export function settle(
  sent: ReadonlyMap<number, number>,
  receiver: number,
  arrivals: readonly OriginArrivals[],
): Settlement {
  let expected = 0;
  let arrived = 0;
  let unexpected = 0;
  const gaps: Gap[] = [];
  const byOrigin = new Map(arrivals.map((arrival) => [arrival.origin, arrival]));
  for (const [origin, count] of sent) {
    if (origin === receiver) continue;
    expected += count;
    let next = 0;
    for (const [from, to] of [...(byOrigin.get(origin)?.ranges ?? []), [count, count] as const]) {
      const until = Math.min(from, count);
      if (until > next) gaps.push({ origin, from: next, to: until });
      arrived += Math.max(0, Math.min(to, count) - until);
      next = Math.min(to, count);
    }
  }
  for (const { origin, unique, ranges } of arrivals) {
    const known = origin === receiver ? 0 : (sent.get(origin) ?? 0);
    const within = ranges.reduce(
      (sum, [from, to]) => sum + Math.max(0, Math.min(to, known) - Math.min(from, known)),
      0,
    );
    unexpected += unique - within;
  }
  return {
    expected,
    arrived,
    lost: expected - arrived,
    duplicated: arrivals.reduce((sum, { duplicated }) => sum + duplicated, 0),
    outOfOrder: arrivals.reduce((sum, { outOfOrder }) => sum + outOfOrder, 0),
    unexpected,
    gaps: gaps.slice(0, GAPS_SHOWN),
  };
}
