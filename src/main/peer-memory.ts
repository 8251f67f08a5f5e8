/**
 * What a node remembers of others over restarts: address book, bans, reputation, anchors, lifetime counters. Main
 * thread. Restores each from the store and keeps the store told of every change; none of them knows that there is one.
 */
import type { Clock } from '../shared/clock.js';
import { canonicalIp } from '../shared/wire/routability.js';
import type { LifetimeStatus } from './api.js';
import type { Settings } from './config/settings.js';
import { AddressBook, type KnownAddress } from './discovery/address-book.js';
import { keyOf } from './discovery/address-record.js';
import { Bans } from './peers/bans.js';
import { Reputation } from './peers/reputation.js';
import type { Store, StoreContents } from './store/store.js';
import { WatchedClock } from './watched-clock.js';
import type { World } from './world.js';

const BOOK_SECRET_BYTES = 32;
/** How often expired bans and scores at rest are forgotten, and lifetime counters written. */
const SWEEP_MS = 10_000;

/** Counters of all runs of this data directory. */
interface Lifetime {
  firstStartedMs: number;
  starts: number;
  /** When this was noted, by the wall clock of then. */
  notedMs: number;
  uptimeSeconds: number;
  messagesReceived: number;
  messagesSent: number;
  bytesReceived: number;
  bytesSent: number;
}

/** What the running node has counted, to be added to what earlier runs had. */
export type RunCounters = Omit<Lifetime, 'firstStartedMs' | 'starts' | 'notedMs'>;

/** Where it is kept: the store, or in the simulation what outlives a crash there. */
export type PeerStore = Pick<Store, 'put' | 'remove' | 'close' | 'fault'> & { contents(): StoreContents };

export class PeerMemory {
  /** Whoever asks what is remembered asks by this clock: it moves what lasts by the wall clock along with it. */
  readonly clock: Clock;
  readonly book: AddressBook;
  readonly bans: Bans;
  readonly reputation: Reputation;
  readonly anchors: readonly KnownAddress[];
  /** How far the last run's clock was ahead of ours when this run began, milliseconds; 0 if it was not. */
  readonly lastRunAheadMs: number;
  readonly #store: PeerStore;
  readonly #settings: Settings;
  /** The book's own views of the settings. */
  readonly #privateIds = new Set<string>();
  readonly #persistentKeys = new Set<string>();
  readonly #persistentIds = new Set<string>();
  readonly #randomBytes: World['randomBytes'];
  readonly #before: Lifetime;
  #sweptMs: number;

  /** Restores what is in the store, which is its own from now on. */
  constructor(store: PeerStore, settings: Settings, nodeId: string, world: World) {
    const { random } = world;
    const clock = new WatchedClock(world.clock, (byMs) => {
      this.bans.shift(byMs);
      this.reputation.shift(byMs);
    });
    const contents = store.contents();
    const nowMs = world.clock.wallMs();
    this.#store = store;
    this.#settings = settings;
    this.clock = clock;
    this.#randomBytes = (bytes) => world.randomBytes(bytes);
    this.#sweptMs = nowMs;
    this.settingsChanged();
    this.book = new AddressBook({
      secret: this.#bookSecret(contents.meta.get('bookSecret')),
      strict: settings.strictAddresses,
      ownId: nodeId,
      privateIds: this.#privateIds,
      persistentKeys: this.#persistentKeys,
      persistentIds: this.#persistentIds,
      random,
      onChange: (key, record) => this.#changed('addresses', key, record),
    });
    this.book.restore(contents.addresses.values(), nowMs);
    this.bans = new Bans({
      onBan: (target, ban) => this.#changed('bans', target, ban),
      onOffence: (target, offences) => this.#changed('offences', target, offences),
    });
    this.bans.restore(contents.bans.values(), contents.offences.values(), nowMs);
    this.reputation = new Reputation({
      onChange: (key, record) => this.#changed('reputation', key, record),
    });
    this.reputation.restore(contents.reputation.values(), nowMs);
    this.anchors = readAnchors(contents.meta.get('anchors'));
    this.#before = readLifetime(contents.meta.get('lifetime'), nowMs);
    this.lastRunAheadMs = Math.max(0, this.#before.notedMs - nowMs);
  }

  /** Other private or persistent peers than before. */
  settingsChanged(): void {
    const { privatePeerIds, persistentPeers } = this.#settings;
    this.#privateIds.clear();
    for (const id of privatePeerIds) this.#privateIds.add(id);
    this.#persistentKeys.clear();
    this.#persistentIds.clear();
    for (const { id, host, port } of persistentPeers) {
      if (id === null) continue;
      const ip = canonicalIp(host);
      if (ip === null) this.#persistentIds.add(id);
      else this.#persistentKeys.add(keyOf({ id, ip, port }));
    }
  }

  /** Why the store can't be written, null while it can. */
  get fault(): Error | null {
    return this.#store.fault;
  }

  keepAnchors(anchors: readonly KnownAddress[]): void {
    this.#store.put('meta', 'anchors', anchors);
  }

  /** Forgets what has expired and notes what this run has counted; does something every 10 s. */
  sweep(run: RunCounters): void {
    const nowMs = this.clock.wallMs();
    if (Math.abs(nowMs - this.#sweptMs) < SWEEP_MS) return;
    this.#sweptMs = nowMs;
    this.bans.sweep(nowMs);
    this.reputation.sweep(nowMs);
    this.#store.put('meta', 'lifetime', this.#lifetime(run));
  }

  /** Counters of all runs, this one included. */
  lifetime(run: RunCounters): LifetimeStatus {
    const { firstStartedMs, starts, notedMs: _, uptimeSeconds, ...sums } = this.#lifetime(run);
    return {
      firstStarted: new Date(firstStartedMs).toISOString(),
      starts,
      uptimeSeconds,
      messages: { received: sums.messagesReceived, sent: sums.messagesSent },
      bytes: { received: sums.bytesReceived, sent: sums.bytesSent },
    };
  }

  /** Writes everything and closes the store. */
  async close(run: RunCounters): Promise<void> {
    this.#store.put('meta', 'lifetime', this.#lifetime(run));
    await this.#store.close();
  }

  #lifetime(run: RunCounters): Lifetime {
    const before = this.#before;
    return {
      firstStartedMs: before.firstStartedMs,
      starts: before.starts,
      notedMs: this.clock.wallMs(),
      uptimeSeconds: before.uptimeSeconds + run.uptimeSeconds,
      messagesReceived: before.messagesReceived + run.messagesReceived,
      messagesSent: before.messagesSent + run.messagesSent,
      bytesReceived: before.bytesReceived + run.bytesReceived,
      bytesSent: before.bytesSent + run.bytesSent,
    };
  }

  #changed(table: Parameters<Store['put']>[0], key: string, value: unknown): void {
    if (value === null) this.#store.remove(table, key);
    else this.#store.put(table, key, value);
  }

  /** What the buckets of the book are keyed by: who knew it could aim at buckets. Made once for a data directory. */
  #bookSecret(stored: unknown): Uint8Array {
    if (stored instanceof Uint8Array && stored.length === BOOK_SECRET_BYTES) return stored;
    const secret = this.#randomBytes(BOOK_SECRET_BYTES);
    this.#store.put('meta', 'bookSecret', secret);
    return secret;
  }
}

function readAnchors(stored: unknown): KnownAddress[] {
  if (!Array.isArray(stored)) return [];
  return stored.filter(
    (anchor): anchor is KnownAddress =>
      typeof anchor?.id === 'string' && typeof anchor.ip === 'string' && Number.isInteger(anchor.port),
  );
}

function readLifetime(stored: unknown, nowMs: number): Lifetime {
  const before = (typeof stored === 'object' && stored !== null ? stored : {}) as Partial<Lifetime>;
  const amount = (value: unknown): number => (typeof value === 'number' && Number.isFinite(value) ? value : 0);
  return {
    firstStartedMs: amount(before.firstStartedMs) || nowMs,
    starts: amount(before.starts) + 1,
    notedMs: amount(before.notedMs),
    uptimeSeconds: amount(before.uptimeSeconds),
    messagesReceived: amount(before.messagesReceived),
    messagesSent: amount(before.messagesSent),
    bytesReceived: amount(before.bytesReceived),
    bytesSent: amount(before.bytesSent),
  };
}
