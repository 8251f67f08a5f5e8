/**
 * Owns the score of peers, 0 to 100, a newcomer's being 50 (specification 6.3). Decides and remembers; main thread.
 *
 *   score = standing of (host, node ID) - debt of the host, within 0 and 100
 *
 * Standing moves with connections and service, and belongs to one ID at one host. Debt is misbehaviour and belongs to
 * the host: a new ID does not wash it off, and who borrows a stranger's ID elsewhere does not harm the stranger (rulings
 * 2). Both drift back to rest, so that months do not turn accidents into a ban. Times are wall milliseconds.
 */
import type { ErrorCode } from '../../shared/errors.js';
import { withoutZone } from './ban-target.js';
import { hostKeyOf } from './net-group.js';
import { type EventRule, type ReputationEvent, ruleOf } from './reputation-events.js';

const NEWCOMER = 50;
const MAX_SCORE = 100;
/** More than this takes too long to drift away. */
const MAX_DEBT = 100;
/** Under this a peer is refused (ReputationRejection). */
export const REFUSED_UNDER = 20;
/** Failed dials alone get nobody refused: a dead peer is no liar. */
const LEAST_STANDING = 30;
const HALF_LIFE_MS = 6 * 3_600_000;
/** What differs from rest by less than this is at rest. */
const REST = 0.5;
/** Most hosts and most peers that are remembered; those nearest to rest are forgotten first. */
const MAX_RECORDS = 20_000;
/** The share that is forgotten at once: to find the nearest to rest takes a look at all. */
const FORGOTTEN_SHARE = 1 / 32;

/** A value that drifts back to rest. `key` is a host, or `host id` for a standing. */
export interface ReputationRecord {
  readonly key: string;
  readonly kind: 'standing' | 'debt';
  readonly value: number;
  readonly atMs: number;
}

export interface Noted {
  readonly score: number;
  /** The host is to be banned, and for what. */
  readonly ban: { readonly code: ErrorCode; readonly reason: string } | null;
}

interface Subject {
  readonly ip: string;
  readonly id: string | null;
}

export class Reputation {
  readonly #onChange: (key: string, record: ReputationRecord | null) => void;
  readonly #maxRecords: number;
  readonly #standings = new Map<string, ReputationRecord>();
  readonly #debts = new Map<string, ReputationRecord>();
  /** Times of recent events that may become an outrage, by event and host. */
  readonly #recent = new Map<string, number[]>();

  /** `onChange` gets a key of its own for each record, and null when one is forgotten. */
  constructor(
    { onChange = () => undefined }: { onChange?: (key: string, record: ReputationRecord | null) => void } = {},
    maxRecords = MAX_RECORDS,
  ) {
    this.#onChange = onChange;
    this.#maxRecords = maxRecords;
  }

  /** Something happened. */
  note(event: ReputationEvent, { ip, id }: Subject, nowMs: number): Noted {
    const rule = ruleOf(event);
    const { on, code, outrage } = rule;
    const host = hostOf(ip);
    if (on === 'debt') this.#addDebt(host, rule, nowMs);
    else if (id !== null) this.#addStanding(`${host} ${id}`, rule, nowMs);
    const score = this.score({ ip, id }, nowMs);
    if (
      outrage !== undefined &&
      this.#countRecent(event, host, outrage.withinMs, outrage.count, nowMs) >= outrage.count
    ) {
      return { score, ban: { code, reason: outrageReason(event, outrage.count) } };
    }
    const isWornOut = on === 'debt' && NEWCOMER - this.#debt(host, nowMs) <= 0;
    return { score, ban: isWornOut ? { code, reason: `${event}: nothing is left of its reputation` } : null };
  }

  /** 0 to 100. Without an ID it is that of a newcomer from there. */
  score({ ip, id }: Subject, nowMs: number): number {
    const host = hostOf(ip);
    const standing = id === null ? NEWCOMER : this.#standing(`${host} ${id}`, nowMs);
    return Math.min(MAX_SCORE, Math.max(0, standing - this.#debt(host, nowMs)));
  }

  isRefused(subject: Subject, nowMs: number): boolean {
    return this.score(subject, nowMs) < REFUSED_UNDER;
  }

  /** Forgets what is at rest. What seems to come from the future was noted before the clock was set back. */
  sweep(nowMs: number): void {
    for (const records of [this.#standings, this.#debts]) {
      for (const record of [...records.values()]) {
        if (distance(record, nowMs) < REST) this.#forget(records, record);
        else if (record.atMs > nowMs) this.#set(records, { ...record, atMs: nowMs });
      }
    }
    for (const [key, times] of [...this.#recent]) {
      const [event] = key.split(' ') as [ReputationEvent];
      const left = within(times, ruleOf(event).outrage?.withinMs ?? 0, nowMs);
      if (left.length === 0) this.#recent.delete(key);
      else this.#recent.set(key, left);
    }
  }

  /** The wall clock was set while we ran: everything is as long ago as it was. */
  shift(byMs: number): void {
    for (const records of [this.#standings, this.#debts]) {
      for (const record of [...records.values()]) this.#set(records, { ...record, atMs: record.atMs + byMs });
    }
    for (const times of this.#recent.values()) for (let i = 0; i < times.length; i++) times[i]! += byMs;
  }

  /** The operator forgives a host, given by its key. */
  clear(host: string): void {
    const debt = this.#debts.get(host);
    if (debt !== undefined) this.#forget(this.#debts, debt);
    for (const key of [...this.#recent.keys()]) if (key.endsWith(` ${host}`)) this.#recent.delete(key);
  }

  /** Takes up what an earlier run had; what is not valid is left out. */
  restore(records: Iterable<unknown>, nowMs: number): void {
    for (const record of records) {
      if (!isRecord(record)) continue;
      const into = record.kind === 'debt' ? this.#debts : this.#standings;
      into.set(record.key, record);
    }
    this.sweep(nowMs);
    for (const kept of [this.#standings, this.#debts]) this.#makeRoom(kept, null, nowMs);
  }

  #standing(key: string, nowMs: number): number {
    const record = this.#standings.get(key);
    return record === undefined ? NEWCOMER : NEWCOMER + drifted(record.value - NEWCOMER, record.atMs, nowMs);
  }

  #debt(host: string, nowMs: number): number {
    const record = this.#debts.get(host);
    return record === undefined ? 0 : drifted(record.value, record.atMs, nowMs);
  }

  #addDebt(host: string, { weight, mostDebt = Number.POSITIVE_INFINITY }: EventRule, nowMs: number): void {
    const before = this.#debt(host, nowMs);
    const value = Math.min(MAX_DEBT, Math.max(before, Math.min(before - weight, mostDebt)));
    this.#put(this.#debts, { key: host, kind: 'debt', value, atMs: nowMs });
  }

  #addStanding(key: string, { weight, mostStanding = MAX_SCORE }: EventRule, nowMs: number): void {
    const before = this.#standing(key, nowMs);
    const least = Math.min(before, LEAST_STANDING);
    const most = Math.max(before, mostStanding);
    const value = Math.min(most, Math.max(least, before + weight));
    this.#put(this.#standings, { key, kind: 'standing', value, atMs: nowMs });
  }

  #put(records: Map<string, ReputationRecord>, record: ReputationRecord): void {
    this.#set(records, record);
    this.#makeRoom(records, record, record.atMs);
  }

  #set(records: Map<string, ReputationRecord>, record: ReputationRecord): void {
    records.set(record.key, record);
    this.#onChange(storeKey(record), record);
  }

  /** Forgets those nearest to rest if there are too many, but not the one that has just come. */
  #makeRoom(records: Map<string, ReputationRecord>, but: ReputationRecord | null, nowMs: number): void {
    if (records.size <= this.#maxRecords) return;
    const surplus = records.size - this.#maxRecords;
    const others = [...records.values()].filter((record) => record !== but);
    const distances = Float64Array.from(others, (record) => distance(record, nowMs));
    let left = Math.min(others.length, Math.max(surplus, Math.floor(this.#maxRecords * FORGOTTEN_SHARE)));
    // Sorted as numbers, since to sort 20,000 records takes longer than a loop should be held up.
    const farthest = distances.slice().sort()[left - 1]!;
    for (let i = 0; i < others.length && left > 0; i++) {
      if (distances[i]! > farthest) continue;
      this.#forget(records, others[i]!);
      left--;
    }
  }

  #forget(records: Map<string, ReputationRecord>, record: ReputationRecord): void {
    records.delete(record.key);
    this.#onChange(storeKey(record), null);
  }

  /** How often an event has happened at a host within a time, this one included. */
  #countRecent(event: ReputationEvent, host: string, withinMs: number, enough: number, nowMs: number): number {
    const key = `${event} ${host}`;
    const times = this.#recent.get(key) ?? [];
    // Changed in place, since a flood of faults comes this way: in order, and none in the future.
    for (let i = times.length - 1; i >= 0 && times[i]! > nowMs; i--) times[i] = nowMs;
    times.push(nowMs);
    let over = Math.max(0, times.length - enough);
    while (nowMs - times[over]! >= withinMs) over++;
    if (over > 0) times.splice(0, over);
    this.#recent.delete(key);
    this.#recent.set(key, times);
    if (this.#recent.size > this.#maxRecords) this.#recent.delete(this.#recent.keys().next().value!);
    return times.length;
  }
}

/** Those times that are no longer ago; none lies in the future, whatever the clock has done. */
function within(times: readonly number[], withinMs: number, nowMs: number): number[] {
  return times.map((ms) => Math.min(ms, nowMs)).filter((ms) => nowMs - ms < withinMs);
}

function hostOf(ip: string): string {
  return hostKeyOf(withoutZone(ip));
}

function storeKey({ kind, key }: ReputationRecord): string {
  return `${kind} ${key}`;
}

/** What is left of a deviation from rest. A clock that jumps back leaves it as it was. */
function drifted(deviation: number, sinceMs: number, nowMs: number): number {
  return deviation * 0.5 ** (Math.max(0, nowMs - sinceMs) / HALF_LIFE_MS);
}

function distance({ kind, value, atMs }: ReputationRecord, nowMs: number): number {
  return Math.abs(drifted(kind === 'debt' ? value : value - NEWCOMER, atMs, nowMs));
}

function outrageReason(event: ReputationEvent, count: number): string {
  return count === 1 ? event : `${event}, ${count} times`;
}

function isRecord(value: unknown): value is ReputationRecord {
  const record = value as Partial<ReputationRecord> | null;
  return (
    typeof record?.key === 'string' &&
    (record.kind === 'standing' || record.kind === 'debt') &&
    Number.isFinite(record.value) &&
    Number.isFinite(record.atMs) &&
    record.value! >= 0 &&
    record.value! <= MAX_SCORE
  );
}
