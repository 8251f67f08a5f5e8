/**
 * Lets V8 feel the weight of shared memory. A `SharedArrayBuffer` counts as nothing for the heap of a thread (V8's
 * `JSArrayBuffer` leaves shared ones out of its accounts), so buffers that nobody uses any more cause no collection, and
 * gigabytes of them may lie about. Whoever holds such a buffer holds a weight beside it: an ordinary buffer of the same
 * size that nothing ever touches, so that it has no pages, and is counted. Both are collected together. Each thread.
 */

type ResizableArrayBuffer = new (bytes: number, options: { readonly maxByteLength: number }) => ArrayBuffer;

/** A weight of so many bytes. */
export function heapWeight(bytes: number): ArrayBuffer {
  // One that may grow is mapped for itself: from the allocator it could get pages that were used before, and are cleared.
  return new (ArrayBuffer as unknown as ResizableArrayBuffer)(bytes, { maxByteLength: bytes });
}
