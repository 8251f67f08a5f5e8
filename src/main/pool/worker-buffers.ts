/**
 * Shared buffers that a worker has taken, for frames that are assembled aside or for messages that wait for queued
 * handlers. Main thread: it has them so that they outlive the worker, and beside each what V8 is to count for it.
 */
import { heapWeight } from '../../shared/memory/heap-weight.js';

export class WorkerBuffers {
  readonly #buffers = new Map<number, SharedArrayBuffer>();
  readonly #weights = new Map<number, ArrayBuffer>();

  /** By their IDs. */
  get all(): ReadonlyMap<number, SharedArrayBuffer> {
    return this.#buffers;
  }

  /** The worker has taken a buffer, or with null given it up. */
  set(id: number, buffer: SharedArrayBuffer | null): void {
    if (buffer === null) {
      this.#buffers.delete(id);
      this.#weights.delete(id);
    } else {
      this.#buffers.set(id, buffer);
      this.#weights.set(id, heapWeight(buffer.byteLength));
    }
  }

  /** Gives up all that nobody needs. @returns bytes of those that stay */
  keep(isNeeded: (id: number, buffer: SharedArrayBuffer) => boolean): number {
    let keptBytes = 0;
    for (const [id, buffer] of this.#buffers) {
      if (isNeeded(id, buffer)) keptBytes += buffer.byteLength;
      else this.set(id, null);
    }
    return keptBytes;
  }
}
