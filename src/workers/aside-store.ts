/**
 * Memory for frames that don't fit in a ring, and for messages that wait for queued handlers. Worker thread. Buffers are
 * shared, and the main thread is told of each, so that a replacement worker finds half-assembled frames. Sizes are powers
 * of two from 64 KiB and three steps between each; some free buffers are kept for the next large frames while memory is
 * not short. All of it counts against the memory budget, the free ones too.
 */
import { heapWeight } from '../shared/memory/heap-weight.js';
import type { Allowance } from '../shared/memory/memory-budget.js';

/** One buffer. `id` is unique within its worker and never 0. */
export interface Aside {
  readonly id: number;
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  readonly weight: ArrayBuffer;
}

const MIN_BYTES = 64 * 1024;
const STEPS_PER_DOUBLING = 4;

export class AsideStore {
  readonly #budget: Allowance;
  readonly #announce: (id: number, buffer: SharedArrayBuffer | null) => void;
  readonly #maxFreeBytes: number;
  readonly #mayKeep: () => boolean;
  #free: Aside[] = [];
  #freeBytes = 0;
  #lastId = 0;

  /**
   * @param maxFreeBytes of free buffers that are kept for the next large frames
   * @param announce tells the main thread of a buffer, or with null that it is gone
   * @param mayKeep whether there is memory for free buffers at all
   */
  constructor(
    budget: Allowance,
    maxFreeBytes: number,
    announce: (id: number, buffer: SharedArrayBuffer | null) => void,
    mayKeep: () => boolean = () => true,
  ) {
    this.#budget = budget;
    this.#maxFreeBytes = maxFreeBytes;
    this.#announce = announce;
    this.#mayKeep = mayKeep;
  }

  /** Takes a buffer over from a worker that died. */
  adopt(id: number, buffer: SharedArrayBuffer): Aside {
    this.#lastId = Math.max(this.#lastId, id);
    return { id, bytes: new Uint8Array(buffer), weight: heapWeight(buffer.byteLength) };
  }

  /**
   * A buffer of at least `bytes`; a free one that happens to be larger is memory that is there anyway. Null if the budget
   * has no room.
   */
  take(bytes: number): Aside | null {
    const free = this.#takeFree(bytes);
    if (free !== null) return free;
    const capacity = capacityFor(bytes);
    while (!this.#budget.reserve(capacity)) {
      if (!this.#dropOne()) return null;
    }
    const memory = new Uint8Array(new SharedArrayBuffer(capacity));
    const aside = { id: ++this.#lastId, bytes: memory, weight: heapWeight(capacity) };
    this.#announce(aside.id, aside.bytes.buffer);
    return aside;
  }

  /** Gives a buffer back. */
  give(aside: Aside): void {
    this.#free.push(aside);
    this.#freeBytes += aside.bytes.length;
    const keptBytes = this.#mayKeep() ? this.#maxFreeBytes : 0;
    while (this.#freeBytes > keptBytes) this.#dropOne();
  }

  /** Gives up all free buffers: others are short of memory. */
  clear(): void {
    while (this.#dropOne());
  }

  /** The smallest free buffer that is large enough. */
  #takeFree(bytes: number): Aside | null {
    let best = -1;
    for (let i = 0; i < this.#free.length; i++) {
      const size = this.#free[i].bytes.length;
      if (size >= bytes && (best === -1 || size < this.#free[best].bytes.length)) best = i;
    }
    if (best === -1) return null;
    const [aside] = this.#free.splice(best, 1);
    this.#freeBytes -= aside.bytes.length;
    return aside;
  }

  #dropOne(): boolean {
    const aside = this.#free.shift();
    if (aside === undefined) return false;
    this.#freeBytes -= aside.bytes.length;
    this.#budget.release(aside.bytes.length);
    this.#announce(aside.id, null);
    return true;
  }
}

/** The smallest size of a buffer for so many bytes. */
function capacityFor(bytes: number): number {
  if (bytes <= MIN_BYTES) return MIN_BYTES;
  const step = 2 ** Math.floor(Math.log2(bytes)) / STEPS_PER_DOUBLING;
  return Math.ceil(bytes / step) * step;
}
