/**
 * Looks through msgpack bytes before anything is allocated for them. Pure; every thread. Input comes from peers: a few
 * bytes can declare containers of billions, or nest without end.
 */
import { isUtf8 } from 'node:buffer';
import { MAX_MSGPACK_DEPTH } from '../limits.js';
import { readUint32BE } from './frame.js';

/** Bytes after the first one of each format, and what they mean: value bytes, then length fields. */
const FIXED_BYTES: Readonly<Record<number, number>> = {
  192: 0,
  194: 0,
  195: 0,
  202: 4,
  203: 8,
  204: 1,
  205: 2,
  206: 4,
  207: 8,
  208: 1,
  209: 2,
  210: 4,
  211: 8,
};
/** Width of the length field of bin and str formats. */
const BIN_LENGTH_BYTES: Readonly<Record<number, number>> = { 196: 1, 197: 2, 198: 4 };
const TEXT_LENGTH_BYTES: Readonly<Record<number, number>> = { 217: 1, 218: 2, 219: 4 };
const NEVER_USED = 0xc1;
/** Timestamps are the only extension (type -1), of 4, 8 or 12 bytes. */
const TIMESTAMP_TYPE = 0xff;
/** What a `Date` can hold (ECMA-262 21.4.1.1): beyond it a decoded timestamp would be an invalid date. */
const MAX_TIMESTAMP_SECONDS = 8.64e12;
const MAX_NANOSECONDS = 999_999_999;
/** Up to here a loop over a text beats a call into the runtime. */
const SHORT_TEXT_BYTES = 24;
/** As an object's key it could stand for the prototype, so decoders rename it or worse. */
const PROTO_KEY = [...Buffer.from('__proto__')];

class Scan {
  readonly #bytes: Uint8Array;
  #at = 0;
  /** Values still to come at each level, and whether it is a map waiting for a key. */
  readonly #left: number[] = [1];
  readonly #isMap: boolean[] = [false];

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  run(): string | null {
    while (this.#left.length > 0) {
      const top = this.#left.length - 1;
      if (this.#left[top] === 0) {
        this.#left.pop();
        this.#isMap.pop();
        continue;
      }
      const isKey = this.#isMap[top] && this.#left[top] % 2 === 0;
      this.#left[top]--;
      const fault = this.#value(isKey);
      if (fault !== null) return fault;
    }
    return this.#at === this.#bytes.length ? null : 'bytes after the value';
  }

  #value(isKey: boolean): string | null {
    if (this.#at >= this.#bytes.length) return 'cut short';
    const first = this.#bytes[this.#at++];
    if (first >= 0xa0 && first <= 0xbf) return this.#text(first & 0x1f, isKey);
    if (first in TEXT_LENGTH_BYTES) return this.#text(this.#number(TEXT_LENGTH_BYTES[first]), isKey);
    if (isKey) return 'map key is no text';
    if (first <= 0x7f || first >= 0xe0) return null;
    if (first <= 0x8f) return this.#container(2 * (first & 0x0f), true);
    if (first <= 0x9f) return this.#container(first & 0x0f, false);
    if (first in FIXED_BYTES) return this.#skip(FIXED_BYTES[first]);
    if (first in BIN_LENGTH_BYTES) return this.#skip(this.#number(BIN_LENGTH_BYTES[first]));
    if (first >= 0xdc) return this.#longContainer(first);
    return first === NEVER_USED ? 'byte c1, which is never used' : this.#extension(first);
  }

  #text(length: number, isKey: boolean): string | null {
    const from = this.#at;
    const fault = this.#skip(length);
    if (fault !== null) return fault;
    if (!this.#isUtf8(from, this.#at)) return 'text is not UTF-8';
    return isKey && this.#isProto(from, length) ? 'map key __proto__' : null;
  }

  #isUtf8(from: number, to: number): boolean {
    let at = from;
    if (to - from <= SHORT_TEXT_BYTES) while (at < to && this.#bytes[at] < 0x80) at++;
    return at === to || isUtf8(this.#bytes.subarray(from, to));
  }

  #isProto(from: number, length: number): boolean {
    return length === PROTO_KEY.length && PROTO_KEY.every((byte, i) => this.#bytes[from + i] === byte);
  }

  #longContainer(first: number): string | null {
    const count = this.#number(first % 2 === 0 ? 2 : 4);
    const isMap = first >= 0xde;
    return this.#container(isMap ? 2 * count : count, isMap);
  }

  #container(values: number, isMap: boolean): string | null {
    // Every value takes a byte at least.
    if (values > this.#bytes.length - this.#at) return 'cut short';
    if (this.#left.length > MAX_MSGPACK_DEPTH) return `deeper than ${MAX_MSGPACK_DEPTH}`;
    this.#left.push(values);
    this.#isMap.push(isMap);
    return null;
  }

  #extension(first: number): string | null {
    const length = first === 0xd6 ? 4 : first === 0xd7 ? 8 : first === 0xc7 ? this.#number(1) : 0;
    const at = this.#at + 1;
    const fault = this.#skip(1 + length);
    if (fault !== null) return fault;
    if (this.#bytes[at - 1] !== TIMESTAMP_TYPE || ![4, 8, 12].includes(length)) return 'extension type';
    return length === 12 ? this.#longTimestamp(at) : null;
  }

  /** [u32 nanoseconds][i64 seconds]; the shorter forms can't leave the range of a `Date`. */
  #longTimestamp(at: number): string | null {
    const nanoseconds = readUint32BE(this.#bytes, at);
    const seconds = (readUint32BE(this.#bytes, at + 4) | 0) * 2 ** 32 + readUint32BE(this.#bytes, at + 8);
    const isAfter = seconds > MAX_TIMESTAMP_SECONDS || (seconds === MAX_TIMESTAMP_SECONDS && nanoseconds > 0);
    const isInRange = nanoseconds <= MAX_NANOSECONDS && seconds >= -MAX_TIMESTAMP_SECONDS && !isAfter;
    return isInRange ? null : 'timestamp out of range';
  }

  #skip(bytes: number): string | null {
    if (bytes > this.#bytes.length - this.#at) return 'cut short';
    this.#at += bytes;
    return null;
  }

  /** A length field. More than there can be where the field itself is cut short. */
  #number(width: number): number {
    if (width > this.#bytes.length - this.#at) return Number.POSITIVE_INFINITY;
    let value = 0;
    for (let i = 0; i < width; i++) value = value * 256 + this.#bytes[this.#at++];
    return value;
  }
}

/** Null if the bytes are exactly one value within our bounds, else what is wrong. */
export function scanMsgpack(bytes: Uint8Array): string | null {
  return new Scan(bytes).run();
}
