/**
 * Which connections have bytes, from the main thread (only producer) to one worker (only consumer). A slot's Queued
 * word, the generation of the entry that stands here, keeps it from standing here twice. An entry that is stale when it
 * comes out is ignored, and leaves the word of the slot's next connection alone, which may be another worker's.
 */
import type { Arena } from './arena.js';
import { Slot, Worker } from './arena-layout.js';

export class ReadyQueue {
  /** What the last successful `pop` took. */
  slot = -1;
  generation = 0;
  readonly #arena: Arena;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #entries: number;
  readonly #mask: number;
  readonly #head: number;
  readonly #tail: number;

  constructor(arena: Arena, worker: number) {
    this.#arena = arena;
    this.#words = arena.words;
    this.#entries = arena.layout.readyQueue(worker);
    this.#mask = arena.layout.readyCapacity - 1;
    this.#head = arena.layout.worker(worker) + Worker.ReadyHead;
    this.#tail = arena.layout.worker(worker) + Worker.ReadyTail;
  }

  /**
   * Producer: queues the slot unless it stands there already; `nowUs` (modulo 2^32) is when, for the worker's lag.
   * @returns whether it was queued: the caller then raises the worker's signal
   */
  push(slot: number, nowUs: number): boolean {
    const words = this.#words;
    const control = this.#arena.layout.slot(slot);
    const generation = words[control + Slot.Generation];
    if (Atomics.exchange(words, control + Slot.Queued, generation) === generation) return false;
    const tail = words[this.#tail];
    if (((tail - Atomics.load(words, this.#head)) | 0) > this.#mask) throw new Error('ready queue overflow');
    const entry = this.#entries + 2 * (tail & this.#mask);
    words[entry] = slot;
    words[entry + 1] = generation;
    words[control + Slot.ReadyAtUs] = nowUs;
    Atomics.store(words, this.#tail, (tail + 1) | 0);
    return true;
  }

  /** Consumer: takes the next entry that is not stale into `slot` and `generation`. False when the queue is empty. */
  pop(): boolean {
    const words = this.#words;
    for (;;) {
      const head = words[this.#head];
      if (head === Atomics.load(words, this.#tail)) return false;
      const entry = this.#entries + 2 * (head & this.#mask);
      const slot = words[entry];
      const generation = words[entry + 1];
      Atomics.store(words, this.#head, (head + 1) | 0);
      const control = this.#arena.layout.slot(slot);
      // Cleared before the consumer loads the write cursor, so bytes that come later queue the slot again.
      if (Atomics.compareExchange(words, control + Slot.Queued, generation, 0) !== generation) continue;
      this.slot = slot;
      this.generation = generation;
      return true;
    }
  }

  get isEmpty(): boolean {
    return Atomics.load(this.#words, this.#head) === Atomics.load(this.#words, this.#tail);
  }

  /** Empties the queue while no consumer runs, before a replacement worker starts. */
  reset(): void {
    Atomics.store(this.#words, this.#head, Atomics.load(this.#words, this.#tail));
  }
}
