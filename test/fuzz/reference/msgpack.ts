/** msgpack as its specification says it and this program takes it, value by value: slow, and simple enough to be right. */
import { textOf } from './text.js';

const MAX_DEPTH = 32;
const MAX_DATE_SECONDS = 8.64e12;
const LAST_EXACT = 2n ** 53n;

/** Why bytes are not taken does not matter here. */
class NotTaken extends Error {}

/** @returns the value, or null if the bytes are not exactly one that is taken */
export function msgpackOf(bytes: Uint8Array): { readonly value: unknown } | null {
  const reader = new Reader(Buffer.from(bytes));
  try {
    const value = reader.value(0);
    return reader.isAtEnd ? { value } : null;
  } catch (error) {
    if (error instanceof NotTaken) return null;
    throw error;
  }
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  value(depth: number): unknown {
    const first = this.#take(1)[0];
    if (first <= 0x7f) return first;
    if (first >= 0xe0) return first - 0x100;
    if (first <= 0x8f) return this.#map(first & 0x0f, depth);
    if (first <= 0x9f) return this.#array(first & 0x0f, depth);
    if (first <= 0xbf) return this.#text(first & 0x1f);
    switch (first) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return Uint8Array.from(this.#take(this.#length(1 << (first - 0xc4))));
      case 0xc7:
        return this.#date(this.#length(1));
      case 0xd6:
        return this.#date(4);
      case 0xd7:
        return this.#date(8);
      case 0xca:
        return this.#take(4).readFloatBE();
      case 0xcb:
        return this.#take(8).readDoubleBE();
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.#length(1 << (first - 0xcc));
      case 0xcf:
        return exact(this.#take(8).readBigUInt64BE());
      case 0xd0:
        return this.#take(1).readInt8();
      case 0xd1:
        return this.#take(2).readInt16BE();
      case 0xd2:
        return this.#take(4).readInt32BE();
      case 0xd3:
        return exact(this.#take(8).readBigInt64BE());
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#text(this.#length(1 << (first - 0xd9)));
      case 0xdc:
      case 0xdd:
        return this.#array(this.#length(first === 0xdc ? 2 : 4), depth);
      case 0xde:
      case 0xdf:
        return this.#map(this.#length(first === 0xde ? 2 : 4), depth);
    }
    throw new NotTaken();
  }

  #take(count: number): Buffer {
    if (count > this.#bytes.length - this.#at) throw new NotTaken();
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  #length(width: number): number {
    return this.#take(width).readUIntBE(0, width);
  }

  #text(length: number): string {
    const text = textOf(this.#take(length));
    if (text === null) throw new NotTaken();
    return text;
  }

  #array(length: number, depth: number): unknown[] {
    if (depth >= MAX_DEPTH) throw new NotTaken();
    const values: unknown[] = [];
    for (let i = 0; i < length; i++) values.push(this.value(depth + 1));
    return values;
  }

  #map(length: number, depth: number): Record<string, unknown> {
    if (depth >= MAX_DEPTH) throw new NotTaken();
    const map: Record<string, unknown> = {};
    for (let i = 0; i < length; i++) {
      const first = this.#bytes[this.#at];
      const key = first === undefined || isText(first) ? this.value(depth) : undefined;
      if (typeof key !== 'string' || key === '__proto__') throw new NotTaken();
      map[key] = this.value(depth + 1);
    }
    return map;
  }

  /** The one extension that is taken: type -1 in its three lengths. */
  #date(length: number): Date {
    const type = this.#take(1)[0];
    const bytes = this.#take(length);
    if (type !== 0xff) throw new NotTaken();
    if (length === 4) return new Date(bytes.readUInt32BE() * 1000);
    if (length === 8) {
      const both = bytes.readBigUInt64BE();
      return new Date(Number(both & 0x3_ffff_ffffn) * 1000 + Number(both >> 34n) / 1e6);
    }
    if (length !== 12) throw new NotTaken();
    const nanoseconds = bytes.readUInt32BE();
    const seconds = Number(bytes.readBigInt64BE(4));
    const isBeyond = Math.abs(seconds) > MAX_DATE_SECONDS || (seconds === MAX_DATE_SECONDS && nanoseconds > 0);
    if (nanoseconds >= 1e9 || isBeyond) throw new NotTaken();
    return new Date(seconds * 1000 + nanoseconds / 1e6);
  }
}

function isText(first: number): boolean {
  return (first >= 0xa0 && first <= 0xbf) || (first >= 0xd9 && first <= 0xdb);
}

/** A number where that is exact. */
function exact(value: bigint): number | bigint {
  return value >= -LAST_EXACT && value <= LAST_EXACT ? Number(value) : value;
}
