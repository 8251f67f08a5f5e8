/**
 * Which peers have to go when the memory budget is exhausted and others wait for it. Pure; main thread.
 *
 * What counts is what a peer holds of the part that moves: its partial frame, its send queue, its messages in handler
 * queues. Not its ring, which is laid out for it anyway, and is fullest with those that wait. A host answers for all its
 * connections, so that a crowd of small holders from one address does not get a single honest one with a large frame
 * disconnected.
 */
import { hostKeyOf } from './net-group.js';

export interface Holder {
  readonly ip: string;
  readonly heldBytes: number;
  /** The operator has named it: persistent or unconditional. */
  readonly named: boolean;
}

/** Most that go at once: what they hold comes back by and by, and may be enough before it is all there. */
const MOST_AT_ONCE = 16;

/** The largest holders, one after the other, until they hold `wantedBytes` together; nobody who holds nothing. */
export function largestHolders<T extends Holder>(holders: readonly T[], wantedBytes: number): T[] {
  const chosen: T[] = [];
  const left = new Set(holders);
  for (let bytes = 0; bytes < wantedBytes && chosen.length < MOST_AT_ONCE; ) {
    const largest = largestHolder([...left]);
    if (largest === null) break;
    left.delete(largest);
    chosen.push(largest);
    bytes += largest.heldBytes;
  }
  return chosen;
}

/**
 * Of the host that holds most, the peer that holds most; null if nobody holds anything. Peers that the operator has named
 * are spared as long as they hold no more than all others together: to cut off others for them would free little then.
 */
function largestHolder<T extends Holder>(holders: readonly T[]): T | null {
  const named = holders.filter((holder) => holder.named);
  const others = holders.filter((holder) => !holder.named);
  return largestOf(heldBy(named) > heldBy(others) ? named : others);
}

function largestOf<T extends Holder>(holders: readonly T[]): T | null {
  const hosts = new Map<string, { bytes: number; largest: T }>();
  for (const holder of holders) {
    if (holder.heldBytes <= 0) continue;
    const key = hostKeyOf(holder.ip);
    const host = hosts.get(key);
    if (host === undefined) {
      hosts.set(key, { bytes: holder.heldBytes, largest: holder });
      continue;
    }
    host.bytes += holder.heldBytes;
    if (holder.heldBytes > host.largest.heldBytes) host.largest = holder;
  }
  let most: { bytes: number; largest: T } | null = null;
  for (const host of hosts.values()) if (most === null || host.bytes > most.bytes) most = host;
  return most?.largest ?? null;
}

function heldBy(holders: readonly Holder[]): number {
  return holders.reduce((sum, { heldBytes }) => sum + heldBytes, 0);
}
