/**
 * Message types by their bytes, so that a frame's type is neither decoded nor validated a second time. Worker thread.
 * What is found here is valid UTF-8 without control characters (rulings 1). Peers can't make it grow: after
 * MAX_LEARNED types that nobody here declared, further ones share one entry.
 */
import { isValidTypeBytes } from '../shared/wire/message-type.js';

/** What the worker knows of one message type. */
export interface TypeEntry<Route> {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Number in the worker's type table; 0 counts as `other`. */
  readonly number: number;
  /** Changes once if somebody here declares a type that peers sent before. */
  route: Route;
  /** Messages since the counters were last published. */
  received: number;
  /** Inline handlers that ran since the clock was last looked at. */
  untimed: number;
}

const MAX_LEARNED = 1024;
/** A power of two, so sparse that probes stay short. */
const BUCKETS = 4096;

export class TypeInterner<Route> {
  readonly #buckets: (TypeEntry<Route> | undefined)[] = new Array(BUCKETS).fill(undefined);
  readonly #number: (name: string) => number;
  readonly #unknown: Route;
  /** Shared by types that there is no room to learn. */
  readonly overflow: TypeEntry<Route>;
  /** Entries with messages not yet counted. */
  readonly touched: TypeEntry<Route>[] = [];
  /** The first `untimedCount` are entries whose handlers ran, and the time is not counted yet. Never shrinks. */
  readonly untimed: TypeEntry<Route>[] = [];
  untimedCount = 0;
  #learned = 0;

  /** `number` gives a type its number; types nobody declared get the route `unknown`. */
  constructor(number: (name: string) => number, unknown: Route) {
    this.#number = number;
    this.#unknown = unknown;
    this.overflow = { name: '', bytes: new Uint8Array(0), number: 0, route: unknown, received: 0, untimed: 0 };
  }

  /** Declares a type; the same type again gives the same entry. */
  declare(name: string, route: () => Route): TypeEntry<Route> {
    const bytes = new Uint8Array(Buffer.from(name));
    const bucket = this.#find(bytes, 0, bytes.length);
    const known = this.#buckets[bucket];
    if (known !== undefined) {
      // Learned from a peer: what is changed in its route from now on must not change that of all unknown types.
      if (known.route === this.#unknown) known.route = route();
      return known;
    }
    if (!isValidTypeBytes(bytes, 0, bytes.length)) throw new TypeError(`invalid message type ${JSON.stringify(name)}`);
    return this.#put(bucket, name, bytes, route());
  }

  /** The entry of the type at `offset`, or null if those bytes are no valid type. */
  lookup(source: Uint8Array, offset: number, length: number): TypeEntry<Route> | null {
    const bucket = this.#find(source, offset, length);
    const known = this.#buckets[bucket];
    if (known !== undefined) return known;
    if (!isValidTypeBytes(source, offset, length)) return null;
    if (this.#learned === MAX_LEARNED) return this.overflow;
    this.#learned++;
    const bytes = new Uint8Array(source.subarray(offset, offset + length));
    return this.#put(bucket, Buffer.from(bytes).toString(), bytes, this.#unknown);
  }

  /** Counts messages of a type. */
  count(entry: TypeEntry<Route>, messages = 1): void {
    if (entry.received === 0) this.touched.push(entry);
    entry.received += messages;
  }

  /** Inline handlers of a type have run. */
  ran(entry: TypeEntry<Route>, handlers = 1): void {
    if (entry.untimed === 0) this.untimed[this.untimedCount++] = entry;
    entry.untimed += handlers;
  }

  #put(bucket: number, name: string, bytes: Uint8Array, route: Route): TypeEntry<Route> {
    const entry = { name, bytes, number: this.#number(name), route, received: 0, untimed: 0 };
    this.#buckets[bucket] = entry;
    return entry;
  }

  /** The bucket that holds these bytes, or the free one where they belong. */
  #find(source: Uint8Array, offset: number, length: number): number {
    let hash = length;
    for (let i = 0; i < length; i++) hash = Math.imul(hash ^ source[offset + i], 0x01000193);
    let bucket = (hash ^ (hash >>> 15)) & (BUCKETS - 1);
    for (;;) {
      const entry = this.#buckets[bucket];
      if (entry === undefined || sameBytes(entry.bytes, source, offset, length)) return bucket;
      bucket = (bucket + 1) & (BUCKETS - 1);
    }
  }
}

function sameBytes(known: Uint8Array, source: Uint8Array, offset: number, length: number): boolean {
  if (known.length !== length) return false;
  for (let i = 0; i < length; i++) if (known[i] !== source[offset + i]) return false;
  return true;
}
