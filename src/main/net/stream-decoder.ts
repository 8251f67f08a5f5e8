/**
 * Frames out of one socket's bytes, for the light client of `send` and `tap`. Main thread. The node itself decodes in
 * place in its workers; this one keeps what has arrived in a buffer that grows with it, in linear time.
 */
import { ErrorCode } from '../../shared/errors.js';
import {
  FRAME_HEADER_BYTES,
  LENGTH_FIELD_BYTES,
  MAX_FRAME_LENGTH,
  MAX_TYPE_BYTES,
  TYPE_LENGTH_FIELD_BYTES,
} from '../../shared/limits.js';
import { readUint16BE, readUint32BE } from '../../shared/wire/frame.js';
import { isValidTypeBytes } from '../../shared/wire/message-type.js';

/** A frame as it arrived. The payload is the receiver's to keep. */
export interface ReceivedFrame {
  readonly type: string;
  readonly payload: Buffer;
}

/** What the decoder found: a frame, a frame dropped, or the end (rulings 1). */
export type Decoded =
  | ({ readonly kind: 'frame' } & ReceivedFrame)
  | { readonly kind: 'drop'; readonly code: number }
  | { readonly kind: 'close'; readonly code: number };

const FIRST_BYTES = 64 * 1024;

export class StreamDecoder {
  #buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  #start = 0;
  #end = 0;
  /** Bytes of a dropped frame still to come. */
  #skip = 0;
  #closed = false;

  /** Bytes of a frame that has begun. */
  get rest(): number {
    return this.#end - this.#start;
  }

  /** Takes bytes in and hands out what they complete, in order. After `close` nothing more is read. */
  *push(chunk: Uint8Array): Generator<Decoded, void, undefined> {
    if (this.#closed) return;
    this.#append(chunk);
    for (let found = this.#next(); found !== null; found = this.#next()) {
      yield found;
      if (found.kind !== 'close') continue;
      this.#closed = true;
      this.#start = this.#end;
      return;
    }
  }

  #next(): Decoded | null {
    const skipped = Math.min(this.#skip, this.rest);
    this.#skip -= skipped;
    this.#start += skipped;
    if (this.rest < LENGTH_FIELD_BYTES) return null;
    const at = this.#start;
    const length = readUint32BE(this.#buffer, at);
    if (length > MAX_FRAME_LENGTH) return { kind: 'close', code: ErrorCode.MessageTooLarge };
    if (length < TYPE_LENGTH_FIELD_BYTES) return this.#drop(length);
    if (this.rest < FRAME_HEADER_BYTES) return null;
    const typeBytes = readUint16BE(this.#buffer, at + LENGTH_FIELD_BYTES);
    const fits = typeBytes > 0 && typeBytes <= MAX_TYPE_BYTES && typeBytes <= length - TYPE_LENGTH_FIELD_BYTES;
    if (!fits) return this.#drop(length);
    if (this.rest < LENGTH_FIELD_BYTES + length) return null;
    const typeAt = at + FRAME_HEADER_BYTES;
    if (!isValidTypeBytes(this.#buffer, typeAt, typeBytes)) return this.#drop(length);
    const type = this.#buffer.toString('utf8', typeAt, typeAt + typeBytes);
    const end = at + LENGTH_FIELD_BYTES + length;
    const payload = Buffer.from(this.#buffer.subarray(typeAt + typeBytes, end));
    this.#start = end;
    return { kind: 'frame', type, payload };
  }

  #drop(length: number): Decoded {
    this.#skip = LENGTH_FIELD_BYTES + length;
    return { kind: 'drop', code: ErrorCode.InvalidMessageFormat };
  }

  #append(chunk: Uint8Array): void {
    const { rest } = this;
    if (this.#end + chunk.length > this.#buffer.length) {
      const needed = rest + chunk.length;
      // Doubled only when what is kept fills half of it: otherwise moving it to the front is enough.
      const bytes = needed > this.#buffer.length / 2 ? 2 * needed : this.#buffer.length;
      const target = bytes > this.#buffer.length ? Buffer.allocUnsafeSlow(bytes) : this.#buffer;
      this.#buffer.copy(target, 0, this.#start, this.#end);
      this.#buffer = target;
      this.#start = 0;
      this.#end = rest;
    }
    this.#buffer.set(chunk, this.#end);
    this.#end += chunk.length;
  }
}
