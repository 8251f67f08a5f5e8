/**
 * Payloads of types declared with `codec: 'msgpack'`: plain interoperable msgpack of bounded size and depth. Every
 * thread has its own; values are encoded and decoded in the thread that owns them.
 *
 * Values are null, booleans, numbers, bigints of 64 bits, text, `Uint8Array`, `Date`, arrays, plain objects, and Maps
 * with text as keys, which arrive as objects. Integers arrive as numbers up to 2^53 and as bigints beyond; -0 as 0.
 */
import { Packr, Unpackr } from 'msgpackr';
import { MAX_MSGPACK_BYTES, MAX_MSGPACK_DEPTH } from '../limits.js';
import { scanMsgpack } from './msgpack-scan.js';

/** msgpackr knows 'auto' (a number where that is exact, else a bigint); its types don't. */
const int64AsType = 'auto' as 'number';
const options = { useRecords: false, mapsAsObjects: true, moreTypes: false, int64AsType };
const packr = new Packr(options);
const unpackr = new Unpackr(options);

const INT64_MIN = -(2n ** 63n);
const UINT64_MAX = 2n ** 64n - 1n;

export type Decoded = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly why: string };

/** @throws TypeError if the value is too large, too deep, or holds what msgpack has no plain form for */
export function encodeValue(value: unknown, maxBytes = MAX_MSGPACK_BYTES): Uint8Array {
  let fault: string | null;
  let bytes: Uint8Array | null = null;
  try {
    fault = new PlainValue(maxBytes).faultOf(value, 0);
    if (fault === null) {
      bytes = packr.pack(value);
      fault = encodingFault(bytes, maxBytes);
    }
  } catch (cause) {
    throw new TypeError(`value can't be encoded: ${(cause as Error).message}`, { cause });
  }
  if (fault !== null || bytes === null) throw new TypeError(`value can't be encoded: ${fault}`);
  return bytes;
}

/** Why bytes of a peer do not decode; null if they do. Nothing is allocated for the value. */
export function encodingFault(bytes: Uint8Array, maxBytes = MAX_MSGPACK_BYTES): string | null {
  return bytes.length > maxBytes ? tooLarge(maxBytes) : scanMsgpack(bytes);
}

/** Decodes bytes of a peer, which may lie in shared memory. Never throws. What comes out shares no memory with them. */
export function decodeValue(bytes: Uint8Array, maxBytes = MAX_MSGPACK_BYTES): Decoded {
  if (bytes.length > maxBytes) return { ok: false, why: tooLarge(maxBytes) };
  const own = new Uint8Array(bytes);
  const why = encodingFault(own, maxBytes);
  if (why !== null) return { ok: false, why };
  try {
    return { ok: true, value: unpackr.unpack(own) };
  } catch (error) {
    return { ok: false, why: (error as Error).message };
  }
}

function tooLarge(maxBytes: number): string {
  return `over ${maxBytes} bytes`;
}

/**
 * What msgpackr would write in a lossy form without a word (a Set as an array, a DataView as nothing, boxed values as
 * objects), and what never ends: bytes are counted, since the same array can stand in a value many times over.
 */
class PlainValue {
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  faultOf(value: unknown, depth: number): string | null {
    // Every value takes a byte at least.
    this.#bytes += 1;
    if (typeof value === 'string') this.#bytes += value.length;
    else if (value instanceof Uint8Array) this.#bytes += value.length;
    if (this.#bytes > this.#maxBytes) return tooLarge(this.#maxBytes);
    switch (typeof value) {
      case 'string':
      case 'number':
      case 'boolean':
        return null;
      case 'bigint':
        return value < INT64_MIN || value > UINT64_MAX ? 'a bigint is over 64 bits' : null;
      case 'object':
        return value === null ? null : this.#objectFault(value, depth);
      default:
        return `it holds ${typeof value === 'undefined' ? 'undefined' : `a ${typeof value}`}`;
    }
  }

  #objectFault(value: object, depth: number): string | null {
    if (value instanceof Uint8Array) return null;
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'a date is invalid' : null;
    if (depth >= MAX_MSGPACK_DEPTH) return `deeper than ${MAX_MSGPACK_DEPTH}`;
    const isMap = value instanceof Map;
    if (!isMap && !Array.isArray(value) && !isPlain(value)) return `it holds ${ofClass(value)}`;
    if (isMap) for (const key of value.keys()) if (typeof key !== 'string') return 'map key is no text';
    // By `for of` an array shows its holes.
    for (const item of isMap ? value.values() : Array.isArray(value) ? value : Object.values(value)) {
      const fault = this.faultOf(item, depth + 1);
      if (fault !== null) return fault;
    }
    return null;
  }
}

function ofClass(value: object): string {
  const name: unknown = value.constructor?.name;
  return typeof name === 'string' && name !== '' ? `an instance of ${name}` : 'an instance of a class';
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}
