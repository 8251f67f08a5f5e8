/**
 * Owns one table of the address book: buckets of 64 places, and which key stands in which. Where a key may stand is
 * hashed with a secret, so that nobody outside can aim at a place. Main thread.
 */
import { hash } from 'node:crypto';

const BUCKET_PLACES = 64;

export class BookTable {
  /** The secret and the name of the table: what every hash begins with. */
  readonly #prefix: string;
  readonly #buckets: number;
  readonly #bucketsPerShare: number;
  readonly #places: (string | null)[];
  readonly #placeOf = new Map<string, number>();
  /** Keys by bucket, for buckets that are not empty, and those buckets, to pick from at random. */
  readonly #keysIn: string[][];
  readonly #filled: number[] = [];

  /** @param bucketsPerShare how many of the buckets one owner of a share reaches */
  constructor(secret: Uint8Array, name: string, buckets: number, bucketsPerShare: number) {
    this.#prefix = `${Buffer.from(secret).toString('hex')} ${name} `;
    this.#buckets = buckets;
    this.#bucketsPerShare = bucketsPerShare;
    this.#places = new Array(buckets * BUCKET_PLACES).fill(null);
    this.#keysIn = Array.from({ length: buckets }, () => []);
  }

  get size(): number {
    return this.#placeOf.size;
  }

  keys(): IterableIterator<string> {
    return this.#placeOf.keys();
  }

  /** The one place where a key may stand. `share` owns a few buckets, `spread` chooses among them. */
  placeOf(share: string, spread: string, key: string): number {
    const within = this.#hash('share', share, spread) % this.#bucketsPerShare;
    const bucket = this.#hash('bucket', share, String(within)) % this.#buckets;
    return bucket * BUCKET_PLACES + (this.#hash('place', String(bucket), key) % BUCKET_PLACES);
  }

  at(place: number): string | null {
    return this.#places[place] ?? null;
  }

  put(place: number, key: string): void {
    if (this.#places[place] !== null || this.#placeOf.has(key)) throw new Error(`place ${place} or '${key}' is taken`);
    const bucket = Math.floor(place / BUCKET_PLACES);
    this.#places[place] = key;
    this.#placeOf.set(key, place);
    if (this.#keysIn[bucket]!.push(key) === 1) this.#filled.push(bucket);
  }

  remove(key: string): void {
    const place = this.#placeOf.get(key);
    if (place === undefined) throw new Error(`'${key}' is not in the table`);
    const bucket = Math.floor(place / BUCKET_PLACES);
    this.#places[place] = null;
    this.#placeOf.delete(key);
    const keys = this.#keysIn[bucket]!;
    keys.splice(keys.indexOf(key), 1);
    if (keys.length === 0) this.#filled.splice(this.#filled.indexOf(bucket), 1);
  }

  /** A key from a random bucket: who fills few buckets is picked seldom, however much stands in them. */
  pick(random: () => number): string {
    const bucket = this.#filled[Math.floor(random() * this.#filled.length)]!;
    const keys = this.#keysIn[bucket]!;
    return keys[Math.floor(random() * keys.length)]!;
  }

  #hash(...parts: readonly string[]): number {
    let text = this.#prefix;
    for (const part of parts) text += `${part.length}:${part}`;
    return Number.parseInt(hash('sha256', text, 'hex').slice(0, 8), 16);
  }
}
