/**
 * Which inbound peer gives way when there is no room for a newcomer, after Bitcoin Core's node eviction. Pure; main
 * thread. Peers that an attacker could not easily be are protected first; of the rest the youngest of the largest
 * netgroup goes, so that a crowd from one place only displaces itself.
 */
import { hash } from 'node:crypto';

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
  return chooseEvictions(candidates, key, 1)[0] ?? null;
}

/**
 * The peers that give way one after the other: as if each were chosen anew once the one before is gone, for the price of
 * one look at all of them.
 * @param candidates inbound peers that may be evicted at all
 * @param key secret, so that nobody can compute which netgroups are protected
 * @param count how many at most
 * @returns fewer where the others deserve to stay
 */
export function chooseEvictions<T extends EvictionCandidate>(
  candidates: readonly T[],
  key: Uint8Array,
  count: number,
): T[] {
  const groups = new Map<string, string>();
  const keyOf = ({ netGroup }: T): string => {
    const known = groups.get(netGroup) ?? keyedHash(key, netGroup);
    groups.set(netGroup, known);
    return known;
  };
  // Whoever goes was not protected, so who is protected stays the same.
  let left = withoutFirst(candidates, PROTECTED_BY_NETGROUP, (a, b) => keyOf(a) < keyOf(b));
  left = withoutFirst(left, PROTECTED_BY_RTT, (a, b) => (a.rttMs ?? Infinity) < (b.rttMs ?? Infinity));
  left = withoutFirst(left, PROTECTED_BY_MESSAGE, (a, b) => a.lastMessageMs > b.lastMessageMs);
  left = withoutFirst(left, PROTECTED_BY_REPUTATION, (a, b) => a.reputation > b.reputation);
  left.sort((a, b) => a.connectedMs - b.connectedMs);
  const chosen: T[] = [];
  while (chosen.length < count && left.length > 0) {
    const next = youngestOfLargestGroup(left.slice(Math.floor(left.length / 2)))!;
    left.splice(left.indexOf(next), 1);
    chosen.push(next);
  }
  return chosen;
}

/** All but the few that come first. Not sorted for that: there may be thousands, and a newcomer waits. */
function withoutFirst<T>(items: readonly T[], count: number, isBefore: (a: T, b: T) => boolean): T[] {
  const first: T[] = [];
  for (const item of items) {
    let at = first.length;
    while (at > 0 && isBefore(item, first[at - 1]!)) at--;
    if (at < count) first.splice(at, 0, item);
    if (first.length > count) first.pop();
  }
  const isFirst = new Set(first);
  return items.filter((item) => !isFirst.has(item));
}

function youngestOfLargestGroup<T extends EvictionCandidate>(candidates: readonly T[]): T | null {
  const groups = new Map<string, T[]>();
  for (const candidate of candidates) {
    const group = groups.get(candidate.netGroup);
    if (group === undefined) groups.set(candidate.netGroup, [candidate]);
    else group.push(candidate);
  }
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

function keyedHash(key: Uint8Array, netGroup: string): string {
  return hash('sha256', `${Buffer.from(key).toString('hex')} ${netGroup}`, 'hex');
}
