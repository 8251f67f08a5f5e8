/**
 * Owns which addresses are known (design: Bitcoin Core's addrman). Main thread; decides and remembers. Addresses that
 * somebody told stand in `new`, those that we reached ourselves in `tried`. Where each stands is hashed with a secret
 * from its netgroup and, in `new`, the netgroup of who told it (`book-table.ts`): whoever tells addresses fills a fixed
 * share of `new` and pushes out only its own. Nothing in `tried` gives way before it was dialled again and failed.
 * Times are wall milliseconds; a clock that jumps makes nothing older than it is.
 */
import { isPeerId } from '../../shared/wire/handshake.js';
import { canonicalIp, isRoutable } from '../../shared/wire/routability.js';
import { backoffMs } from '../peers/backoff.js';
import { netGroupOf } from '../peers/net-group.js';
import { BookTable } from './book-table.js';

/** Who told of an address, in the order of the numbers that PEX has for them (rulings 7). */
export const addressSources = ['unknown', 'seed', 'bootstrap', 'pex', 'manual', 'persistent', 'inbound'] as const;
export type AddressSource = (typeof addressSources)[number];

export interface KnownAddress {
  readonly id: string;
  /** Canonical. */
  readonly ip: string;
  readonly port: number;
}

/** An address and what became of it; what the store keeps. */
export interface AddressRecord extends KnownAddress {
  readonly source: AddressSource;
  /** Netgroup of who told of it. */
  readonly sourceGroup: string;
  readonly bucket: 'new' | 'tried';
  readonly firstSeenMs: number;
  /** When somebody last saw it alive, as far as we believe it. */
  readonly lastSeenMs: number;
  /** When we last dialled it, and last reached it; 0 for never. */
  readonly lastTriedMs: number;
  readonly lastSuccessMs: number;
  /** Failed dials in a row. */
  readonly attempts: number;
}

/** Who tells an address. */
export interface Teller {
  readonly source: AddressSource;
  readonly fromIp: string;
  readonly fromPort: number;
}

export interface AddressBookParts {
  /** 32 bytes that nobody else knows; the same over restarts. */
  readonly secret: Uint8Array;
  /** Only addresses that the internet routes. */
  readonly strict: boolean;
  readonly ownId: string;
  /** IDs whose addresses are told to nobody. */
  readonly privateIds: ReadonlySet<string>;
  /** IDs of persistent peers: they never leave. */
  readonly persistentIds: ReadonlySet<string>;
  /** From 0 inclusive to 1 exclusive. */
  readonly random: () => number;
  /** A record is new or has changed, or, with null, is gone. */
  onChange?(key: string, record: AddressRecord | null): void;
}

export interface CandidateQuery {
  readonly nowMs: number;
  readonly want: 'any' | 'new' | 'tried';
  readonly excludeGroups: ReadonlySet<string>;
  readonly isUsable: (address: AddressRecord) => boolean;
}

const PORT_MAX = 65_535;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Buckets of 64 places. Bitcoin has 1024 and 256 for a larger network; 20,480 places are enough for 10,000 nodes. */
const NEW_BUCKETS = 256;
const TRIED_BUCKETS = 64;
/** Buckets that one source group reaches in `new`, and one address group in `tried`: an eighth of either. */
const NEW_BUCKETS_PER_SOURCE = 32;
const TRIED_BUCKETS_PER_GROUP = 8;
/** Addresses of one ID: an ID is not proven, so nobody may fill the book by repeating one. */
const MAX_ADDRESSES_PER_ID = 4;
/** What was not seen for so long, or failed so often, gives way to others (addrman). */
const HORIZON_MS = 30 * DAY_MS;
const MAX_UNREACHED_ATTEMPTS = 3;
const MAX_ATTEMPTS = 10;
const MAX_ATTEMPTS_AFTER_MS = 7 * DAY_MS;
/** What others say about when they saw an address is believed less by this. */
const HEARSAY_MS = 2 * HOUR_MS;
/** An occupant of `tried` that was reached within this time needs no test. */
const TESTED_WITHIN_MS = 4 * HOUR_MS;
/** A test must be over after this time; one that could not be made by then is lost by the occupant. */
const TEST_MS = 60_000;
const TEST_WINDOW_MS = 40 * 60_000;
const MAX_TESTS = 16;
/** An address that was reached rests so long to twice as long: who lets us in and closes is not dialled in a circle. */
const REST_MS = 10_000;
/** Rulings 5: up to a fifth on top of the rest after a failed dial. */
const REST_JITTER = 0.2;
/** Random places that are looked at for one candidate, and the size up to which all are. */
const CANDIDATE_TRIES = 64;
const SMALL_BOOK = 512;

/** A newcomer to `tried` that waits for the test of who stands in its place. */
interface Test {
  readonly newcomer: string;
  readonly occupant: string;
  readonly sinceMs: number;
}

export class AddressBook {
  readonly #parts: AddressBookParts;
  readonly #records = new Map<string, AddressRecord>();
  readonly #keysById = new Map<string, Set<string>>();
  readonly #keyByAddress = new Map<string, string>();
  readonly #new: BookTable;
  readonly #tried: BookTable;
  #tests: Test[] = [];
  #own: ReadonlySet<string> = new Set();

  constructor(parts: AddressBookParts) {
    this.#parts = parts;
    this.#new = new BookTable(parts.secret, 'new', NEW_BUCKETS, NEW_BUCKETS_PER_SOURCE);
    this.#tried = new BookTable(parts.secret, 'tried', TRIED_BUCKETS, TRIED_BUCKETS_PER_GROUP);
  }

  /** Takes up what an earlier run knew; what is not valid or finds no place is left out. @returns how many */
  restore(records: Iterable<unknown>, nowMs: number): number {
    let count = 0;
    for (const record of records) {
      if (!isRecord(record) || !this.#isWelcome(record)) continue;
      const table = record.bucket === 'tried' ? this.#tried : this.#new;
      const place = this.#placeOf(record);
      if (table.at(place) !== null || this.#records.has(keyOf(record))) continue;
      this.#enter({ ...record, lastSeenMs: Math.min(record.lastSeenMs, nowMs) }, place);
      count++;
    }
    return count;
  }

  /** Addresses that are ours: entries that equal one are removed, and none enters. */
  setOwnAddresses(addresses: readonly { readonly ip: string; readonly port: number }[]): void {
    this.#own = new Set(addresses.map(addressKey));
    for (const record of [...this.#records.values()]) if (this.#own.has(addressKey(record))) this.#remove(record);
  }

  /**
   * Somebody tells an address. @returns whether it is new to us; `refused`: our own, not routable in strict mode, or no
   * room in the share of who told it
   */
  add(address: KnownAddress, teller: Teller, toldSeenMs: number, nowMs: number): 'added' | 'known' | 'refused' {
    if (!this.#isWelcome(address)) return 'refused';
    const known = this.#records.get(keyOf(address));
    if (known !== undefined) {
      // Only the address itself may say that it is alive: a liar could keep dead ones fresh for ever.
      if (teller.fromIp === address.ip) this.#update(known, { lastSeenMs: Math.max(known.lastSeenMs, nowMs) });
      return 'known';
    }
    if (!this.#mayEnter(address, nowMs)) return 'refused';
    const record: AddressRecord = {
      id: address.id,
      ip: address.ip,
      port: address.port,
      source: teller.source,
      sourceGroup: netGroupOf(teller.fromIp, teller.fromPort),
      bucket: 'new',
      firstSeenMs: nowMs,
      lastSeenMs: Math.max(0, Math.min(toldSeenMs, nowMs) - HEARSAY_MS),
      lastTriedMs: 0,
      lastSuccessMs: 0,
      attempts: 0,
    };
    const place = this.#placeOf(record);
    const occupant = this.#recordAt(this.#new, place);
    if (occupant !== null) {
      if (!this.#isTerrible(occupant, nowMs)) return 'refused';
      this.#remove(occupant);
    }
    this.#enter(record, place);
    return 'added';
  }

  /** A dial begins. */
  attempt(address: KnownAddress, nowMs: number): void {
    const record = this.#records.get(keyOf(address));
    if (record !== undefined) this.#update(record, { lastTriedMs: nowMs });
  }

  /** A dial has failed. What was never reached or not for long leaves the book after many in a row. */
  failed(address: KnownAddress, nowMs: number): void {
    const record = this.#records.get(keyOf(address));
    if (record === undefined) return;
    const attempts = record.attempts + 1;
    const isHopeless = attempts >= MAX_ATTEMPTS && nowMs - record.lastSuccessMs > MAX_ATTEMPTS_AFTER_MS;
    if (isHopeless && !this.#parts.persistentIds.has(record.id)) this.#remove(record);
    else this.#update(record, { attempts, lastTriedMs: nowMs });
  }

  /** Another ID answers there than the book says. */
  disproved(address: KnownAddress): void {
    const record = this.#records.get(keyOf(address));
    if (record !== undefined && !this.#parts.persistentIds.has(record.id)) this.#remove(record);
  }

  /**
   * We have reached it, and the ID is right: it belongs to `tried`. @returns `collision` if somebody stands in its place
   * there who is tested first, `refused` if it does not belong into the book at all
   */
  good(address: KnownAddress, source: AddressSource, nowMs: number): 'tried' | 'collision' | 'refused' {
    if (!this.#isWelcome(address)) return 'refused';
    const proof = { attempts: 0, lastSeenMs: nowMs, lastTriedMs: nowMs, lastSuccessMs: nowMs };
    // Whatever else the book says of this place is disproved.
    const rival = this.#records.get(this.#keyByAddress.get(addressKey(address)) ?? '');
    if (rival !== undefined && rival.id !== address.id) this.#remove(rival);
    let record = this.#records.get(keyOf(address));
    if (record === undefined) {
      const teller = { source, fromIp: address.ip, fromPort: address.port };
      const group = netGroupOf(teller.fromIp, teller.fromPort);
      record = { ...address, source, sourceGroup: group, bucket: 'new', firstSeenMs: nowMs, ...proof };
    } else {
      record = this.#update(record, proof);
      if (record.bucket === 'tried') return 'tried';
    }
    const promoted: AddressRecord = { ...record, bucket: 'tried' };
    const place = this.#placeOf(promoted);
    const occupant = this.#recordAt(this.#tried, place);
    if (occupant !== null && !this.#isTerrible(occupant, nowMs)) {
      if (this.#records.has(keyOf(record)) || this.#enterNew(record, nowMs)) this.#await(record, occupant, nowMs);
      return 'collision';
    }
    if (occupant !== null) this.#demote(occupant, nowMs);
    if (this.#records.has(keyOf(record))) this.#remove(record);
    this.#enter(promoted, place);
    return 'tried';
  }

  /** An occupant of `tried` whose place another wants: to be dialled before that is decided. */
  toTest(nowMs: number): KnownAddress | null {
    for (const { occupant } of this.#tests) {
      const record = this.#records.get(occupant);
      if (record !== undefined && nowMs - record.lastTriedMs > TEST_MS) return record;
    }
    return null;
  }

  /** Decides over the tests that have ended: who was reached stays, who was not gives way. */
  resolveTests(nowMs: number): void {
    this.#tests = this.#tests.filter(({ newcomer, occupant, sinceMs }) => {
      const [old, fresh] = [this.#records.get(occupant), this.#records.get(newcomer)];
      if (fresh === undefined || fresh.bucket === 'tried') return false;
      if (old?.bucket === 'tried') {
        if (nowMs - old.lastSuccessMs < TESTED_WITHIN_MS) return false;
        const hasFailed = old.attempts > 0 && old.lastTriedMs >= sinceMs && nowMs - old.lastTriedMs > TEST_MS;
        if (!hasFailed && nowMs - sinceMs < TEST_WINDOW_MS) return true;
        if (this.#parts.persistentIds.has(old.id)) return false;
        this.#demote(old, nowMs);
      }
      this.#promote(fresh);
      return false;
    });
  }

  /** An address that is worth a dial: half the time from `new`, else from `tried`; null if none was found. */
  candidate(query: CandidateQuery): AddressRecord | null {
    const { want } = query;
    const isTriedFirst = want === 'tried' || (want === 'any' && this.#parts.random() < 0.5);
    const [first, second] = isTriedFirst ? [this.#tried, this.#new] : [this.#new, this.#tried];
    return this.#candidateFrom(first, query) ?? (want === 'any' ? this.#candidateFrom(second, query) : null);
  }

  /** Addresses to tell a peer: a random choice of what seems alive, never a private one. */
  sample(max: number, nowMs: number): AddressRecord[] {
    return this.#choose([...this.#records.values()], max, (record) => !this.#isTerrible(record, nowMs));
  }

  /** Addresses that we have reached ourselves, to answer a crawl with; never a private one. */
  reached(max: number, nowMs: number): AddressRecord[] {
    const isAlive = ({ bucket, attempts, lastSuccessMs }: AddressRecord) =>
      bucket === 'tried' && (attempts < MAX_UNREACHED_ATTEMPTS || nowMs - lastSuccessMs < DAY_MS);
    return this.#choose([...this.#records.values()], max, isAlive);
  }

  /** An address of a node ID, the one that we reached last. */
  find(id: string): AddressRecord | undefined {
    const records = [...(this.#keysById.get(id) ?? [])].map((key) => this.#records.get(key)!);
    return records.sort((a, b) => b.lastSuccessMs - a.lastSuccessMs)[0];
  }

  list(): AddressRecord[] {
    return [...this.#records.values()];
  }

  counts(): { known: number; new: number; tried: number } {
    return { known: this.#records.size, new: this.#new.size, tried: this.#tried.size };
  }

  /** Whether an address may stand in the book at all. */
  #isWelcome(address: KnownAddress): boolean {
    const { ownId, strict } = this.#parts;
    // A seed may tell IDs of up to 128 bytes, but no handshake can show one.
    return (
      isPeerId(address.id) &&
      address.id !== ownId &&
      !this.#own.has(addressKey(address)) &&
      (!strict || isRoutable(address.ip))
    );
  }

  /** Whether hearsay may put an address beside what the book knows of its ID and its place. */
  #mayEnter(address: KnownAddress, nowMs: number): boolean {
    if ((this.#keysById.get(address.id)?.size ?? 0) >= MAX_ADDRESSES_PER_ID) return false;
    const rival = this.#records.get(this.#keyByAddress.get(addressKey(address)) ?? '');
    if (rival === undefined) return true;
    // Somebody else is said to be there: whoever said so is believed until a dial has failed.
    if (rival.bucket === 'tried' || rival.attempts === 0 || this.#parts.persistentIds.has(rival.id)) return false;
    if (nowMs - rival.lastSuccessMs < DAY_MS) return false;
    this.#remove(rival);
    return true;
  }

  #isTerrible(record: AddressRecord, nowMs: number): boolean {
    if (this.#parts.persistentIds.has(record.id) || nowMs - record.lastTriedMs < TEST_MS) return false;
    if (nowMs - record.lastSeenMs > HORIZON_MS) return true;
    if (record.lastSuccessMs === 0) return record.attempts >= MAX_UNREACHED_ATTEMPTS;
    return record.attempts >= MAX_ATTEMPTS && nowMs - record.lastSuccessMs > MAX_ATTEMPTS_AFTER_MS;
  }

  /** Remembers that `newcomer` wants the place of `occupant`. */
  #await(newcomer: AddressRecord, occupant: AddressRecord, nowMs: number): void {
    const test = { newcomer: keyOf(newcomer), occupant: keyOf(occupant), sinceMs: nowMs };
    if (this.#tests.length >= MAX_TESTS || this.#tests.some((one) => one.newcomer === test.newcomer)) return;
    this.#tests.push(test);
  }

  /** @returns whether there was room for it */
  #enterNew(record: AddressRecord, nowMs: number): boolean {
    const fresh: AddressRecord = { ...record, bucket: 'new' };
    const place = this.#placeOf(fresh);
    const occupant = this.#recordAt(this.#new, place);
    if (occupant !== null) {
      if (!this.#isTerrible(occupant, nowMs)) return false;
      this.#remove(occupant);
    }
    this.#enter(fresh, place);
    return true;
  }

  #promote(record: AddressRecord): void {
    this.#remove(record);
    const promoted: AddressRecord = { ...record, bucket: 'tried' };
    const place = this.#placeOf(promoted);
    if (this.#tried.at(place) === null) this.#enter(promoted, place);
  }

  /** Back to `new`, where it displaces nobody that is any good. */
  #demote(record: AddressRecord, nowMs: number): void {
    this.#remove(record);
    this.#enterNew(record, nowMs);
  }

  #candidateFrom(table: BookTable, query: CandidateQuery): AddressRecord | null {
    if (table.size === 0) return null;
    const { random } = this.#parts;
    // Who fails again and again is taken less gladly, but somebody is taken in the end.
    let patience = 1;
    for (let i = 0; i < CANDIDATE_TRIES; i++) {
      const record = this.#records.get(table.pick(random))!;
      if (!isDue(record, query)) continue;
      if (random() < patience * 0.66 ** Math.min(record.attempts, 8)) return record;
      patience *= 1.2;
    }
    if (table.size > SMALL_BOOK) return null;
    return [...table.keys()].map((key) => this.#records.get(key)!).find((record) => isDue(record, query)) ?? null;
  }

  #choose(records: AddressRecord[], max: number, isFit: (record: AddressRecord) => boolean): AddressRecord[] {
    const { random, privateIds } = this.#parts;
    const chosen: AddressRecord[] = [];
    for (let left = records.length; left > 0 && chosen.length < max; left--) {
      const at = Math.floor(random() * left);
      const record = records[at]!;
      records[at] = records[left - 1]!;
      if (!privateIds.has(record.id) && isFit(record)) chosen.push(record);
    }
    return chosen;
  }

  #recordAt(table: BookTable, place: number): AddressRecord | null {
    const key = table.at(place);
    return key === null ? null : this.#records.get(key)!;
  }

  #placeOf(record: AddressRecord): number {
    const key = keyOf(record);
    const group = netGroupOf(record.ip, record.port);
    // In `new` the teller's share is chosen by both groups; in `tried` the address itself spreads over its group's share.
    if (record.bucket === 'new') return this.#new.placeOf(record.sourceGroup, group, key);
    return this.#tried.placeOf(group, key, key);
  }

  #enter(record: AddressRecord, place: number): void {
    const key = keyOf(record);
    (record.bucket === 'tried' ? this.#tried : this.#new).put(place, key);
    this.#records.set(key, record);
    this.#keyByAddress.set(addressKey(record), key);
    const keys = this.#keysById.get(record.id) ?? new Set();
    this.#keysById.set(record.id, keys.add(key));
    this.#parts.onChange?.(key, record);
  }

  #remove(record: AddressRecord): void {
    const key = keyOf(record);
    (record.bucket === 'tried' ? this.#tried : this.#new).remove(key);
    this.#records.delete(key);
    if (this.#keyByAddress.get(addressKey(record)) === key) this.#keyByAddress.delete(addressKey(record));
    const keys = this.#keysById.get(record.id)!;
    keys.delete(key);
    if (keys.size === 0) this.#keysById.delete(record.id);
    this.#parts.onChange?.(key, null);
  }

  #update(record: AddressRecord, change: Partial<AddressRecord>): AddressRecord {
    const changed = { ...record, ...change };
    this.#records.set(keyOf(record), changed);
    this.#parts.onChange?.(keyOf(record), changed);
    return changed;
  }
}

function keyOf({ id, ip, port }: KnownAddress): string {
  return `${id}@${ip}:${port}`;
}

function addressKey({ ip, port }: { readonly ip: string; readonly port: number }): string {
  return `${ip}:${port}`;
}

/** Whether an address may be dialled now: after n failures in a row it rests as rulings 5 say. */
function isDue(record: AddressRecord, { nowMs, excludeGroups, isUsable }: CandidateQuery): boolean {
  const { attempts, lastTriedMs, ip, port } = record;
  const spread = spreadOf(lastTriedMs);
  const restMs = attempts > 0 ? backoffMs(attempts, REST_JITTER, spread) : lastTriedMs > 0 ? REST_MS * (1 + spread) : 0;
  // A clock that was set back must not make us wait for it to catch up.
  const sinceMs = Math.abs(nowMs - lastTriedMs);
  return sinceMs >= restMs && !excludeGroups.has(netGroupOf(ip, port)) && isUsable(record);
}

/** From 0 to 1, another for each dial: two nodes that dial each other in vain must not go on doing so at the same time. */
function spreadOf(lastTriedMs: number): number {
  return (Math.imul(Math.trunc(lastTriedMs), 0x9e3779b1) >>> 0) / 2 ** 32;
}

function isRecord(value: unknown): value is AddressRecord {
  const record = value as Partial<AddressRecord> | null;
  return (
    typeof record?.id === 'string' &&
    isPeerId(record.id) &&
    typeof record.ip === 'string' &&
    canonicalIp(record.ip) === record.ip &&
    Number.isInteger(record.port) &&
    record.port! >= 1 &&
    record.port! <= PORT_MAX &&
    addressSources.includes(record.source as AddressSource) &&
    typeof record.sourceGroup === 'string' &&
    (record.bucket === 'new' || record.bucket === 'tried') &&
    [record.firstSeenMs, record.lastSeenMs, record.lastTriedMs, record.lastSuccessMs, record.attempts].every(
      (number) => Number.isFinite(number) && number! >= 0,
    )
  );
}
