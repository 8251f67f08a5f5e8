/**
 * What the address book keeps of an address: its shape, whether a stored one is valid, when it may be dialled and what
 * it is worth. Pure; main thread. Times are wall milliseconds.
 */
import { isPeerId } from '../../shared/wire/handshake.js';
import { canonicalIp } from '../../shared/wire/routability.js';
import { backoffMs } from '../peers/backoff.js';

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

const PORT_MAX = 65_535;
const DAY_MS = 24 * 3_600_000;

/** What was not seen for so long, or failed so often, gives way to others (addrman). */
const HORIZON_MS = 30 * DAY_MS;
const MAX_UNREACHED_ATTEMPTS = 3;
const MAX_ATTEMPTS = 10;
const MAX_ATTEMPTS_AFTER_MS = 7 * DAY_MS;
/** A dial may be under way for so long: nothing is held against who is being dialled. */
const DIAL_MS = 60_000;
/** An address that was reached rests so long to twice as long: who lets us in and closes is not dialled in a circle. */
const REST_MS = 10_000;
/** Rulings 5: up to a fifth on top of the rest after a failed dial. */
const REST_JITTER = 0.2;

export function keyOf({ id, ip, port }: KnownAddress): string {
  return `${id}@${ip}:${port}`;
}

/** The key of where it is, whoever that may be. */
export function addressKeyOf({ ip, port }: { readonly ip: string; readonly port: number }): string {
  return `${ip}:${port}`;
}

/** Whether an address has rested since its last dial: after n failures in a row as long as rulings 5 say. */
export function isRested({ attempts, lastTriedMs }: AddressRecord, nowMs: number): boolean {
  const spread = spreadOf(lastTriedMs);
  const restMs = attempts > 0 ? backoffMs(attempts, REST_JITTER, spread) : lastTriedMs > 0 ? REST_MS * (1 + spread) : 0;
  return nowMs - lastTriedMs >= restMs;
}

/** Too many dials in a row have failed, and it was never reached or not for long. */
export function isHopeless({ attempts, lastSuccessMs }: AddressRecord, nowMs: number): boolean {
  return attempts >= MAX_ATTEMPTS && nowMs - lastSuccessMs > MAX_ATTEMPTS_AFTER_MS;
}

/** Not worth its place in `new`, nor to be told to others. */
export function isTerrible(record: AddressRecord, nowMs: number): boolean {
  if (nowMs - record.lastTriedMs < DIAL_MS) return false;
  if (nowMs - record.lastSeenMs > HORIZON_MS) return true;
  return (record.lastSuccessMs === 0 && record.attempts >= MAX_UNREACHED_ATTEMPTS) || isHopeless(record, nowMs);
}

/** Reached by ourselves, and to our knowledge still there. */
export function isAlive({ bucket, attempts, lastSuccessMs }: AddressRecord, nowMs: number): boolean {
  return bucket === 'tried' && (attempts < MAX_UNREACHED_ATTEMPTS || nowMs - lastSuccessMs < DAY_MS);
}

/** The record with no time in the future; itself if none was. */
export function heldBack(record: AddressRecord, nowMs: number): AddressRecord {
  const { firstSeenMs, lastSeenMs, lastTriedMs, lastSuccessMs } = record;
  if (Math.max(firstSeenMs, lastSeenMs, lastTriedMs, lastSuccessMs) <= nowMs) return record;
  return {
    ...record,
    firstSeenMs: Math.min(firstSeenMs, nowMs),
    lastSeenMs: Math.min(lastSeenMs, nowMs),
    lastTriedMs: Math.min(lastTriedMs, nowMs),
    lastSuccessMs: Math.min(lastSuccessMs, nowMs),
  };
}

/** Whether something that was stored is a record. Says nothing about whether the book wants it. */
export function isRecord(value: unknown): value is AddressRecord {
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

/** From 0 to 1, another for each dial: two nodes that dial each other in vain must not go on doing so at the same time. */
function spreadOf(lastTriedMs: number): number {
  return (Math.imul(Math.trunc(lastTriedMs), 0x9e3779b1) >>> 0) / 2 ** 32;
}
