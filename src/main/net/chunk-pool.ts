/**
 * Memory that outgoing bytes wait in between an outbound ring and the sockets. Main thread. One chunk is written to many
 * sockets, so chunks count their users; the last one to finish gives it back. Chunks count against the memory budget.
 */
import { viewOf } from '../../shared/memory/buffer-view.js';
import type { Allowance, Claim } from '../../shared/memory/memory-budget.js';

export class Chunk {
  readonly buffer: Buffer;
  /** Bytes filled. */
  used = 0;
  #users = 0;
  readonly #onFree: (chunk: Chunk) => void;
  readonly #memory: ArrayBuffer;

  constructor(bytes: number, onFree: (chunk: Chunk) => void) {
    this.buffer = Buffer.allocUnsafeSlow(bytes);
    this.#memory = this.buffer.buffer as ArrayBuffer;
    this.#onFree = onFree;
  }

  get room(): number {
    return this.buffer.length - this.used;
  }

  /** What each of its users keeps of it from being free: an equal share of all of it, however little of it they use. */
  get shareBytes(): number {
    return this.#users === 0 ? 0 : this.buffer.length / this.#users;
  }

  /** The bytes from `start` to `end`, for a socket to write. */
  view(start: number, end: number): Buffer {
    return viewOf(this.#memory, start, end - start);
  }

  retain(): void {
    this.#users++;
  }

  release(): void {
    if (this.#users <= 0) throw new Error('chunk released too often');
    if (--this.#users === 0) this.#onFree(this);
  }
}

/** Free chunks kept for the next turn. */
const MAX_FREE = 8;

export class ChunkPool {
  readonly chunkBytes: number;
  readonly #budget: Allowance;
  #free: Chunk[] = [];

  constructor(chunkBytes: number, budget: Allowance) {
    this.chunkBytes = chunkBytes;
    this.#budget = budget;
  }

  /** A chunk with room for `bytes`, retained once for the caller; null if the budget has no room for such a claim. */
  take(bytes: number, claim?: Claim): Chunk | null {
    if (bytes <= this.chunkBytes) {
      const free = this.#free.pop();
      if (free !== undefined) {
        free.used = 0;
        free.retain();
        return free;
      }
      return this.#make(this.chunkBytes, claim, (chunk) => this.#giveBack(chunk));
    }
    return this.exact(bytes, claim);
  }

  /** A chunk of exactly `bytes` that is not pooled. */
  exact(bytes: number, claim?: Claim): Chunk | null {
    return this.#make(bytes, claim, (chunk) => this.#budget.release(chunk.buffer.length));
  }

  /** Frees the chunks kept. */
  clear(): void {
    for (const chunk of this.#free) this.#budget.release(chunk.buffer.length);
    this.#free = [];
  }

  #make(bytes: number, claim: Claim | undefined, onFree: (chunk: Chunk) => void): Chunk | null {
    if (!this.#budget.reserve(bytes, claim)) return null;
    const chunk = new Chunk(bytes, onFree);
    chunk.retain();
    return chunk;
  }

  #giveBack(chunk: Chunk): void {
    if (this.#free.length < MAX_FREE) this.#free.push(chunk);
    else this.#budget.release(chunk.buffer.length);
  }
}
