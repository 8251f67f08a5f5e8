/**
 * Buffers over memory that is there already. `Buffer.from` and `subarray` look at what they are given each time, at twice the
 * price of the view itself, which shows where one is made for each message (`bench echo`).
 */

/** A buffer in all but the way it is made. */
class BufferView extends Uint8Array {}
// What a buffer does to make another one (`slice`, `subarray`) asks its constructor: that gives true buffers.
Object.defineProperty(BufferView.prototype, 'constructor', { value: Buffer, writable: true, configurable: true });
Object.setPrototypeOf(BufferView.prototype, Buffer.prototype);

/** `length` bytes of `memory` from `offset` on, as a buffer on the same memory. */
export function viewOf(memory: ArrayBuffer | SharedArrayBuffer, offset: number, length: number): Buffer {
  return new BufferView(memory as ArrayBuffer, offset, length) as unknown as Buffer;
}
