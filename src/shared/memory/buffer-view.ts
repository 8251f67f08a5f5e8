/**
 * Buffers over memory that is there already. `Buffer.from` and `subarray` look at what they are given each time, which
 * shows where one is made for each message (`bench/micro.ts`).
 */

type BufferClass = new (memory: ArrayBuffer | SharedArrayBuffer, offset: number, length: number) => Buffer;

/** What buffers are made by when they are made of others: their own class, which has no name outside of Node. */
const FastBuffer = (Buffer as unknown as { readonly [Symbol.species]: BufferClass })[Symbol.species];

/** `length` bytes of `memory` from `offset` on, as a buffer on the same memory. */
export function viewOf(memory: ArrayBuffer | SharedArrayBuffer, offset: number, length: number): Buffer {
  return new FastBuffer(memory, offset, length);
}
