/**
 * Configuration as the README's table says it: which of several sources counts, and what amounts, words and IDs mean.
 * Addresses, paths and lists are not read here.
 */
import type { OptionKey } from '../../../src/main/config/options.js';
import type { Settings } from '../../../src/main/config/settings.js';
import { durationMs, sizeBytes } from './amounts.js';
import { nameOf } from './text.js';

/** A source earlier in this list counts before the others (interfaces.md; the library stands behind flags). */
export const WAYS = ['flags', 'library', 'env', 'file'] as const;
export type Way = (typeof WAYS)[number];
/** What each source says, as it spells its keys. */
export type Said = Readonly<Partial<Record<Way, Readonly<Record<string, unknown>>>>>;

const WRONG = Symbol('wrong');
type Reader = (raw: unknown, way: Way) => unknown;

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;
const HOUR_MS = 3_600_000;

function within(amount: unknown, least: number, most: number): unknown {
  return typeof amount === 'number' && amount >= least && amount <= most ? amount : WRONG;
}

/** Numbers may be text everywhere: flags and variables know nothing else. */
function numberOf(raw: unknown): unknown {
  return typeof raw === 'string' && /^\d{1,15}(\.\d{1,15})?$/.test(raw) ? Number(raw) : raw;
}

function count(least: number, most: number): Reader {
  return (raw) => (Number.isInteger(numberOf(raw)) ? within(numberOf(raw), least, most) : WRONG);
}

/** Only the library may leave the unit out: milliseconds. */
function time(leastMs: number, mostMs = 24 * HOUR_MS): Reader {
  return (raw, way) => {
    if (typeof raw === 'string') return within(durationMs(raw), leastMs, mostMs);
    return way === 'library' && Number.isInteger(raw) ? within(raw, leastMs, mostMs) : WRONG;
  };
}

function size(least: number, most: number): Reader {
  return (raw) => {
    if (typeof raw === 'string') return within(sizeBytes(raw), least, most);
    return Number.isInteger(raw) ? within(raw, least, most) : WRONG;
  };
}

function powerOfTwo(least: number, most: number): Reader {
  const plain = size(least, most);
  return (raw, way) => {
    const bytes = plain(raw, way);
    return typeof bytes === 'number' && /^10*$/.test(bytes.toString(2)) ? bytes : WRONG;
  };
}

const or =
  (word: string, meaning: unknown, read: Reader): Reader =>
  (raw, way) =>
    raw === word ? meaning : read(raw, way);
const share: Reader = (raw) => within(numberOf(raw), 0, 1);
const yesOrNo: Reader = (raw) =>
  raw === true || raw === 'true' ? true : raw === false || raw === 'false' ? false : WRONG;
const no: Reader = (raw, way) => (yesOrNo(raw, way) === WRONG ? WRONG : yesOrNo(raw, way) === false);
const oneOf =
  (...words: readonly string[]): Reader =>
  (raw) =>
    words.includes(raw as string) ? raw : WRONG;
const chain: Reader = (raw) =>
  typeof raw === 'string' && raw.isWellFormed() && nameOf(Buffer.from(raw), 32) !== null ? raw : WRONG;
const node: Reader = (raw) =>
  chain(raw, 'file') === raw && /^[\x20-\x3f\x41-\x7e]+$/.test(raw as string) ? raw : WRONG;

interface Option {
  readonly setting: keyof Settings;
  readonly read: Reader;
  /** What holds where nobody says anything. */
  readonly fallback: unknown;
}

function option(setting: keyof Settings, read: Reader, fallback: unknown): Option {
  return { setting, read, fallback };
}

/** On a machine of four cores, and not on a terminal. Null: not read here. */
const OPTIONS: Readonly<Record<OptionKey, Option | null>> = {
  preset: option('preset', oneOf('default', 'high-traffic', 'low-resource'), 'default'),
  chainId: option('chainId', chain, 'paw-mainnet'),
  nodeId: option('nodeId', node, null),
  dataDir: null,
  listen: null,
  admin: null,
  adminToken: null,
  externalAddress: null,
  seeds: null,
  persistentPeers: null,
  privatePeerIds: null,
  unconditionalPeerIds: null,
  maxPeers: option('maxPeers', count(1, 10_000), 100),
  maxInbound: option('maxInbound', count(0, 10_000), 50),
  maxOutbound: option('maxOutbound', count(0, 10_000), 50),
  minOutbound: option('minOutbound', count(0, 10_000), 10),
  maxPerSubnet: option('maxPerSubnet', count(1, 10_000), 10),
  pex: option('pex', yesOrNo, true),
  pexInterval: option('pexIntervalMs', time(5000), 30_000),
  feelerInterval: option('feelerIntervalMs', time(100), 120_000),
  seedMode: option('seedMode', yesOrNo, false),
  nonStrictAddresses: option('strictAddresses', no, true),
  crawlGrace: option('crawlGraceMs', time(1, 10_000), 300),
  relay: null,
  gossipCache: option('gossipCacheBytes', powerOfTwo(64 * KiB, GiB), 4 * MiB),
  receiveRate: option('receiveRateBytes', or('off', null, size(KiB, 64 * GiB)), null),
  sendRate: option('sendRateBytes', or('off', null, size(KiB, 64 * GiB)), null),
  receiveMessages: option('receiveRateMessages', or('off', null, count(1, 1e9)), null),
  sendMessages: option('sendRateMessages', or('off', null, count(1, 1e9)), null),
  workers: option('workers', or('auto', 3, count(1, 64)), 3),
  workerTimeout: option('workerTimeoutMs', or('off', null, time(1)), 10_000),
  workerHeap: option('workerHeapBytes', size(16 * MiB, 64 * GiB), 512 * MiB),
  handlers: null,
  dialTimeout: option('dialTimeoutMs', time(1), 5000),
  handshakeTimeout: option('handshakeTimeoutMs', time(1), 10_000),
  readTimeout: option('readTimeoutMs', time(1), 30_000),
  writeTimeout: option('writeTimeoutMs', time(1), 5000),
  pingInterval: option('pingIntervalMs', time(1), 30_000),
  inactivityTimeout: option('inactivityTimeoutMs', time(1), 300_000),
  frameTimeout: option('frameTimeoutMs', time(1), 60_000),
  shutdownTimeout: option('shutdownTimeoutMs', time(1), 4000),
  backoffJitter: option('backoffJitter', share, 0.2),
  sendQueue: option('sendQueueBytes', size(64 * KiB, GiB), 8 * MiB),
  memoryBudget: option('memoryBudgetBytes', size(8 * MiB, 64 * GiB), 512 * MiB),
  ringSize: option('ringBytes', or('auto', null, powerOfTwo(4 * KiB, 64 * MiB)), null),
  outboundRing: option('outboundRingBytes', powerOfTwo(64 * KiB, 64 * MiB), MiB),
  logLevel: option('logLevel', oneOf('debug', 'info', 'warn', 'error', 'silent'), 'info'),
  logFormat: option('logFormat', oneOf('pretty', 'json'), 'json'),
  logFile: null,
};
const keys = Object.keys(OPTIONS) as OptionKey[];

const low = { maxPeers: 20, maxInbound: 10, maxOutbound: 10, receiveRate: MiB, sendRate: MiB };
const PRESETS: Readonly<Record<string, Partial<Record<OptionKey, unknown>>>> = {
  default: {},
  'high-traffic': { maxPeers: 200, maxInbound: 100, maxOutbound: 100 },
  'low-resource': { ...low, gossipCache: MiB, ringSize: 64 * KiB },
};

export interface Judgement {
  /** Keys that an error must name one of, as they were spelled; none if there must be no error. */
  readonly wrong: ReadonlySet<string>;
  /** Keys about which nothing is said here: an error may be about them. */
  readonly unread: ReadonlySet<string>;
  /** What the settings must be, where nothing is wrong. */
  readonly settings: Readonly<Partial<Record<keyof Settings, unknown>>>;
}

export function judge(said: Said): Judgement {
  const wrong = new Set<string>();
  const unread = new Set<string>();
  const given = new Map<OptionKey, unknown>();
  for (const way of WAYS) {
    const seen = new Set<OptionKey>();
    for (const [spelled, raw] of Object.entries(said[way] ?? {})) {
      const key = keys.find((one) => (way === 'file' ? spellingOf(one).test(spelled) : one === spelled));
      if (key === undefined) wrong.add(spelled);
      else if (seen.has(key)) wrong.add(key);
      else if (raw !== null && raw !== undefined && !given.has(key)) given.set(key, OPTIONS[key]?.read(raw, way));
      if (key !== undefined) seen.add(key);
    }
  }
  for (const [key, value] of given) {
    if (value === WRONG) wrong.add(key);
    else if (OPTIONS[key] === null) unread.add(key);
  }
  const settings = wrong.size > 0 ? {} : complete(given, wrong);
  return { wrong, unread, settings };
}

/** The file may spell `dialTimeout` as `dial-timeout` and `dial_timeout`, too. */
function spellingOf(key: OptionKey): RegExp {
  return new RegExp(`^${key.replace(/[A-Z]/g, (letter) => `(?:${letter}|[-_]${letter.toLowerCase()})`)}$`);
}

/** @param wrong gets the keys that don't go with others */
function complete(given: ReadonlyMap<OptionKey, unknown>, wrong: Set<string>): Judgement['settings'] {
  const preset = PRESETS[(given.get('preset') as string | undefined) ?? 'default'];
  const value = (key: OptionKey): unknown =>
    given.has(key) ? given.get(key) : key in preset ? preset[key] : OPTIONS[key]!.fallback;
  const bent = new Map<OptionKey, number>();
  const amount = (key: OptionKey): number => bent.get(key) ?? (value(key) as number);
  /** Who lowers one limit need not lower those that hang on it. */
  const bend = (key: OptionKey, most: number): void => {
    if (!given.has(key)) bent.set(key, Math.min(amount(key), most));
  };
  bend('maxInbound', amount('maxPeers'));
  bend('maxOutbound', amount('maxPeers'));
  bend('minOutbound', amount('maxOutbound'));
  bend('crawlGrace', Math.ceil(amount('handshakeTimeout') / 2));
  if (amount('maxInbound') > amount('maxPeers')) wrong.add('maxInbound');
  if (amount('maxOutbound') > amount('maxPeers')) wrong.add('maxOutbound');
  if (amount('minOutbound') > amount('maxOutbound')) wrong.add('minOutbound');
  if (amount('crawlGrace') >= amount('handshakeTimeout')) wrong.add('crawlGrace');
  if (amount('readTimeout') <= amount('pingInterval') / 2) wrong.add('readTimeout');
  const read = keys.filter((key) => OPTIONS[key] !== null);
  return Object.fromEntries(read.map((key) => [OPTIONS[key]!.setting, bent.get(key) ?? value(key)]));
}
