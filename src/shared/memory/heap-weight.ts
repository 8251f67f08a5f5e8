/**
 * Lets V8 feel the weight of shared memory. A `SharedArrayBuffer` counts as nothing for the heap of a thread (V8's
 * `JSArrayBuffer` leaves shared ones out of its accounts), so buffers that nobody uses any more cause no collection, and
 * gigabytes of them may lie about. Whoever holds such a buffer holds a weight beside it: an ordinary buffer of the same
 * size that nothing ever touches, so that it has no pages, and is counted. Both are collected together. Each thread.
 */

/**
 * V8 collects after some 64 MiB of new buffers. A weight counts for more than what it stands for, so that there are fewer
 * bytes of garbage by then: there may be as much for each thread, beside the memory budget.
 */
const HEAVINESS = 4;

type ResizableArrayBuffer = new (bytes: number, options: { readonly maxByteLength: number }) => ArrayBuffer;

/** A weight for so many bytes of shared memory. */
export function heapWeight(bytes: number): ArrayBuffer {
  const weight = bytes * HEAVINESS;
  try {
    // One that may grow is mapped for itself: from the allocator it could get pages that were used before, and are cleared.
    return new (ArrayBuffer as unknown as ResizableArrayBuffer)(weight, { maxByteLength: weight });
  } catch {
    // A system that counts what is mapped but not there may refuse it; nothing depends on it.
    return new ArrayBuffer(0);
  }
}
