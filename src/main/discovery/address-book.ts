/**
 * Owns which addresses are known (design: Bitcoin Core's addrman). Main thread; decides and remembers. Addresses that
 * somebody told stand in `new`, those that we reached ourselves in `tried`. Where each stands is hashed with a secret
 * from its netgroup and, in `new`, the netgroup of who told it (`book-table.ts`): whoever tells addresses fills a fixed
 * share of `new` and pushes out only its own. Nothing in `tried` gives way before it was dialled again and failed
 * (`tried-tests.ts`). Times are wall milliseconds; none in the book lies in the future.
 */
import { isPeerId } from '../../shared/wire/handshake.js';
import { isRoutable } from '../../shared/wire/routability.js';
import { isLocal, netGroupOf } from '../peers/net-group.js';
import { AddressIndex } from './address-index.js';
import {
  type AddressRecord,
  type AddressSource,
  addressKeyOf,
  heldBack,
  isAlive,
  isHopeless,
  isRecord,
  isRested,
  isTerrible,
  type KnownAddress,
  keyOf,
} from './address-record.js';
import { BookTable } from './book-table.js';
import { TriedTests } from './tried-tests.js';

export { type AddressRecord, type AddressSource, addressSources, type KnownAddress } from './address-record.js';

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
  /** Persistent peers of which the operator named ID and IP address, as `keyOf` has them: they never leave. */
  readonly persistentKeys: ReadonlySet<string>;
  /** IDs of persistent peers whose host is a name: what we reached by it stays until another answers there. */
  readonly persistentIds: ReadonlySet<string>;
  /** From 0 inclusive to 1 exclusive. */
  readonly random: () => number;
  /** A record is new or has changed, or, with null, is gone. What is restored as it was is no change. */
  onChange?(key: string, record: AddressRecord | null): void;
}

export interface CandidateQuery {
  readonly nowMs: number;
  readonly want: 'any' | 'new' | 'tried';
  readonly excludeGroups: ReadonlySet<string>;
  readonly isUsable: (address: AddressRecord) => boolean;
}

/** Buckets of 64 places. Bitcoin has 1024 and 256 for a larger network; 20,480 places are enough for 10,000 nodes. */
const NEW_BUCKETS = 256;
const TRIED_BUCKETS = 64;
/** Buckets that one source group reaches in `new`, and one address group in `tried`: an eighth of either. */
const NEW_BUCKETS_PER_SOURCE = 32;
const TRIED_BUCKETS_PER_GROUP = 8;
/**
 * Addresses of one ID that one source group may tell: an ID is not proven, so nobody may fill the book by repeating one.
 * Counted by source, so that a liar who tells false addresses of an ID keeps nobody else from telling the right one.
 */
const ID_ADDRESSES_PER_SOURCE = 4;
const DAY_MS = 24 * 3_600_000;
/** What others say about when they saw an address is believed less by this. */
const HEARSAY_MS = 2 * 3_600_000;
/** Clocks are corrected by seconds all the time; what is set back further is looked after. */
const SET_BACK_MS = 60_000;
/** Random places that are looked at for one candidate, and the size up to which all are. */
const CANDIDATE_TRIES = 64;
const SMALL_BOOK = 512;

export class AddressBook {
  readonly #parts: AddressBookParts;
  readonly #index = new AddressIndex();
  readonly #new: BookTable;
  readonly #tried: BookTable;
  readonly #tests = new TriedTests();
  #own: ReadonlySet<string> = new Set();
  #latestMs = 0;

  constructor(parts: AddressBookParts) {
    this.#parts = parts;
    this.#new = new BookTable(parts.secret, 'new', NEW_BUCKETS, NEW_BUCKETS_PER_SOURCE);
    this.#tried = new BookTable(parts.secret, 'tried', TRIED_BUCKETS, TRIED_BUCKETS_PER_GROUP);
  }

  /** Takes up what an earlier run knew; what is not valid or finds no place is left out. @returns how many */
  restore(records: Iterable<unknown>, nowMs: number): number {
    this.#latestMs = nowMs;
    let count = 0;
    for (const stored of records) {
      if (!isRecord(stored) || this.#index.get(keyOf(stored)) !== undefined) continue;
      const record = heldBack(stored, nowMs);
      const place = this.#placeOf(record);
      const isWanted = this.#isWelcome(record) && this.#index.at(record) === undefined;
      if (!isWanted || this.#tableOf(record).at(place) !== null) {
        this.#parts.onChange?.(keyOf(record), null);
        continue;
      }
      this.#tableOf(record).put(place, keyOf(record));
      this.#index.put(record);
      if (record !== stored) this.#parts.onChange?.(keyOf(record), record);
      count++;
    }
    return count;
  }

  /** Addresses that are ours: entries that equal one are removed, and none enters. */
  setOwnAddresses(addresses: readonly { readonly ip: string; readonly port: number }[]): void {
    this.#own = new Set(addresses.map(addressKeyOf));
    for (const address of addresses) {
      const record = this.#index.at(address);
      if (record !== undefined) this.#remove(record);
    }
  }

  /**
   * Somebody tells an address. @returns whether it is new to us; `refused`: our own, not routable in strict mode, or no
   * room in the share of who told it
   */
  add(address: KnownAddress, teller: Teller, toldSeenMs: number, nowMs: number): 'added' | 'known' | 'refused' {
    this.#setClock(nowMs);
    if (!this.#isWelcome(address)) return 'refused';
    const known = this.#index.get(keyOf(address));
    if (known !== undefined) {
      // Only the address itself may say that it is alive: a liar could keep dead ones fresh for ever.
      if (teller.fromIp === address.ip) this.#update(known, { lastSeenMs: Math.max(known.lastSeenMs, nowMs) });
      return 'known';
    }
    const sourceGroup = this.#sourceGroupOf(teller);
    if (!this.#mayEnter(address, sourceGroup, nowMs)) return 'refused';
    const record: AddressRecord = {
      id: address.id,
      ip: address.ip,
      port: address.port,
      source: teller.source,
      sourceGroup,
      bucket: 'new',
      firstSeenMs: nowMs,
      lastSeenMs: Math.max(0, Math.min(toldSeenMs, nowMs) - HEARSAY_MS),
      lastTriedMs: 0,
      lastSuccessMs: 0,
      attempts: 0,
    };
    return this.#enterNew(record, nowMs) ? 'added' : 'refused';
  }

  /** A dial begins. */
  attempt(address: KnownAddress, nowMs: number): void {
    this.#setClock(nowMs);
    const record = this.#index.get(keyOf(address));
    if (record !== undefined) this.#update(record, { lastTriedMs: nowMs });
  }

  /** A dial has failed. What was never reached or not for long leaves the book after many in a row. */
  failed(address: KnownAddress, nowMs: number): void {
    this.#setClock(nowMs);
    const record = this.#index.get(keyOf(address));
    if (record === undefined) return;
    const failed = this.#update(record, { attempts: record.attempts + 1, lastTriedMs: nowMs });
    if (isHopeless(failed, nowMs) && !this.#isPersistent(failed)) this.#remove(failed);
  }

  /** Another ID answers there than the book says: we have reached that one, and it takes the place of the other. */
  replaced(address: KnownAddress, foundId: string, nowMs: number): void {
    const record = this.#index.get(keyOf(address));
    if (record === undefined || this.#isNamed(record)) return;
    this.#remove(record);
    this.good({ ...address, id: foundId }, record.source === 'persistent' ? 'manual' : record.source, nowMs);
  }

  /**
   * We have reached it, and the ID is right: it belongs to `tried`. Who was told of before keeps that source, unless the
   * operator's own word has led us there now. @returns `collision` if somebody stands in its place
   * there who is tested first, `refused` if it does not belong into the book at all
   */
  good(address: KnownAddress, source: AddressSource, nowMs: number): 'tried' | 'collision' | 'refused' {
    this.#setClock(nowMs);
    if (!this.#isWelcome(address)) return 'refused';
    // Whatever else the book says of this place is disproved.
    const rival = this.#index.at(address);
    if (rival !== undefined && rival.id !== address.id) this.#remove(rival);
    const proof = { attempts: 0, lastSeenMs: nowMs, lastTriedMs: nowMs, lastSuccessMs: nowMs };
    const known = this.#index.get(keyOf(address));
    const { id, ip, port } = address;
    const record: AddressRecord =
      known === undefined
        ? { id, ip, port, source, sourceGroup: netGroupOf(ip, port), bucket: 'new', firstSeenMs: nowMs, ...proof }
        : this.#update(known, source === 'persistent' ? { ...proof, source } : proof);
    if (record.bucket === 'tried') return 'tried';
    const occupant = this.#occupantFor(record);
    if (occupant === null || (isHopeless(occupant, nowMs) && !this.#isPersistent(occupant))) {
      this.#promote(record, nowMs);
      return 'tried';
    }
    const isKept = known !== undefined || this.#enterNew(record, nowMs);
    if (isKept && !this.#isPersistent(occupant)) this.#tests.begin(record, occupant, nowMs);
    return 'collision';
  }

  /** An occupant of `tried` whose place another wants: to be dialled before that is decided. */
  toTest(nowMs: number, isUsable: (occupant: AddressRecord) => boolean): AddressRecord | null {
    this.#setClock(nowMs);
    return this.#tests.next((key) => this.#index.get(key), nowMs, isUsable);
  }

  /** Decides over the tests that have ended: who failed gives way. */
  resolveTests(nowMs: number): void {
    this.#setClock(nowMs);
    for (const { newcomer, occupant } of this.#tests.resolve((key) => this.#index.get(key), nowMs)) {
      const record = this.#index.get(newcomer);
      if (record?.bucket !== 'new') continue;
      const standing = this.#occupantFor(record);
      // Another newcomer may have won the place a moment ago.
      if (standing === null || keyOf(standing) === occupant) this.#promote(record, nowMs);
    }
  }

  /** An address that is worth a dial: half the time from `new`, else from `tried`; null if none was found. */
  candidate(query: CandidateQuery): AddressRecord | null {
    this.#setClock(query.nowMs);
    const { want } = query;
    const isTriedFirst = want === 'tried' || (want === 'any' && this.#parts.random() < 0.5);
    const [first, second] = isTriedFirst ? [this.#tried, this.#new] : [this.#new, this.#tried];
    return this.#candidateFrom(first, query) ?? (want === 'any' ? this.#candidateFrom(second, query) : null);
  }

  /** Addresses to tell a peer: a random choice of what seems alive, never a private one. */
  sample(max: number, nowMs: number): AddressRecord[] {
    return this.#choose(max, (record) => this.#isPersistent(record) || !isTerrible(record, nowMs));
  }

  /** Addresses that we have reached ourselves, to answer a crawl with; never a private one. */
  reached(max: number, nowMs: number): AddressRecord[] {
    return this.#choose(max, (record) => isAlive(record, nowMs));
  }

  /** An address of a node ID, the one that we reached last. */
  find(id: string): AddressRecord | undefined {
    return this.#index.ofId(id).sort((a, b) => b.lastSuccessMs - a.lastSuccessMs)[0];
  }

  /** The netgroup that told us an address first; null for one that is not in the book. */
  tellerOf(address: KnownAddress): string | null {
    return this.#index.get(keyOf(address))?.sourceGroup ?? null;
  }

  list(): AddressRecord[] {
    return this.#index.list();
  }

  counts(): { known: number; new: number; tried: number } {
    return { known: this.#index.size, new: this.#new.size, tried: this.#tried.size };
  }

  /**
   * A clock that was set back: what was noted before would lie in the future, and neither age nor be dialled until the
   * clock has caught up, maybe in years.
   */
  #setClock(nowMs: number): void {
    const isSetBack = nowMs < this.#latestMs - SET_BACK_MS;
    this.#latestMs = isSetBack ? nowMs : Math.max(this.#latestMs, nowMs);
    if (!isSetBack) return;
    this.#tests.holdBack(nowMs);
    for (const record of this.#index.list()) {
      const held = heldBack(record, nowMs);
      if (held !== record) this.#update(record, held);
    }
  }

  /** Whether an address may stand in the book at all. */
  #isWelcome(address: KnownAddress): boolean {
    const { ownId, strict } = this.#parts;
    // A seed may tell IDs of up to 128 bytes, but no handshake can show one.
    return (
      isPeerId(address.id) &&
      address.id !== ownId &&
      !this.#own.has(addressKeyOf(address)) &&
      (!strict || isRoutable(address.ip))
    );
  }

  /** Whether hearsay may put an address beside what the book knows of its ID and its place. */
  #mayEnter(address: KnownAddress, sourceGroup: string, nowMs: number): boolean {
    const told = this.#index.ofId(address.id).filter((one) => one.sourceGroup === sourceGroup);
    if (told.length >= ID_ADDRESSES_PER_SOURCE) return false;
    const rival = this.#index.at(address);
    if (rival === undefined) return true;
    // Somebody else is said to be there: whoever said so is believed until a dial has failed.
    if (rival.bucket === 'tried' || rival.attempts === 0 || this.#isPersistent(rival)) return false;
    if (nowMs - rival.lastSuccessMs < DAY_MS) return false;
    this.#remove(rival);
    return true;
  }

  /**
   * Who tells from a local address to a node in the internet came through a proxy of ours: its port says nothing, and a
   * new connection must not be a new source.
   */
  #sourceGroupOf({ fromIp, fromPort }: Teller): string {
    return this.#parts.strict && isLocal(fromIp) ? fromIp : netGroupOf(fromIp, fromPort);
  }

  /** Whether the operator named it, its ID and where it is. */
  #isNamed(address: KnownAddress): boolean {
    return this.#parts.persistentKeys.has(keyOf(address));
  }

  /** Whether it never leaves. Not for its ID alone: anybody may tell that, for as many addresses as they like. */
  #isPersistent(record: AddressRecord): boolean {
    return (record.source === 'persistent' && this.#parts.persistentIds.has(record.id)) || this.#isNamed(record);
  }

  /** @returns whether there was room for it */
  #enterNew(record: AddressRecord, nowMs: number): boolean {
    const place = this.#placeOf(record);
    const occupant = this.#recordAt(this.#new, place);
    if (occupant !== null) {
      if (this.#isPersistent(occupant) || !isTerrible(occupant, nowMs)) return false;
      this.#remove(occupant);
    }
    this.#enter(record, place);
    return true;
  }

  /** Who stands where a record would in `tried`. */
  #occupantFor(record: AddressRecord): AddressRecord | null {
    return this.#recordAt(this.#tried, this.#placeOf({ ...record, bucket: 'tried' }));
  }

  /** To `tried`; whoever stands there goes back to `new`, if it displaces nobody there that is any good. */
  #promote(record: AddressRecord, nowMs: number): void {
    if (this.#index.get(keyOf(record)) !== undefined) this.#remove(record);
    const promoted: AddressRecord = { ...record, bucket: 'tried' };
    const place = this.#placeOf(promoted);
    const occupant = this.#recordAt(this.#tried, place);
    if (occupant !== null) this.#remove(occupant);
    this.#enter(promoted, place);
    if (occupant !== null) this.#enterNew({ ...occupant, bucket: 'new' }, nowMs);
  }

  #candidateFrom(table: BookTable, query: CandidateQuery): AddressRecord | null {
    if (table.size === 0) return null;
    const { random } = this.#parts;
    // Who fails again and again is taken less gladly, but somebody is taken in the end.
    let patience = 1;
    for (let i = 0; i < CANDIDATE_TRIES; i++) {
      const record = this.#index.get(table.pick(random))!;
      if (!isDue(record, query)) continue;
      if (random() < patience * 0.66 ** Math.min(record.attempts, 8)) return record;
      patience *= 1.2;
    }
    if (table.size > SMALL_BOOK) return null;
    return [...table.keys()].map((key) => this.#index.get(key)!).find((record) => isDue(record, query)) ?? null;
  }

  #choose(max: number, isFit: (record: AddressRecord) => boolean): AddressRecord[] {
    const { random, privateIds } = this.#parts;
    const records = this.#index.list();
    const chosen: AddressRecord[] = [];
    for (let left = records.length; left > 0 && chosen.length < max; left--) {
      const at = Math.floor(random() * left);
      const record = records[at]!;
      records[at] = records[left - 1]!;
      if (!privateIds.has(record.id) && isFit(record)) chosen.push(record);
    }
    return chosen;
  }

  #tableOf({ bucket }: AddressRecord): BookTable {
    return bucket === 'tried' ? this.#tried : this.#new;
  }

  #recordAt(table: BookTable, place: number): AddressRecord | null {
    const key = table.at(place);
    return key === null ? null : this.#index.get(key)!;
  }

  #placeOf(record: AddressRecord): number {
    const key = keyOf(record);
    const group = netGroupOf(record.ip, record.port);
    // In `new` the teller's share is chosen by both groups; in `tried` the address itself spreads over its group's share.
    if (record.bucket === 'new') return this.#new.placeOf(record.sourceGroup, group, key);
    return this.#tried.placeOf(group, key, key);
  }

  #enter(record: AddressRecord, place: number): void {
    this.#tableOf(record).put(place, keyOf(record));
    this.#index.put(record);
    this.#parts.onChange?.(keyOf(record), record);
  }

  #remove(record: AddressRecord): void {
    this.#tableOf(record).remove(keyOf(record));
    this.#index.delete(record);
    this.#parts.onChange?.(keyOf(record), null);
  }

  #update(record: AddressRecord, change: Partial<AddressRecord>): AddressRecord {
    const changed = { ...record, ...change };
    this.#index.put(changed);
    this.#parts.onChange?.(keyOf(record), changed);
    return changed;
  }
}

/** Whether an address may be dialled now. */
function isDue(record: AddressRecord, { nowMs, excludeGroups, isUsable }: CandidateQuery): boolean {
  return isRested(record, nowMs) && !excludeGroups.has(netGroupOf(record.ip, record.port)) && isUsable(record);
}
