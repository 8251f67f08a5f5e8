/**
 * Owns who is banned, until when and why (specification 6.3; rulings 2 and 6). Decides and remembers; main thread.
 * Times are wall milliseconds, since bans outlive the process.
 */
import { isIP } from 'node:net';
import { type BanTarget, ipNumber, networkOf, parseBanTarget, withoutZone } from './ban-target.js';

const DAY_MS = 86_400_000;
/** How long the first, the second and every further ban of a target lasts. */
const ESCALATION_MS = [DAY_MS, 7 * DAY_MS, 30 * DAY_MS] as const;
/** Offences that are this old are forgotten. */
const OFFENCE_MEMORY_MS = 90 * DAY_MS;
/** Most bans at once, and most offences: attackers choose how many there are. Bans that end first make room. */
const MAX_BANS = 100_000;
/** The share that is forgotten at once: to find those that end first takes a look at all. */
const FORGOTTEN_SHARE = 1 / 32;
/** The last moment that a date can tell (ECMAScript time values). */
const MAX_TIME_MS = 8.64e15;

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
  /** Any spelling, see `ban-target.ts`. */
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
  /** Mostly the oldest first, so that a list finds them sorted. */
  readonly #bans = new Map<string, BanRecord>();
  /** The one that is longest ago first. */
  readonly #offences = new Map<string, Offences>();
  /** Targets of ranges by family and prefix: as many look-ups as there are different prefixes. */
  readonly #ranges = { 32: new Map<number, Map<bigint, string>>(), 128: new Map<number, Map<bigint, string>>() };

  constructor(parts: BansParts = {}, maxBans = MAX_BANS) {
    this.#parts = parts;
    this.#maxBans = maxBans;
  }

  /** Bans a target; a ban that is there already is replaced. @throws Error for a target that is none */
  ban({ target, forMs, reason, code, nowMs }: BanRequest): BanRecord {
    const { text } = requireParsed(target);
    const lastsMs = forMs === 'escalate' ? this.#escalate(text, nowMs) : forMs;
    const untilMs = lastsMs === null ? null : asTime(nowMs + lastsMs);
    const ban = { target: text, reason, code, sinceMs: nowMs, untilMs };
    this.#put(ban);
    this.#parts.onBan?.(text, ban);
    this.#makeRoom(text);
    return ban;
  }

  /**
   * Lifts a ban and forgives what led to it: the next one of the target begins with a day again.
   * @returns whether there was such a ban
   */
  unban(target: string): boolean {
    if (!this.#bans.has(target)) return false;
    this.#end(target);
    if (this.#offences.has(target)) this.#forgetOffences(target);
    return true;
  }

  /** The ban that somebody falls under, null for none. @param ip canonical */
  check(who: { readonly ip: string; readonly id: string | null }, nowMs: number): BanRecord | null {
    if (this.#bans.size === 0) return null;
    const ip = withoutZone(who.ip);
    const byId = who.id === null ? null : this.#inForce(`id:${who.id}`, nowMs);
    return this.#inForce(ip, nowMs) ?? byId ?? this.#range(ip, nowMs);
  }

  /** How many bans are in force. */
  count(nowMs: number): number {
    let count = 0;
    for (const ban of this.#bans.values()) if (isInForce(ban, nowMs)) count++;
    return count;
  }

  /** Bans in force, the newest first. */
  list(nowMs: number): BanRecord[] {
    return [...this.#bans.values()].filter((ban) => isInForce(ban, nowMs)).sort((a, b) => b.sinceMs - a.sinceMs);
  }

  /** Forgets what has ended and what is long ago, and has nothing last longer because the clock was wrong. */
  sweep(nowMs: number): void {
    for (const ban of [...this.#bans.values()]) {
      if (ban.sinceMs > nowMs) this.#beginAgain(ban, nowMs);
      else if (!isInForce(ban, nowMs)) this.#end(ban.target);
    }
    for (const offences of [...this.#offences.values()]) {
      if (offences.lastMs > nowMs) this.#putOffences({ ...offences, lastMs: nowMs });
      else if (!isRemembered(offences, nowMs)) this.#forgetOffences(offences.target);
    }
  }

  /** The wall clock was set while we ran: everything lasts as long as it would have, and is as long ago. */
  shift(byMs: number): void {
    for (const ban of [...this.#bans.values()]) {
      const untilMs = ban.untilMs === null ? null : asTime(ban.untilMs + byMs);
      const moved = { ...ban, sinceMs: asTime(ban.sinceMs + byMs), untilMs };
      this.#bans.set(ban.target, moved);
      this.#parts.onBan?.(ban.target, moved);
    }
    for (const offences of [...this.#offences.values()]) {
      this.#putOffences({ ...offences, lastMs: asTime(offences.lastMs + byMs) });
    }
  }

  /** Takes up what an earlier run had; what is not valid is left out, and what is over is ended. */
  restore(bans: Iterable<unknown>, offences: Iterable<unknown>, nowMs: number): void {
    const bySince = [...bans].filter(isBanRecord).sort((a, b) => a.sinceMs - b.sinceMs);
    for (const ban of bySince) this.#put(ban);
    const valid = [...offences].filter(isOffences).sort((a, b) => a.lastMs - b.lastMs);
    for (const record of valid) this.#offences.set(record.target, record);
    this.sweep(nowMs);
    this.#makeRoom(null);
    while (this.#offences.size > this.#maxBans) this.#forgetOffences(this.#offences.keys().next().value!);
  }

  #escalate(target: string, nowMs: number): number {
    const earlier = this.#offences.get(target);
    const before = earlier !== undefined && isRemembered(earlier, nowMs) ? earlier.count : 0;
    this.#putOffences({ target, count: before + 1, lastMs: nowMs });
    if (this.#offences.size > this.#maxBans) this.#forgetOffences(this.#offences.keys().next().value!);
    return ESCALATION_MS[Math.min(before, ESCALATION_MS.length - 1)]!;
  }

  #putOffences(offences: Offences): void {
    const { target } = offences;
    this.#offences.delete(target);
    this.#offences.set(target, offences);
    this.#parts.onOffence?.(target, offences);
  }

  #forgetOffences(target: string): void {
    this.#offences.delete(target);
    this.#parts.onOffence?.(target, null);
  }

  /** A ban that begins in the future was made before the clock was set back: it lasts as long as it should, from now. */
  #beginAgain(ban: BanRecord, nowMs: number): void {
    const untilMs = ban.untilMs === null ? null : nowMs + Math.max(0, ban.untilMs - ban.sinceMs);
    const moved = { ...ban, sinceMs: nowMs, untilMs };
    this.#bans.set(ban.target, moved);
    this.#parts.onBan?.(ban.target, moved);
  }

  #inForce(target: string, nowMs: number): BanRecord | null {
    const ban = this.#bans.get(target);
    return ban !== undefined && isInForce(ban, nowMs) ? ban : null;
  }

  #range(ip: string, nowMs: number): BanRecord | null {
    const family = isIP(ip);
    // A socket that is gone before we look has no address.
    if (family === 0) return null;
    const bits = family === 4 ? 32 : 128;
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
    this.#bans.delete(ban.target);
    this.#bans.set(ban.target, ban);
    if (target.kind === 'range') {
      const ranges = this.#ranges[target.bits];
      const networks = ranges.get(target.prefix) ?? new Map<bigint, string>();
      ranges.set(target.prefix, networks.set(target.network, target.text));
    }
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

  /** Forgets those that end first if there are too many, but neither bans for good nor the one that has just come. */
  #makeRoom(but: string | null): void {
    if (this.#bans.size <= this.#maxBans) return;
    const others = [...this.#bans.values()].filter((ban) => ban.untilMs !== null && ban.target !== but);
    const surplus = this.#bans.size - this.#maxBans;
    let left = Math.min(others.length, Math.max(surplus, Math.floor(this.#maxBans * FORGOTTEN_SHARE)));
    // Sorted as numbers: to sort the bans themselves takes longer than a loop should be held up.
    const lastMs = Float64Array.from(others, ({ untilMs }) => untilMs!).sort()[left - 1]!;
    for (let i = 0; i < others.length && left > 0; i++) {
      if (others[i]!.untilMs! > lastMs) continue;
      this.#end(others[i]!.target);
      left--;
    }
  }
}

function isRemembered({ lastMs }: Offences, nowMs: number): boolean {
  return nowMs - lastMs < OFFENCE_MEMORY_MS;
}

function isInForce({ untilMs }: BanRecord, nowMs: number): boolean {
  return untilMs === null || untilMs > nowMs;
}

function requireParsed(text: string): BanTarget {
  const target = parseBanTarget(text);
  if (target === null) throw new Error(`'${text}' is no target of a ban`);
  return target;
}

/** The nearest that a date can tell. */
function asTime(ms: number): number {
  return Math.min(MAX_TIME_MS, Math.max(-MAX_TIME_MS, ms));
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Math.abs(value) <= MAX_TIME_MS;
}

function isBanRecord(value: unknown): value is BanRecord {
  const ban = value as Partial<BanRecord> | null;
  return (
    typeof ban?.target === 'string' &&
    parseBanTarget(ban.target)?.text === ban.target &&
    typeof ban.reason === 'string' &&
    Number.isInteger(ban.code) &&
    isTime(ban.sinceMs) &&
    (ban.untilMs === null || isTime(ban.untilMs))
  );
}

function isOffences(value: unknown): value is Offences {
  const offences = value as Partial<Offences> | null;
  return (
    typeof offences?.target === 'string' &&
    parseBanTarget(offences.target)?.text === offences.target &&
    Number.isInteger(offences.count) &&
    offences.count! > 0 &&
    isTime(offences.lastMs)
  );
}
