/**
 * Exchanges addresses with connected peers (rulings 7): when each is told, and what is taken from what they tell. Main
 * thread. Nobody is asked: both sides tell at once after the handshake, and from then on every `pexInterval`.
 */
import type { Clock } from '../../shared/clock.js';
import { MIN_PEX_INTERVAL_MS, PEX_SENT_PEERS } from '../../shared/limits.js';
import { canonicalIp, isRoutable } from '../../shared/wire/routability.js';
import type { Settings } from '../config/settings.js';
import { normalizeHost } from '../net/address.js';
import type { Connection } from '../net/connection.js';
import type { Who } from '../peers/conduct.js';
import { isLocal, voiceOf } from '../peers/net-group.js';
import type { ReputationEvent } from '../peers/reputation-events.js';
import { TokenBucket } from '../peers/token-bucket.js';
import type { Timers } from '../timers.js';
import type { AddressBook, AddressRecord } from './address-book.js';
import type { Hearsay } from './hearsay.js';
import { isWildcard, type OwnAddress } from './own-address.js';
import { decodePex, encodePex, type ToldAddress } from './pex.js';

/**
 * Addresses that are taken from one netgroup: so many at first, then so many a second. Kept by netgroup, since a new
 * connection or a neighbour's must be no new allowance; it is about what the book has room for from there.
 */
const ADDRESSES_AT_FIRST = 2000;
const ADDRESSES_PER_SECOND = 4;
/** Netgroups whose allowance is remembered; the one that was used longest ago is forgotten first. */
const MAX_ALLOWANCES = 10_000;
/** Messages that may come at once: a delay on the way pushes two together. */
const MESSAGES_AT_ONCE = 2;
/** A new connection is told more often for a while: networks form in their first seconds. */
const EARLY_INTERVAL_MS = MIN_PEX_INTERVAL_MS + 1000;
const EARLY_MS = 30_000;
/**
 * Who is connected within this time of another is told the same of a book of so many addresses: a crowd of newcomers costs
 * one look through it. A smaller one is looked through in less time than the message is written, and each word of it counts
 * while a network comes about.
 */
const SAMPLE_KEEPS_MS = 1000;
const LARGE_BOOK = 2000;
/** A seed keeps an inbound peer so long at most to hear where it listens. */
const SEED_PATIENCE_MS = 3000;

/** Addresses that are looked at in one turn of the event loop: a message of 200 takes several milliseconds. */
const LEARNED_AT_ONCE = 50;
/** Addresses that may wait for that; a message for which there is no room is left unread, without penalty. */
const MAX_UNLEARNED = 10_000;

/** What a peer has told, and how much of it has been looked at. */
interface Told {
  readonly connection: Connection;
  readonly addresses: readonly ToldAddress[];
  done: number;
}

/** What is remembered of the exchange with one connected peer. */
interface Exchange {
  readonly sinceMs: number;
  nextSendMs: number;
  sent: boolean;
  received: boolean;
  readonly messages: TokenBucket;
}

export interface PeerExchangeParts {
  readonly nodeId: string;
  readonly settings: Pick<Settings, 'strictAddresses' | 'pexIntervalMs' | 'seedMode'>;
  readonly book: AddressBook;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly own: () => OwnAddress;
  readonly isWanted: (who: Who) => boolean;
  /** A message was not as it must be. */
  fault(event: ReputationEvent, connection: Connection): void;
  send(connection: Connection, payload: Uint8Array): boolean;
  /** Gets what peers say of us. */
  readonly hearsay: Hearsay;
  /** Seed mode: an inbound peer has got what it came for. */
  served(connection: Connection): void;
}

export class PeerExchange {
  readonly #parts: PeerExchangeParts;
  readonly #exchanges = new Map<Connection, Exchange>();
  /** Addresses that a netgroup may still tell; what is over is left unread, without penalty. */
  readonly #allowances = new Map<string, TokenBucket>();
  /** The oldest first. */
  readonly #told: Told[] = [];
  /** Addresses in it that have not been looked at. */
  #unlearned = 0;
  /** What was last drawn from a large book. */
  #sample: { readonly records: readonly AddressRecord[]; readonly sinceMs: number } | null = null;
  #stopped = false;
  #received = 0;
  #sent = 0;
  #learned = 0;

  constructor(parts: PeerExchangeParts) {
    this.#parts = parts;
  }

  get counts() {
    return { received: this.#received, sent: this.#sent, learned: this.#learned };
  }

  /** A peer is connected: it is told at once, so that a newcomer needs no more than one peer. */
  connected(connection: Connection): void {
    const nowMs = this.#parts.clock.nowMs();
    const messages = new TokenBucket({ ratePerSecond: 1000 / MIN_PEX_INTERVAL_MS, burst: MESSAGES_AT_ONCE });
    this.#exchanges.set(connection, { sinceMs: nowMs, nextSendMs: nowMs, sent: false, received: false, messages });
    this.#tellIfDue(connection, nowMs);
  }

  disconnected(connection: Connection): void {
    this.#exchanges.delete(connection);
  }

  /** Tells whoever is due. */
  tick(): void {
    const nowMs = this.#parts.clock.nowMs();
    for (const [connection, exchange] of [...this.#exchanges]) {
      this.#tellIfDue(connection, nowMs);
      if (this.#isServed(connection, exchange, nowMs)) this.#parts.served(connection);
    }
  }

  /** A peer tells addresses. */
  receive(connection: Connection, payload: Uint8Array): void {
    const exchange = this.#exchanges.get(connection);
    if (exchange === undefined || this.#stopped) return;
    const { clock, settings, fault, hearsay } = this.#parts;
    const nowMs = clock.nowMs();
    exchange.received = true;
    this.#received++;
    // Both asked before a byte is parsed: whoever floods costs us no more than this.
    if (!exchange.messages.takeIfThere(1, nowMs)) {
      fault('pexTooOften', connection);
      return;
    }
    const allowance = this.#allowanceOf(connection);
    if (allowance.waitMs(nowMs) > 0 || this.#unlearned >= MAX_UNLEARNED) return;
    const message = decodePex(payload, settings.strictAddresses);
    if (message.kind === 'too-large') fault('pexTooLarge', connection);
    else if (message.kind === 'invalid') fault('pexInvalid', connection);
    else {
      const voice = { group: voiceOf(connection.ip, connection.port), isChosen: connection.direction === 'outbound' };
      if (message.sentMs !== null) hearsay.time(voice, message.sentMs, nowMs);
      const addresses: ToldAddress[] = [];
      for (const address of message.addresses) {
        if (allowance.waitMs(nowMs) > 0) break;
        allowance.take(1, nowMs);
        addresses.push(address);
      }
      this.#learnSoon({ connection, addresses, done: 0 });
    }
  }

  /** There may be others that nobody is to be told of. */
  settingsChanged(): void {
    this.#sample = null;
  }

  /** Nothing more is learned: the book is about to be closed. */
  stop(): void {
    this.#stopped = true;
    this.#told.length = 0;
    this.#unlearned = 0;
  }

  #learnSoon(told: Told): void {
    const isUnderWay = this.#unlearned > 0;
    if (told.addresses.length === 0) return;
    this.#told.push(told);
    this.#unlearned += told.addresses.length;
    if (!isUnderWay) this.#parts.timers.soon(() => this.#learnSome());
  }

  /** A part in each turn: whoever tells us much holds up nobody else. */
  #learnSome(): void {
    for (let left = LEARNED_AT_ONCE; left > 0 && this.#unlearned > 0; left--) {
      const told = this.#told[0]!;
      this.#learn(told.connection, told.addresses[told.done++]!);
      this.#unlearned--;
      if (told.done === told.addresses.length) this.#told.shift();
    }
    if (this.#unlearned > 0) this.#parts.timers.soon(() => this.#learnSome());
  }

  /** Many nodes of one machine or LAN are many: there it is kept by ID. */
  #allowanceOf({ ip, peerId, netGroup }: Connection): TokenBucket {
    const teller = isLocal(ip) ? `${ip} ${peerId}` : netGroup;
    const allowance =
      this.#allowances.get(teller) ??
      new TokenBucket({ ratePerSecond: ADDRESSES_PER_SECOND, burst: ADDRESSES_AT_FIRST });
    this.#allowances.delete(teller);
    this.#allowances.set(teller, allowance);
    if (this.#allowances.size > MAX_ALLOWANCES) this.#allowances.delete(this.#allowances.keys().next().value!);
    return allowance;
  }

  #learn(connection: Connection, address: ToldAddress): void {
    const { book, clock, hearsay, isWanted, nodeId } = this.#parts;
    if (address.id === nodeId) {
      hearsay.address(voiceOf(connection.ip, connection.port), { host: address.ip, port: address.port }, clock.nowMs());
      return;
    }
    if (!isWanted(address)) return;
    const from = { source: 'pex', fromIp: connection.ip, fromPort: connection.port } as const;
    if (book.add(address, from, address.lastSeenMs, clock.wallMs()) === 'added') this.#learned++;
  }

  #tellIfDue(connection: Connection, nowMs: number): void {
    const exchange = this.#exchanges.get(connection);
    if (exchange === undefined || nowMs < exchange.nextSendMs) return;
    const isEarly = nowMs - exchange.sinceMs < EARLY_MS;
    const { clock, send, settings } = this.#parts;
    const { pexIntervalMs } = settings;
    exchange.nextSendMs = nowMs + (isEarly ? Math.min(EARLY_INTERVAL_MS, pexIntervalMs) : pexIntervalMs);
    const wallMs = clock.wallMs();
    const own = this.#ownAddress(connection, wallMs);
    const others = this.#sampleAt(nowMs, wallMs).filter(
      ({ id, ip, port }) => id !== connection.peerId && (ip !== connection.ip || port !== connection.port),
    );
    const told = own === null ? others : [own, ...others.slice(0, PEX_SENT_PEERS - 1)];
    if (told.length === 0 && !settings.seedMode) return;
    if (send(connection, encodePex(told, wallMs))) this.#sent++;
    exchange.sent = true;
  }

  /** Addresses to tell. */
  #sampleAt(nowMs: number, wallMs: number): readonly AddressRecord[] {
    const { book } = this.#parts;
    if (this.#sample !== null && nowMs - this.#sample.sinceMs < SAMPLE_KEEPS_MS) return this.#sample.records;
    const records = book.sample(PEX_SENT_PEERS, wallMs);
    this.#sample = book.counts().known >= LARGE_BOOK ? { records, sinceMs: nowMs } : null;
    return records;
  }

  /** Where this peer and others can reach us, if we know: nobody else tells them, since a handshake has no port. */
  #ownAddress(connection: Connection, nowMs: number): AddressRecord | null {
    const { nodeId, settings } = this.#parts;
    const { listen, external } = this.#parts.own();
    const seen = isWildcard(listen.host) ? normalizeHost(connection.socket.localAddress ?? '') : listen.host;
    const { host: ip, port } = external ?? { host: seen, port: listen.port };
    // One with a zone means something on this machine only.
    if (canonicalIp(ip) === null || (settings.strictAddresses && !isRoutable(ip))) return null;
    return {
      id: nodeId,
      ip,
      port,
      source: 'unknown',
      sourceGroup: '',
      bucket: 'tried',
      firstSeenMs: nowMs,
      lastSeenMs: nowMs,
      lastTriedMs: 0,
      lastSuccessMs: 0,
      attempts: 0,
    };
  }

  #isServed(connection: Connection, exchange: Exchange, nowMs: number): boolean {
    if (!this.#parts.settings.seedMode || connection.direction !== 'inbound' || connection.exempt || !exchange.sent)
      return false;
    return exchange.received || nowMs - exchange.sinceMs >= SEED_PATIENCE_MS;
  }
}
