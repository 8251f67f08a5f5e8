/**
 * Message types by their bytes, so that a frame's type is neither decoded nor validated a second time. Worker thread.
 * What is found here is valid UTF-8 without control characters (rulings 1).
 *
 * Types that somebody here declares and types that are learned from peers lie in tables of their own. Peers can make
 * neither grow: after MAX_LEARNED types that nobody here declared, further ones share one entry. Nor can they make a look
 * slow: where an entry lies depends on a secret, whole hashes are compared before bytes, and a type for which there is no
 * bucket within PROBES of its own is not learned.
 */
import { isValidTypeBytes } from '../shared/wire/message-type.js';

/** What the worker knows of one message type. */
export interface TypeEntry<Route> {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Of the bytes, under the interner's secret. */
  readonly hash: number;
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
/** Both powers of two. Learned types take a quarter of theirs, so that honest ones find a bucket within a few probes. */
const LEARNED_BUCKETS = 4096;
const LEARNED_SHIFT = Math.clz32(LEARNED_BUCKETS - 1);
const PROBES = 8;
/** To begin with. Nobody but the application declares types, so their table grows, and no look at it is bounded. */
const DECLARED_BUCKETS = 256;
const ANY = 2 ** 30;
/** No bucket. */
const NOWHERE = -1;

type Buckets<Route> = (TypeEntry<Route> | undefined)[];

export class TypeInterner<Route> {
  #declared: Buckets<Route> = new Array(DECLARED_BUCKETS).fill(undefined);
  #declaredCount = 0;
  readonly #learned: Buckets<Route> = new Array(LEARNED_BUCKETS).fill(undefined);
  #learnedCount = 0;
  readonly #number: (name: string) => number;
  readonly #unknown: Route;
  /** What a hash begins with, and what it is multiplied by for a bucket of the learned: odd, and as secret as the other. */
  readonly #seed: number;
  readonly #spread: number;
  /** Shared by types that there is no room to learn. */
  readonly overflow: TypeEntry<Route>;
  /** Entries with messages not yet counted. */
  readonly touched: TypeEntry<Route>[] = [];
  /** The first `untimedCount` are entries whose handlers ran, and the time is not counted yet. Never shrinks. */
  readonly untimed: TypeEntry<Route>[] = [];
  untimedCount = 0;

  /**
   * `number` gives a type its number; types nobody declared get the route `unknown`.
   * @param secret of this node, 8 bytes at least
   */
  constructor(number: (name: string) => number, unknown: Route, secret: Uint8Array) {
    const view = new DataView(secret.buffer, secret.byteOffset, secret.byteLength);
    this.#seed = view.getInt32(0);
    this.#spread = view.getInt32(4) | 1;
    this.#number = number;
    this.#unknown = unknown;
    this.overflow = newEntry('', new Uint8Array(0), 0, 0, unknown);
  }

  /** Declares a type; the same type again gives the same entry. */
  declare(name: string, route: () => Route): TypeEntry<Route> {
    const bytes = new Uint8Array(Buffer.from(name));
    const { length } = bytes;
    const hash = this.#hash(bytes, 0, length);
    const declared = find(this.#declared, declaredAt(hash), ANY, hash, bytes, 0, length);
    const known = declared ?? find(this.#learned, this.#learnedAt(hash), PROBES, hash, bytes, 0, length);
    if (known === null && !isValidTypeBytes(bytes, 0, length)) {
      throw new TypeError(`invalid message type ${JSON.stringify(name)}`);
    }
    const entry = known ?? newEntry(name, bytes, hash, this.#number(name), route());
    // Learned from a peer: what is changed in its route from now on must not change that of all unknown types.
    if (known?.route === this.#unknown) known.route = route();
    if (declared === null) this.#putDeclared(entry);
    return entry;
  }

  /** The entry of the type at `offset`, or null if those bytes are no valid type. */
  lookup(source: Uint8Array, offset: number, length: number): TypeEntry<Route> | null {
    const hash = this.#hash(source, offset, length);
    // Mostly it lies here, and a call for it would show.
    const first = this.#declared[declaredAt(hash) & (this.#declared.length - 1)];
    if (first !== undefined && first.hash === hash && sameBytes(first.bytes, source, offset, length)) return first;
    return this.#lookFurther(hash, source, offset, length);
  }

  #lookFurther(hash: number, source: Uint8Array, offset: number, length: number): TypeEntry<Route> | null {
    const known =
      find(this.#declared, declaredAt(hash), ANY, hash, source, offset, length) ??
      find(this.#learned, this.#learnedAt(hash), PROBES, hash, source, offset, length);
    if (known !== null) return known;
    if (!isValidTypeBytes(source, offset, length)) return null;
    const bucket =
      this.#learnedCount === MAX_LEARNED ? NOWHERE : freeBucket(this.#learned, this.#learnedAt(hash), PROBES);
    if (bucket === NOWHERE) return this.overflow;
    const bytes = new Uint8Array(source.subarray(offset, offset + length));
    const name = Buffer.from(bytes).toString();
    const entry = newEntry(name, bytes, hash, this.#number(name), this.#unknown);
    this.#learned[bucket] = entry;
    this.#learnedCount++;
    return entry;
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

  /** Into a table that is at most half full, so that every look comes to an end soon. */
  #putDeclared(entry: TypeEntry<Route>): void {
    const put = (one: TypeEntry<Route>) => {
      this.#declared[freeBucket(this.#declared, declaredAt(one.hash), ANY)] = one;
    };
    if (2 * this.#declaredCount >= this.#declared.length) {
      const before = this.#declared;
      this.#declared = new Array(2 * before.length).fill(undefined);
      for (const one of before) if (one !== undefined) put(one);
    }
    put(entry);
    this.#declaredCount++;
  }

  /** Where a learned type lies: the top bits of the product, on which all of the hash has a bearing. */
  #learnedAt(hash: number): number {
    return Math.imul(hash, this.#spread) >>> LEARNED_SHIFT;
  }

  #hash(source: Uint8Array, offset: number, length: number): number {
    let hash = this.#seed ^ length;
    for (let i = 0; i < length; i++) hash = Math.imul(hash ^ source[offset + i], 0x01000193);
    return hash;
  }
}

function newEntry<Route>(
  name: string,
  bytes: Uint8Array,
  hash: number,
  number: number,
  route: Route,
): TypeEntry<Route> {
  return { name, bytes, hash, number, route, received: 0, untimed: 0 };
}

/** Where a declared type lies: nobody but the application chooses which these are. */
function declaredAt(hash: number): number {
  return hash ^ (hash >>> 15);
}

function find<Route>(
  buckets: Buckets<Route>,
  home: number,
  probes: number,
  hash: number,
  source: Uint8Array,
  offset: number,
  length: number,
): TypeEntry<Route> | null {
  let bucket = home & (buckets.length - 1);
  for (let left = probes; left > 0; left--) {
    const entry = buckets[bucket];
    if (entry === undefined) return null;
    if (entry.hash === hash && sameBytes(entry.bytes, source, offset, length)) return entry;
    bucket = (bucket + 1) & (buckets.length - 1);
  }
  return null;
}

/** Where an entry belongs that is not there yet; NOWHERE if all those buckets are taken. */
function freeBucket<Route>(buckets: Buckets<Route>, home: number, probes: number): number {
  let bucket = home & (buckets.length - 1);
  for (let left = probes; left > 0; left--) {
    if (buckets[bucket] === undefined) return bucket;
    bucket = (bucket + 1) & (buckets.length - 1);
  }
  return NOWHERE;
}

function sameBytes(known: Uint8Array, source: Uint8Array, offset: number, length: number): boolean {
  if (known.length !== length) return false;
  for (let i = 0; i < length; i++) if (known[i] !== source[offset + i]) return false;
  return true;
}
