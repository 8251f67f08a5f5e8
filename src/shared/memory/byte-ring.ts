/**
 * The producer's side of a slot's ring: the main thread lends regions of it to the kernel and publishes what arrived.
 * (The consumer's side is the frame decoder, which parses in place.) Cursors count bytes modulo 2^32 and are compared by
 * signed difference; the ring holds the bytes from ReadCursor to WriteCursor.
 *
 * Invariant, asserted in `commit`: WriteCursor - ReadCursor never passes the capacity.
 */
import type { Arena } from './arena.js';
import { Slot } from './arena-layout.js';

export class ByteRing {
  readonly capacity: number;
  readonly #arena: Arena;
  readonly #base: number;
  readonly #write: number;
  readonly #read: number;
  readonly #paused: number;

  constructor(arena: Arena, slot: number) {
    const control = arena.layout.slot(slot);
    this.capacity = arena.layout.geometry.ringBytes;
    this.#arena = arena;
    this.#base = arena.layout.ring(slot);
    this.#write = control + Slot.WriteCursor;
    this.#read = control + Slot.ReadCursor;
    this.#paused = control + Slot.ReadPaused;
  }

  /** Bytes that may be written. */
  get free(): number {
    const words = this.#arena.words;
    return this.capacity - ((words[this.#write] - Atomics.load(words, this.#read)) | 0);
  }

  /** The next free bytes without a wrap, at most `maxBytes`. Empty only if the ring is full. */
  region(maxBytes: number): Uint8Array<SharedArrayBuffer> {
    const offset = this.#arena.words[this.#write] & (this.capacity - 1);
    const bytes = Math.min(this.free, this.capacity - offset, maxBytes);
    return new Uint8Array(this.#arena.buffer, this.#base + offset, bytes);
  }

  /** Publishes `bytes` that were written into the last region. */
  commit(bytes: number): void {
    if (bytes > this.free) throw new Error(`ring overrun: ${bytes} bytes into ${this.free}`);
    const words = this.#arena.words;
    Atomics.store(words, this.#write, (words[this.#write] + bytes) | 0);
  }

  /**
   * Says that the socket is not read until half of the ring is free; the worker then sends `resume`.
   * @returns false if the worker made that room meanwhile: go on reading, no `resume` will come
   */
  pause(): boolean {
    const words = this.#arena.words;
    Atomics.store(words, this.#paused, 1);
    if (this.free < this.capacity / 2) return true;
    // Whoever takes the flag back decides: if the worker did, its `resume` is on the way.
    return Atomics.compareExchange(words, this.#paused, 1, 0) === 0;
  }
}
