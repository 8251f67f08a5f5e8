/**
 * The hashes of messages that this node has seen within 5 minutes, shared by all its threads. Of several that see the
 * same message at once exactly one is told that it is new.
 *
 * Buckets of SEEN_WAYS entries; a bucket is looked at under the lock of its stripe. An entry is four words:
 *
 *   word 0  hash, high        both 0: empty
 *   word 1  hash, low
 *   word 2  when, shared milliseconds
 *   word 3  mark of the worker that still has the message in its hands, or 0
 *
 * Crash safety. What a dead worker had in hand comes again, out of the ring or from another peer, and must then count
 * as new. So an entry made by `add` is held until the message is done; `letGo` ends that, and a replacement forgets
 * what the worker before it held (`forgetHeld`). SeenHeld counts first and is taken back last: it is never too small.
 * A lock names its owner, and `recover` takes it from a dead one.
 */
import type { Arena } from './arena.js';
import { SEEN_ENTRY_BYTES, SEEN_STRIPE_WORDS, SEEN_STRIPES, SEEN_WAYS, Worker } from './arena-layout.js';
import { addCounter } from './counters.js';

/** How long a message is known again (as the published node does). */
export const SEEN_MS = 5 * 60_000;
/** Threads look at their clocks before they have the lock, so another may have written a later time. */
const SKEW_MS = 60_000;

const ENTRY_WORDS = SEEN_ENTRY_BYTES / 4;
const BUCKET_WORDS = SEEN_WAYS * ENTRY_WORDS;
const When = 2;
const Mark = 3;

/** A mark is the worker + 1 in its low bits, so that a replacement finds its own, and above them a count. */
const OWNER_BITS = 8;
const OWNER_MASK = 2 ** OWNER_BITS - 1;
const MAX_WORKERS = OWNER_MASK - 1;

/** A bucket is looked at in less than a microsecond. */
const SPINS = 200;
/** A worker waits longer, by the millisecond: the owner may be dead, and the main thread busy. */
const PATIENCE_MS = 5000;
/** The lock of a worker that dies while the node stops is never taken back. */
const MAX_TURNS = 1000;

const EXPIRED = 0x7fff_ffff;

/** What became of an insertion; anything above is the word of the entry. */
const SEEN = 0;
const NO_LOCK = -1;

/** The entry of a message that is not done: the word of its mark, and the mark. `at` is 0 if it could not be remembered. */
export interface SeenHold {
  readonly at: number;
  readonly mark: number;
}

const NONE: ReadonlyMap<number, number> = new Map();

const nothingHeld: SeenHold = { at: 0, mark: 0 };

/** One thread's handle on the table. */
export class SeenTable {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #entries: number;
  readonly #locks: number;
  readonly #buckets: number;
  /** What stands in a lock that this thread has, and in the low bits of its marks. */
  readonly #owner: number;
  /** Word that counts what this worker holds, 0 for the main thread. */
  readonly #held: number;
  readonly #forgotten: number;
  #count = 0;

  /** `thread` is the worker's index, or the number of workers for the main thread. */
  constructor(arena: Arena, thread: number) {
    const { words, layout } = arena;
    const { workers, seenEntries } = layout.geometry;
    if (workers > MAX_WORKERS) throw new RangeError(`${workers} workers`);
    const isWorker = thread < workers;
    this.#words = words;
    this.#entries = layout.seenEntries;
    this.#locks = layout.seenLock(0);
    this.#buckets = seenEntries / SEEN_WAYS;
    this.#owner = thread + 1;
    this.#held = isWorker ? layout.worker(thread) + Worker.SeenHeld : 0;
    this.#forgotten = isWorker
      ? layout.workerCounter(thread, 'gossipForgotten')
      : layout.mainCounter('gossipForgotten');
  }

  /** Whether a message has been seen. */
  has(high: number, low: number, nowMs: number): boolean {
    const bucket = this.#bucket(low);
    if (!this.#lock(bucket)) return false;
    const words = this.#words;
    const first = this.#entries + bucket * BUCKET_WORDS;
    let isSeen = false;
    for (let at = first; at < first + BUCKET_WORDS && !isSeen; at += ENTRY_WORDS) {
      isSeen = words[at] === high && words[at + 1] === low && this.#age(at, nowMs) !== EXPIRED;
    }
    this.#unlock(bucket);
    return isSeen;
  }

  /**
   * Remembers a message, and holds it until it is done. Worker thread.
   * @param nowMs shared milliseconds, here as in all calls
   * @returns null if it has been seen
   */
  add(high: number, low: number, nowMs: number): SeenHold | null {
    const words = this.#words;
    if (this.#held === 0) throw new Error('the main thread holds no messages');
    this.#count = (this.#count + 1) & (2 ** (32 - OWNER_BITS) - 1);
    const mark = (this.#count << OWNER_BITS) | this.#owner;
    words[this.#held]++;
    const at = this.#insert(high, low, nowMs, mark);
    if (at > 0) return { at: at + Mark, mark };
    words[this.#held]--;
    return at === NO_LOCK ? nothingHeld : null;
  }

  /**
   * Remembers a message that needs no holding, such as our own. The main thread, which may not wait for a lock, tries
   * again in its next turns.
   */
  remember(high: number, low: number, nowMs: number, turns = MAX_TURNS): void {
    const at = this.#insert(high, low, nowMs, 0);
    if (at !== NO_LOCK || this.#held !== 0 || turns === 0) return;
    setImmediate(() => this.remember(high, low, nowMs, turns - 1)).unref();
  }

  /** The message is done: it stays remembered whatever becomes of this worker. */
  letGo({ at, mark }: SeenHold): void {
    if (at === 0) return;
    Atomics.compareExchange(this.#words, at, mark, 0);
    this.#words[this.#held]--;
  }

  /** The message was not taken after all: the next copy of it is new. */
  forget({ at, mark }: SeenHold): void {
    if (at === 0) return;
    const bucket = this.#bucketOf(at);
    if (this.#lock(bucket)) {
      if (Atomics.load(this.#words, at) === mark) this.#clear(at - Mark);
      this.#unlock(bucket);
    }
    this.#words[this.#held]--;
  }

  /**
   * Forgets what the worker before this one had in its hands, but for what it left behind in queues.
   * @param kept the marks of those, by their words; another mark there is that of a message that took the place
   * @returns how many messages
   */
  forgetHeld(kept: ReadonlyMap<number, number> = NONE): number {
    const words = this.#words;
    const owner = this.#owner;
    const end = this.#entries + this.#buckets * BUCKET_WORDS;
    let left = words[this.#held];
    let forgotten = 0;
    let stillHeld = 0;
    for (let at = this.#entries; at < end && left > 0; at += ENTRY_WORDS) {
      if ((words[at + Mark] & OWNER_MASK) !== owner) continue;
      left--;
      if (kept.get(at + Mark) === words[at + Mark]) {
        // New marks must differ from it.
        this.#count = Math.max(this.#count, words[at + Mark] >>> OWNER_BITS);
        stillHeld++;
        continue;
      }
      this.#forgetOwn(at);
      forgotten++;
    }
    words[this.#held] = stillHeld;
    return forgotten;
  }

  /** Takes back the lock that a dead worker may have had. Main thread. */
  recover(worker: number): void {
    for (let stripe = 0; stripe < SEEN_STRIPES; stripe++) {
      Atomics.compareExchange(this.#words, this.#lockWord(stripe), worker + 1, 0);
    }
  }

  /** @returns the entry's word, SEEN, or NO_LOCK */
  #insert(high: number, low: number, nowMs: number, mark: number): number {
    const bucket = this.#bucket(low);
    if (!this.#lock(bucket)) return NO_LOCK;
    const words = this.#words;
    const first = this.#entries + bucket * BUCKET_WORDS;
    let oldest = first;
    let oldestAge = Number.NEGATIVE_INFINITY;
    for (let at = first; at < first + BUCKET_WORDS; at += ENTRY_WORDS) {
      const age = this.#age(at, nowMs);
      if (words[at] === high && words[at + 1] === low) {
        if (age !== EXPIRED) {
          this.#unlock(bucket);
          return SEEN;
        }
        oldest = at;
        oldestAge = EXPIRED;
        break;
      }
      if (age > oldestAge) {
        oldest = at;
        oldestAge = age;
      }
    }
    if (oldestAge !== EXPIRED) addCounter(words, this.#forgotten, 1);
    // The mark goes first: a hash without its mark would outlive its worker.
    Atomics.store(words, oldest + Mark, mark);
    words[oldest + When] = nowMs;
    words[oldest] = high;
    words[oldest + 1] = low;
    this.#unlock(bucket);
    return oldest;
  }

  /** Age of an entry; EXPIRED for an empty one, too. */
  #age(at: number, nowMs: number): number {
    const words = this.#words;
    if (words[at] === 0 && words[at + 1] === 0) return EXPIRED;
    const age = (nowMs - words[at + When]) | 0;
    return age > -SKEW_MS && age < SEEN_MS ? age : EXPIRED;
  }

  /** Another thread may just be replacing it. */
  #forgetOwn(at: number): void {
    const bucket = this.#bucketOf(at);
    if (!this.#lock(bucket)) return;
    if ((Atomics.load(this.#words, at + Mark) & OWNER_MASK) === this.#owner) this.#clear(at);
    this.#unlock(bucket);
  }

  #clear(at: number): void {
    const words = this.#words;
    words[at] = 0;
    words[at + 1] = 0;
    Atomics.store(words, at + Mark, 0);
  }

  #bucket(low: number): number {
    return low & (this.#buckets - 1);
  }

  /** The bucket that a word lies in. */
  #bucketOf(at: number): number {
    return Math.floor((at - this.#entries) / BUCKET_WORDS);
  }

  #lockWord(bucket: number): number {
    return this.#locks + (bucket & (SEEN_STRIPES - 1)) * SEEN_STRIPE_WORDS;
  }

  /** @returns false if the lock can't be had in the time that this thread may wait: go on without */
  #lock(bucket: number): boolean {
    const words = this.#words;
    const lock = this.#lockWord(bucket);
    for (let tries = 0; tries < SPINS; tries++) {
      if (Atomics.compareExchange(words, lock, 0, this.#owner) === 0) return true;
    }
    if (this.#held === 0) return false;
    for (let waitedMs = 0; waitedMs < PATIENCE_MS; waitedMs++) {
      const owner = Atomics.compareExchange(words, lock, 0, this.#owner);
      if (owner === 0) return true;
      Atomics.wait(words, lock, owner, 1);
    }
    return false;
  }

  #unlock(bucket: number): void {
    Atomics.store(this.#words, this.#lockWord(bucket), 0);
  }
}
