/**
 * 64-bit counters in shared memory without locks. Each has exactly one writing thread; any thread reads.
 *
 * A counter is three words, [high, low, high copy], in a stride of four. Almost every add stores `low` alone. On a carry
 * the writer stores high, low, high copy in this order; a reader loads them in the opposite order and retries while the
 * two highs differ, so it never sees a low word with the wrong high word.
 */
export const COUNTER_WORDS = 4;

const TWO_32 = 0x1_0000_0000;
/** A writer that died inside a carry leaves the highs different for good; a reader then takes the newer. */
const MAX_READ_TRIES = 64;

/** Adds to the counter at word `index`. Writer only; `amount` is a whole number from 0 to 2^52. */
export function addCounter(words: Int32Array, index: number, amount: number): void {
  const low = (words[index + 1] >>> 0) + amount;
  if (low < TWO_32) {
    Atomics.store(words, index + 1, low | 0);
    return;
  }
  const high = words[index] + Math.floor(low / TWO_32);
  Atomics.store(words, index, high);
  Atomics.store(words, index + 1, low | 0);
  Atomics.store(words, index + 2, high);
}

/**
 * Does the same at a tenth of the price, for counters that are read by themselves: who sees it need not see what this
 * thread wrote before. A plain store of 32 bits is never torn, and a carry keeps its order, since the store of `low` after
 * it can't be seen before the `low` of the carry.
 */
export function addUnordered(words: Int32Array, index: number, amount: number): void {
  const low = (words[index + 1] >>> 0) + amount;
  if (low < TWO_32) words[index + 1] = low | 0;
  else addCounter(words, index, amount);
}

/** Reads the counter at word `index` from any thread. Exact up to 2^53. */
export function readCounter(words: Int32Array, index: number): number {
  for (let tries = 0; ; tries++) {
    const copy = Atomics.load(words, index + 2);
    const low = Atomics.load(words, index + 1) >>> 0;
    const high = Atomics.load(words, index);
    if (high === copy || tries === MAX_READ_TRIES) return (high >>> 0) * TWO_32 + low;
  }
}

/** Sets a counter to zero while no thread writes it, such as when a slot gets a new connection. */
export function resetCounter(words: Int32Array, index: number): void {
  Atomics.store(words, index, 0);
  Atomics.store(words, index + 1, 0);
  Atomics.store(words, index + 2, 0);
}
