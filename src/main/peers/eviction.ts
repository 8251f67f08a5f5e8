/**
 * Which inbound peer gives way when there is no room for a newcomer, after Bitcoin Core's node eviction. Pure; main
 * thread. Peers that an attacker could not easily be are protected first; of the rest the youngest of the largest
 * netgroup goes, so that a crowd from one place only displaces itself.
 */
import { createHash } from 'node:crypto';

/** What decides over a peer. Times are of one monotonic clock. */
export interface EvictionCandidate {
  readonly netGroup: string;
  readonly connectedMs: number;
  /** Null while it is not known. */
  readonly rttMs: number | null;
  /** When it last sent something other than ping and pong. */
  readonly lastMessageMs: number;
  readonly reputation: number;
}

const PROTECTED_BY_NETGROUP = 4;
const PROTECTED_BY_RTT = 8;
const PROTECTED_BY_MESSAGE = 4;
const PROTECTED_BY_REPUTATION = 4;

/**
 * The peer that gives way, null if everybody deserves to stay.
 * @param candidates inbound peers that may be evicted at all
 * @param key secret, so that nobody can compute which netgroups are protected
 */
export function chooseEviction<T extends EvictionCandidate>(candidates: readonly T[], key: Uint8Array): T | null {
  let left = [...candidates];
  const protect = (count: number, isBefore: (a: T, b: T) => number): void => {
    left = left.sort(isBefore).slice(count);
  };
  protect(
    PROTECTED_BY_NETGROUP,
    byKey((candidate: T) => keyedHash(key, candidate.netGroup)),
  );
  protect(
    PROTECTED_BY_RTT,
    (a, b) => (a.rttMs ?? Number.POSITIVE_INFINITY) - (b.rttMs ?? Number.POSITIVE_INFINITY) || 0,
  );
  protect(PROTECTED_BY_MESSAGE, (a, b) => b.lastMessageMs - a.lastMessageMs);
  protect(PROTECTED_BY_REPUTATION, (a, b) => b.reputation - a.reputation);
  protect(Math.floor(left.length / 2), (a, b) => a.connectedMs - b.connectedMs);
  return youngestOfLargestGroup(left);
}

function youngestOfLargestGroup<T extends EvictionCandidate>(candidates: readonly T[]): T | null {
  const groups = new Map<string, T[]>();
  for (const candidate of candidates)
    groups.set(candidate.netGroup, [...(groups.get(candidate.netGroup) ?? []), candidate]);
  let chosen: { size: number; youngest: T } | null = null;
  for (const members of groups.values()) {
    const youngest = members.reduce((a, b) => (b.connectedMs > a.connectedMs ? b : a));
    const isLarger = chosen === null || members.length > chosen.size;
    const isTied = chosen !== null && members.length === chosen.size;
    if (isLarger || (isTied && youngest.connectedMs > chosen!.youngest.connectedMs)) {
      chosen = { size: members.length, youngest };
    }
  }
  return chosen?.youngest ?? null;
}

function byKey<T>(keyOf: (item: T) => string): (a: T, b: T) => number {
  const keys = new Map<T, string>();
  const of = (item: T): string => {
    let value = keys.get(item);
    if (value === undefined) {
      value = keyOf(item);
      keys.set(item, value);
    }
    return value;
  };
  return (a, b) => (of(a) < of(b) ? -1 : of(a) > of(b) ? 1 : 0);
}

function keyedHash(key: Uint8Array, netGroup: string): string {
  return createHash('sha256').update(key).update(netGroup).digest('hex');
}
