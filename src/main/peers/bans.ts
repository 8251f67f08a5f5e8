/**
 * Owns who is banned, until when and why (specification 6.3; rulings 2 and 6). Decides and remembers; main thread.
 * Times are wall milliseconds, since bans outlive the process.
 */

import { isIPv4 } from 'node:net';
import { type BanTarget, ipNumber, networkOf, parseBanTarget } from './ban-target.js';

const DAY_MS = 86_400_000;
/** How long the first, the second and every further ban of a target lasts. */
const ESCALATION_MS = [DAY_MS, 7 * DAY_MS, 30 * DAY_MS] as const;
/** Offences that are this old are forgotten. */
const OFFENCE_MEMORY_MS = 90 * DAY_MS;
/** Most bans at once; the one that ends first makes room, since attackers choose how many there are. */
const MAX_BANS = 100_000;

/** A ban. `target` is in its one spelling. */
export interface BanRecord {
  readonly target: string;
  readonly reason: string;
  readonly code: number;
  readonly sinceMs: number;
  /** Null: until somebody lifts it. */
  readonly untilMs: number | null;
}

/** How often a target was banned. */
export interface Offences {
  readonly target: string;
  readonly count: number;
  readonly lastMs: number;
}

export interface BanRequest {
  /** In its one spelling, see `ban-target.ts`. */
  readonly target: string;
  /** Milliseconds, null for good, or as long as the target's record says. */
  readonly forMs: number | null | 'escalate';
  readonly reason: string;
  readonly code: number;
  readonly nowMs: number;
}

export interface BansParts {
  /** A ban has begun or changed, or, with null, ended. */
  onBan?(target: string, ban: BanRecord | null): void;
  onOffence?(target: string, offences: Offences | null): void;
}

export class Bans {
  readonly #parts: BansParts;
  readonly #maxBans: number;
  readonly #bans = new Map<string, BanRecord>();
  readonly #offences = new Map<string, Offences>();
  /** Targets of ranges by family and prefix: as many look-ups as there are different prefixes. */
  readonly #ranges = { 32: new Map<number, Map<bigint, string>>(), 128: new Map<number, Map<bigint, string>>() };

  constructor(parts: BansParts = {}, maxBans = MAX_BANS) {
    this.#parts = parts;
    this.#maxBans = maxBans;
  }

  /** Bans a target; a ban that is there already is replaced. @throws Error for a target that is none */
  ban({ target, forMs, reason, code, nowMs }: BanRequest): BanRecord {
    const lastsMs = forMs === 'escalate' ? this.#escalate(target, nowMs) : forMs;
    const ban = { target, reason, code, sinceMs: nowMs, untilMs: lastsMs === null ? null : nowMs + lastsMs };
    this.#put(ban);
    if (this.#bans.size > this.#maxBans) this.#forgetFirstToEnd(target);
    return ban;
  }

  /** @returns whether there was such a ban */
  unban(target: string): boolean {
    if (!this.#bans.has(target)) return false;
    this.#end(target);
    return true;
  }

  /** The ban that somebody falls under, null for none. @param ip canonical */
  check({ ip, id }: { readonly ip: string; readonly id: string | null }, nowMs: number): BanRecord | null {
    if (this.#bans.size === 0) return null;
    return (
      this.#inForce(ip, nowMs) ?? (id === null ? null : this.#inForce(`id:${id}`, nowMs)) ?? this.#range(ip, nowMs)
    );
  }

  /** Bans in force, the newest first. */
  list(nowMs: number): BanRecord[] {
    return [...this.#bans.values()].filter((ban) => isInForce(ban, nowMs)).sort((a, b) => b.sinceMs - a.sinceMs);
  }

  /** Forgets what has ended and what is long ago. */
  sweep(nowMs: number): void {
    for (const ban of [...this.#bans.values()]) if (!isInForce(ban, nowMs)) this.#end(ban.target);
    for (const { target, lastMs } of [...this.#offences.values()]) {
      if (nowMs - lastMs < OFFENCE_MEMORY_MS) continue;
      this.#offences.delete(target);
      this.#parts.onOffence?.(target, null);
    }
  }

  /** Takes up what an earlier run had; what is not valid or over is left out. */
  restore(bans: Iterable<unknown>, offences: Iterable<unknown>, nowMs: number): void {
    for (const ban of bans) {
      if (isBanRecord(ban) && isInForce(ban, nowMs) && this.#bans.size < this.#maxBans) this.#put(ban);
    }
    for (const offence of offences) if (isOffences(offence)) this.#offences.set(offence.target, offence);
    this.sweep(nowMs);
  }

  #escalate(target: string, nowMs: number): number {
    const before = this.#offences.get(target)?.count ?? 0;
    const offences = { target, count: before + 1, lastMs: nowMs };
    this.#offences.set(target, offences);
    this.#parts.onOffence?.(target, offences);
    return ESCALATION_MS[Math.min(before, ESCALATION_MS.length - 1)]!;
  }

  #inForce(target: string, nowMs: number): BanRecord | null {
    const ban = this.#bans.get(target);
    return ban !== undefined && isInForce(ban, nowMs) ? ban : null;
  }

  #range(ip: string, nowMs: number): BanRecord | null {
    const bits = isIPv4(ip) ? 32 : 128;
    const ranges = this.#ranges[bits];
    if (ranges.size === 0) return null;
    const number = ipNumber(ip);
    for (const [prefix, networks] of ranges) {
      const target = networks.get(networkOf(number, prefix, bits));
      const ban = target === undefined ? null : this.#inForce(target, nowMs);
      if (ban !== null) return ban;
    }
    return null;
  }

  #put(ban: BanRecord): void {
    const target = requireParsed(ban.target);
    this.#bans.set(ban.target, ban);
    if (target.kind === 'range') {
      const ranges = this.#ranges[target.bits];
      const networks = ranges.get(target.prefix) ?? new Map<bigint, string>();
      ranges.set(target.prefix, networks.set(target.network, target.text));
    }
    this.#parts.onBan?.(ban.target, ban);
  }

  #end(text: string): void {
    const target = requireParsed(text);
    this.#bans.delete(text);
    if (target.kind === 'range') {
      const ranges = this.#ranges[target.bits];
      const networks = ranges.get(target.prefix)!;
      networks.delete(target.network);
      if (networks.size === 0) ranges.delete(target.prefix);
    }
    this.#parts.onBan?.(text, null);
  }

  #forgetFirstToEnd(but: string): void {
    let first: BanRecord | null = null;
    for (const ban of this.#bans.values()) {
      if (ban.target === but || ban.untilMs === null) continue;
      if (first === null || ban.untilMs < first.untilMs!) first = ban;
    }
    if (first !== null) this.#end(first.target);
  }
}

function isInForce({ untilMs }: BanRecord, nowMs: number): boolean {
  return untilMs === null || untilMs > nowMs;
}

function requireParsed(text: string): BanTarget {
  const target = parseBanTarget(text);
  if (target === null || target.text !== text) throw new Error(`'${text}' is not the spelling of a ban's target`);
  return target;
}

function isBanRecord(value: unknown): value is BanRecord {
  const ban = value as Partial<BanRecord> | null;
  return (
    typeof ban?.target === 'string' &&
    parseBanTarget(ban.target)?.text === ban.target &&
    typeof ban.reason === 'string' &&
    Number.isInteger(ban.code) &&
    Number.isFinite(ban.sinceMs) &&
    (ban.untilMs === null || Number.isFinite(ban.untilMs))
  );
}

function isOffences(value: unknown): value is Offences {
  const offences = value as Partial<Offences> | null;
  return (
    typeof offences?.target === 'string' &&
    parseBanTarget(offences.target)?.text === offences.target &&
    Number.isInteger(offences.count) &&
    offences.count! > 0 &&
    Number.isFinite(offences.lastMs)
  );
}
