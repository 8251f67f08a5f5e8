/** The wire vectors of the specification, read from this package's own copy. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../../architecture/source-files.js';

/** Bytes as the vectors write them: hex, a repetition, or a list of these. */
export type Notation = string | { readonly repeat: string; readonly count: number } | readonly Notation[];

export function bytesOf(notation: Notation): Buffer {
  if (typeof notation === 'string') return Buffer.from(notation, 'hex');
  if (Array.isArray(notation)) return Buffer.concat(notation.map(bytesOf));
  const { repeat, count } = notation as { repeat: string; count: number };
  return Buffer.from(repeat.repeat(count), 'hex');
}

export const vectorFiles = ['frames.json', 'handshakes.json', 'peer-lists.json'] as const;

export function readVectors<T>(name: (typeof vectorFiles)[number]): T[] {
  return (JSON.parse(readFileSync(join(root, 'test/vectors', name), 'utf8')) as { vectors: T[] }).vectors;
}

/** The copy that the project shares, where this checkout stands beside it. */
export function sharedCopy(name: string): string | null {
  const file = join(root, '../shared/vectors', name);
  return existsSync(file) ? readFileSync(file, 'utf8') : null;
}

export interface FrameVector {
  readonly name: string;
  readonly input: Notation;
  readonly expect: readonly ({ type: string; payload: Notation } | { drop: string } | { close: string })[];
  readonly rest: number | null;
}

/** What a decoder found, in a form that is easy to compare. */
export type Found = { type: string; payload: string } | { drop: number } | { close: number };

export function expectedOf(vector: FrameVector): Found[] {
  return vector.expect.map((item) => {
    if ('drop' in item) return { drop: Number(item.drop) };
    if ('close' in item) return { close: Number(item.close) };
    return { type: item.type, payload: digest(bytesOf(item.payload)) };
  });
}

/** Payloads of megabytes are compared by length and both ends. */
export function digest(payload: Uint8Array): string {
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
  if (payload.length <= 4096) return hex(payload);
  let sum = 0;
  for (const byte of payload) sum = (Math.imul(sum, 31) + byte) | 0;
  return `${payload.length}:${sum}:${hex(payload.subarray(0, 16))}:${hex(payload.subarray(-16))}`;
}

/** Cuts bytes at the given places. */
export function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const sorted = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  const pieces: Buffer[] = [];
  let from = 0;
  for (const place of [...sorted, bytes.length]) {
    if (place > from) pieces.push(bytes.subarray(from, place));
    from = place;
  }
  return pieces;
}
