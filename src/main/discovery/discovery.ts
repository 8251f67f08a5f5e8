/**
 * Keeps a node in its network: fills the address book from seeds and peers, keeps up the minimum of outbound peers,
 * feels whether addresses are alive, and finds the way back when everybody is gone. Main thread. What to dial is a pure
 * decision (`peer-selection.ts`); this loop carries it out.
 */
import type { Logger } from 'pino';
import type { Clock } from '../../shared/clock.js';
import { ErrorCode, PeerError } from '../../shared/errors.js';
import type { PeerInfo } from '../api.js';
import type { Settings } from '../config/settings.js';
import { formatHostPort, type HostPort, type PeerAddress } from '../net/address.js';
import type { Cause, Connection } from '../net/connection.js';
import type { Who } from '../peers/conduct.js';
import { netGroupOf, voiceOf } from '../peers/net-group.js';
import { type DialPurpose, selectDials, type UnderWay } from '../peers/peer-selection.js';
import type { World } from '../world.js';
import type { AddressBook, AddressSource, KnownAddress } from './address-book.js';
import { Bootstrap } from './bootstrap.js';
import type { Hearsay } from './hearsay.js';
import type { PeerExchange } from './peer-exchange.js';
import { type CrawlResult, crawlSeed } from './seed-crawler.js';
import { type SeedOutcome, SeedOutcomes } from './seed-outcomes.js';

/** Outbound peers that are remembered over a restart (bitcoin: 2). */
const ANCHORS = 2;
/** A node that knows addresses gives them this long before it asks seeds again. */
const ALONE_MS = 10_000;
/** How often the loop looks. */
const LOOK_EVERY_MS = 250;
/** A seed does little else than feel for addresses. */
const SEED_FEELER_EVERY_MS = 500;
/** A peer that has just gone may not know it yet, and would refuse a dial as a duplicate. */
const GONE_MS = 2000;
/** Feelers and extra peers between two visits of a seed: 20 minutes with the defaults. */
const LOOKS_OUTSIDE_EACH_VISIT = 10;
/** Outbound peers beyond the minimum, for rotation. */
const EXTRAS = 2;
/** Addresses at which we have found ourselves, beside those that we know. */
const MAX_FOUND_OWN = 64;

export interface DiscoveryParts {
  readonly settings: Settings;
  readonly nodeId: string;
  /** But for its clock, which nobody watches. */
  readonly world: Omit<World, 'clock'>;
  /** That of what is remembered: the address book is asked by it. */
  readonly clock: Clock;
  readonly log: Logger;
  readonly book: AddressBook;
  readonly exchange: PeerExchange | null;
  /** Gets what seeds say of us. */
  readonly hearsay: Hearsay;
  /** Outbound peers of the last run. */
  readonly anchors: readonly KnownAddress[];
  connected(): Iterable<Connection>;
  /** Rejects with PeerError or NodeError. */
  dial(address: PeerAddress, how: { readonly feeler: boolean }): Promise<PeerInfo>;
  /** Closes an outbound connection. */
  leave(peerId: string, cause: Cause): void;
  isWanted(who: Who): boolean;
  keepAnchors(anchors: readonly KnownAddress[]): void;
  crawlFailed(seed: string, cause: Cause): void;
}

export class Discovery {
  readonly #parts: DiscoveryParts;
  readonly #clock: Clock;
  readonly #bootstrap: Bootstrap;
  readonly #dials = new Map<string, UnderWay>();
  #anchors: readonly KnownAddress[];
  /** Anchors of the last run that have not been dialled yet. */
  #anchorsLeft: readonly KnownAddress[];
  #own: HostPort[] = [];
  readonly #foundOwn: HostPort[] = [];
  /** Seeds that are dialled as peers, by name. */
  readonly #seedsUnderWay = new Map<string, KnownAddress>();
  readonly #seedOutcomes = new SeedOutcomes();
  /**
   * When peers went that were connected a moment ago, by ID and IP address, the oldest first. An ID alone says nothing:
   * whoever borrows it for a moment must not keep us from dialling its owner.
   */
  readonly #gone = new Map<string, number>();
  #nextLookMs = 0;
  /** When something was last dialled beside what keeps up the minimum, and what is next. */
  #lastBesideMs: number;
  #nextBeside: 'feeler' | 'extra' = 'extra';
  #looksOutside = 0;
  /** Node IDs of extra outbound peers, the oldest first. */
  readonly #extras = new Set<string>();
  /** Since when nobody has been connected. */
  #aloneSinceMs: number;
  #crawls = 0;
  #crawlsFailed = 0;
  #seedAddresses = 0;
  #stopped = false;

  constructor(parts: DiscoveryParts) {
    const { settings, world, nodeId, clock } = parts;
    const { random } = world;
    this.#clock = clock;
    this.#parts = parts;
    this.#anchors = parts.anchors;
    this.#anchorsLeft = parts.anchors;
    this.#lastBesideMs = clock.nowMs();
    this.#aloneSinceMs = clock.nowMs();
    this.#bootstrap = new Bootstrap({
      settings,
      clock,
      timers: world.timers,
      random,
      crawl: (seed, signal) =>
        crawlSeed({
          host: seed.host,
          port: seed.port,
          strict: settings.strictAddresses,
          own: { id: nodeId, addresses: this.#allOwn() },
          timeoutMs: settings.dialTimeoutMs,
          signal,
          network: world.network,
          timers: world.timers,
        }),
      heard: (seed, result) => this.#heard(seed, result),
      visited: (seed, result) => void this.#learn(seed, result),
    });
  }

  /** What the node itself counts here. */
  get counts() {
    return { crawls: this.#crawls, crawlsFailed: this.#crawlsFailed, learned: this.#seedAddresses };
  }

  /** Seeds were asked and gave nobody to dial. */
  get seedsFail(): boolean {
    return this.#bootstrap.isFailing;
  }

  /** Other seeds, limits or intervals: looks at once. */
  settingsChanged(changed: ReadonlySet<string>): void {
    this.#parts.exchange?.settingsChanged();
    if (changed.has('seeds')) {
      this.#bootstrap.seedsChanged();
      this.#seedOutcomes.keep(this.#parts.settings.seeds);
    }
    this.#nextLookMs = 0;
  }

  /** What came of the last time that each seed was asked. */
  seeds(): SeedOutcome[] {
    return this.#seedOutcomes.of(this.#parts.settings.seeds);
  }

  /** An address that is ours: never stored, never dialled. */
  own(address: HostPort): void {
    this.#own.push(address);
    this.#tellOwn();
  }

  /** A dial led to ourselves, or to somebody who says so: that keeps nobody out but them, and is forgotten in time. */
  #foundOurselves(address: HostPort): void {
    this.#foundOwn.push(address);
    if (this.#foundOwn.length > MAX_FOUND_OWN) this.#foundOwn.shift();
    this.#tellOwn();
  }

  #tellOwn(): void {
    this.#parts.book.setOwnAddresses(this.#allOwn());
  }

  #allOwn() {
    return [...this.#own, ...this.#foundOwn].map(({ host, port }) => ({ ip: host, port }));
  }

  /** Looks what is to be done; called often, does something every 250 ms. */
  tick(): void {
    const nowMs = this.#clock.nowMs();
    if (this.#stopped || nowMs < this.#nextLookMs) return;
    this.#nextLookMs = nowMs + LOOK_EVERY_MS;
    this.#parts.exchange?.tick();
    this.#look(nowMs);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#parts.exchange?.stop();
    await this.#bootstrap.stop();
  }

  /** A dial has found the node that it was for, or another whose ID we now know. */
  reached(connection: Connection): void {
    const { book, settings } = this.#parts;
    const isSeed = settings.seeds.some(({ host, port }) => host === connection.host && port === connection.port);
    const source: AddressSource = connection.persistent ? 'persistent' : isSeed ? 'seed' : 'manual';
    const address = { id: connection.peerId!, ip: connection.ip, port: connection.port };
    book.good(address, source, this.#clock.wallMs());
  }

  connected(connection: Connection): void {
    this.#parts.exchange?.connected(connection);
    if (connection.direction === 'outbound') this.#updateAnchors();
  }

  disconnected(connection: Connection): void {
    const id = connection.peerId!;
    const gone = goneKeyOf({ id, ip: connection.ip });
    this.#extras.delete(id);
    this.#gone.delete(gone);
    this.#gone.set(gone, this.#clock.nowMs());
    this.#parts.exchange?.disconnected(connection);
    // Looks at once: the place of an outbound peer should not stay empty.
    this.#nextLookMs = 0;
  }

  #look(nowMs: number): void {
    const { settings, book, isWanted } = this.#parts;
    const underWay = this.#underWay();
    let outbound = underWay.filter(({ purpose }) => purpose !== 'feeler').length;
    let isAlone = true;
    for (const { direction } of this.#parts.connected()) {
      isAlone = false;
      if (direction === 'outbound') outbound++;
    }
    if (!isAlone) this.#aloneSinceMs = nowMs;
    this.#forgetGone(nowMs);
    const beside = this.#besideDue(nowMs);
    const wallMs = this.#clock.wallMs();
    book.resolveTests(wallMs);
    // The rule with many inbound peers: nothing is missing, nothing is due, and nothing is worth a list of them all.
    if (outbound >= settings.minOutbound && beside === null && !isAlone) return;
    const connected = [...this.#parts.connected()];
    const { dials, starved } = selectDials({
      book,
      connected: connected.map(({ peerId, ip, port, direction, isHeard }) => {
        return { id: peerId!, ip, port, direction, isHeard };
      }),
      dialling: underWay,
      outbound,
      minOutbound: settings.minOutbound,
      maxOutbound: settings.maxOutbound,
      anchors: this.#anchorsLeft,
      isWanted: (who) => !this.#gone.has(goneKeyOf(who)) && isWanted(who),
      nowMs: wallMs,
      beside,
      // Who tells nobody anything needs to know nothing.
      feelsInbound: settings.pex,
    });
    for (const { address, purpose } of dials) this.#dial(address, purpose);
    this.#endOldExtras();
    if (starved || nowMs - this.#aloneSinceMs >= ALONE_MS) this.#bootstrap.look();
  }

  #underWay(): UnderWay[] {
    const seeds = [...this.#seedsUnderWay.values()].map((address) => ({ address, purpose: 'outbound' }) as const);
    return [...this.#dials.values(), ...seeds];
  }

  #forgetGone(nowMs: number): void {
    for (const [gone, goneMs] of this.#gone) {
      if (nowMs - goneMs < GONE_MS) return;
      this.#gone.delete(gone);
    }
  }

  /** What may be dialled beside: a feeler and one more outbound peer in turn; a seed feels, and often. */
  #besideDue(nowMs: number): 'feeler' | 'extra' | null {
    const { seedMode, feelerIntervalMs } = this.#parts.settings;
    const everyMs = seedMode ? Math.min(SEED_FEELER_EVERY_MS, feelerIntervalMs) : feelerIntervalMs;
    if (nowMs - this.#lastBesideMs < everyMs) return null;
    this.#lastBesideMs = nowMs;
    if (!seedMode && ++this.#looksOutside % LOOKS_OUTSIDE_EACH_VISIT === 0) this.#bootstrap.visit();
    this.#nextBeside = this.#nextBeside === 'feeler' && !seedMode ? 'extra' : 'feeler';
    return this.#nextBeside;
  }

  #dial(address: KnownAddress, purpose: DialPurpose): void {
    const { book, dial } = this.#parts;
    const key = `${address.id}@${address.ip}:${address.port}`;
    if (purpose === 'anchor') this.#anchorsLeft = this.#anchorsLeft.filter(({ id }) => id !== address.id);
    this.#dials.set(key, { address, purpose });
    book.attempt(address, this.#clock.wallMs());
    dial({ id: address.id, host: address.ip, port: address.port }, { feeler: purpose === 'feeler' })
      .then(() => {
        if (purpose === 'extra') this.#extras.add(address.id);
      })
      .catch((error: unknown) => this.#failed(address, error))
      .finally(() => this.#dials.delete(key));
  }

  /** A node that is cut off with its half of a network finds the other half by looking around for good. */
  #endOldExtras(): void {
    for (const id of this.#extras) {
      if (this.#extras.size <= EXTRAS) return;
      this.#extras.delete(id);
      this.#parts.leave(id, { code: ErrorCode.GoingAway, reason: 'makes room for another peer' });
    }
  }

  #failed(address: KnownAddress, error: unknown): void {
    const { book } = this.#parts;
    // A queue that is full says nothing about the address.
    if (!(error instanceof PeerError)) return;
    if (error.code === ErrorCode.SelfConnection) this.#foundOurselves({ host: address.ip, port: address.port });
    else if (error.foundId !== undefined) book.replaced(address, error.foundId, this.#clock.wallMs());
    else if (this.#isFailure(address, error)) book.failed(address, this.#clock.wallMs());
  }

  /** Whether it is the address that has failed. */
  #isFailure(address: KnownAddress, { code }: PeerError): boolean {
    // What is under way when we stop we give up ourselves.
    if (this.#stopped) return false;
    // While nobody is connected it may be our own network that is gone; hours of that must not empty the book.
    if (code === ErrorCode.NetworkError && this.#isAlone) return false;
    // A duplicate is no failure of a node that is connected to us; anybody else only says so.
    return code !== ErrorCode.DuplicateConnection || !this.#isOrWasConnected(address);
  }

  get #isAlone(): boolean {
    for (const _ of this.#parts.connected()) return false;
    return true;
  }

  /**
   * Who is connected counts from wherever it is: a node may dial from another address than it listens at, and what
   * borrows its ID is not dialled while it is there, so that this settles a dial at most that had begun before.
   */
  #isOrWasConnected({ id, ip }: KnownAddress): boolean {
    if (this.#gone.has(goneKeyOf({ id, ip }))) return true;
    for (const { peerId } of this.#parts.connected()) if (peerId === id) return true;
    return false;
  }

  /** A seed has answered. Whatever it told, it is a node too: who knows nobody else dials it. */
  #heard(seed: PeerAddress, result: CrawlResult): boolean {
    if (this.#learn(seed, result) > 0) return true;
    if (!this.#isOwn(seed)) {
      this.#dialSeed(seed, formatHostPort(seed), { id: seed.id ?? '', ip: result.address, port: seed.port });
    }
    return false;
  }

  /** Takes up what a seed tells. @returns how many addresses were new */
  #learn(seed: PeerAddress, result: CrawlResult): number {
    const { book, crawlFailed, hearsay, isWanted, log } = this.#parts;
    const { entries, own, address, error } = result;
    const wallMs = this.#clock.wallMs();
    const name = formatHostPort(seed);
    const isStillSeed = this.#parts.settings.seeds.some((known) => formatHostPort(known) === name);
    if (isStillSeed) this.#seedOutcomes.asked(seed, result, wallMs);
    for (const { ip, port } of own) {
      hearsay.address(voiceOf(address, seed.port), { host: ip, port }, this.#clock.nowMs());
    }
    this.#crawls++;
    if (error !== null) {
      this.#crawlsFailed++;
      crawlFailed(name, { code: error.code, reason: error.message });
    }
    let added = 0;
    for (const entry of entries) {
      if (!isWanted(entry)) continue;
      const from = { source: 'seed', fromIp: address, fromPort: seed.port } as const;
      if (book.add(entry, from, wallMs, wallMs) === 'added') added++;
    }
    this.#seedAddresses += added;
    log.info({ seed: name, peers: entries.length, added, error: error?.message }, 'seed crawled');
    return added;
  }

  /** Dials a seed, unless its netgroup is taken: those who run seeds may not surround us either. */
  #dialSeed(seed: PeerAddress, name: string, address: KnownAddress): void {
    if (this.#seedsUnderWay.has(name)) return;
    for (const { host, port } of this.#parts.connected()) if (host === seed.host && port === seed.port) return;
    if (address.ip !== '' && this.#hasOutboundIn(netGroupOf(address.ip, address.port))) return;
    this.#seedsUnderWay.set(name, address);
    this.#parts
      .dial(seed, { feeler: false })
      .catch((error: unknown) => {
        this.#seedOutcomes.dialled(seed, error);
        if (error instanceof PeerError && error.code === ErrorCode.SelfConnection) this.#foundOurselves(seed);
      })
      .finally(() => this.#seedsUnderWay.delete(name));
  }

  /** Whether there is an outbound peer in a netgroup, or a dial to one. */
  #hasOutboundIn(netGroup: string): boolean {
    const isThere = ({ purpose, address: { ip, port } }: UnderWay) =>
      purpose !== 'feeler' && netGroupOf(ip, port) === netGroup;
    if (this.#underWay().some(isThere)) return true;
    for (const peer of this.#parts.connected()) {
      if (peer.direction === 'outbound' && peer.netGroup === netGroup) return true;
    }
    return false;
  }

  #isOwn({ host, port }: HostPort): boolean {
    return this.#allOwn().some((own) => own.ip === host && own.port === port);
  }

  /** The longest outbound peers; those of before fill up, so that a lost network does not make us forget. */
  #updateAnchors(): void {
    const outbound = [...this.#parts.connected()]
      .filter(({ direction, persistent }) => direction === 'outbound' && !persistent)
      .sort((a, b) => a.connectedMs - b.connectedMs)
      .map(({ peerId, ip, port }) => ({ id: peerId!, ip, port }));
    const ids = new Set(outbound.map(({ id }) => id));
    const anchors = [...outbound, ...this.#anchors.filter(({ id }) => !ids.has(id))].slice(0, ANCHORS);
    const isSame = anchors.length === this.#anchors.length && anchors.every(({ id }, i) => id === this.#anchors[i]!.id);
    if (isSame) return;
    this.#anchors = anchors;
    this.#parts.keepAnchors(anchors);
  }
}

function goneKeyOf({ id, ip }: Who): string {
  return `${id}@${ip}`;
}
