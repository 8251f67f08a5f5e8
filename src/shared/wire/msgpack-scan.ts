/**
 * Looks through msgpack bytes before anything is allocated for them. Pure; every thread. Input comes from peers: a few
 * bytes can declare containers of billions, or nest without end.
 */
import { MAX_MSGPACK_DEPTH } from '../limits.js';

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
const BLOB_LENGTH_BYTES: Readonly<Record<number, number>> = { 196: 1, 197: 2, 198: 4, 217: 1, 218: 2, 219: 4 };
/** Timestamps are the only extension (type -1), of 4, 8 or 12 bytes. */
const TIMESTAMP_TYPE = 0xff;

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
    const isText = (first >= 0xa0 && first <= 0xbf) || (first >= 0xd9 && first <= 0xdb);
    if (isKey && !isText) return 'map key is no text';
    if (first <= 0x7f || first >= 0xe0) return null;
    if (first <= 0x8f) return this.#container(2 * (first & 0x0f), true);
    if (first <= 0x9f) return this.#container(first & 0x0f, false);
    if (first <= 0xbf) return this.#skip(first & 0x1f);
    if (first in FIXED_BYTES) return this.#skip(FIXED_BYTES[first]);
    if (first in BLOB_LENGTH_BYTES) return this.#blob(BLOB_LENGTH_BYTES[first]);
    if (first >= 0xdc) return this.#longContainer(first);
    return this.#extension(first);
  }

  #blob(lengthBytes: number): string | null {
    const length = this.#number(lengthBytes);
    return length === null ? 'cut short' : this.#skip(length);
  }

  #longContainer(first: number): string | null {
    const count = this.#number(first % 2 === 0 ? 2 : 4);
    if (count === null) return 'cut short';
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
    const length = first === 0xd6 ? 4 : first === 0xd7 ? 8 : first === 0xc7 ? this.#number(1) : null;
    if (length === null || this.#bytes[this.#at] !== TIMESTAMP_TYPE) return 'extension type';
    if (length !== 4 && length !== 8 && length !== 12) return 'extension type';
    return this.#skip(1 + length);
  }

  #skip(bytes: number): string | null {
    if (bytes > this.#bytes.length - this.#at) return 'cut short';
    this.#at += bytes;
    return null;
  }

  #number(width: number): number | null {
    if (width > this.#bytes.length - this.#at) return null;
    let value = 0;
    for (let i = 0; i < width; i++) value = value * 256 + this.#bytes[this.#at++];
    return value;
  }
}

/** Null if the bytes are exactly one value within our bounds, else what is wrong. */
export function scanMsgpack(bytes: Uint8Array): string | null {
  return new Scan(bytes).run();
}
