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

/** What is missing, and what it is worth. */
export interface Shortage {
  /** What those that go hold together, or what comes back without them. */
  readonly wantedBytes: number;
  /** A host that holds less is not worth its peers: they would go for nothing. */
  readonly leastBytes: number;
  /**
   * What comes back by itself, and nobody who is there answers for: messages of those who left that wait for slow handlers.
   * Where that is more than any host holds, who is there has not caused the shortage.
   */
  readonly returningBytes: number;
}

/** The largest holders, one after the other, until they and what comes back by itself are `wantedBytes` together. */
export function largestHolders<T extends Holder>(holders: readonly T[], shortage: Shortage): T[] {
  const { wantedBytes, leastBytes } = shortage;
  const chosen: T[] = [];
  const left = new Set(holders);
  let { returningBytes } = shortage;
  for (let bytes = 0; bytes < wantedBytes && chosen.length < MOST_AT_ONCE; ) {
    const host = largestHost([...left]);
    if (returningBytes > 0 && returningBytes >= (host?.bytes ?? 0)) {
      bytes += returningBytes;
      returningBytes = 0;
      continue;
    }
    if (host === null || host.bytes < leastBytes) break;
    left.delete(host.largest);
    chosen.push(host.largest);
    bytes += host.largest.heldBytes;
  }
  return chosen;
}

/** What the connections of a host hold together, and the one that holds most. */
interface Host<T> {
  bytes: number;
  largest: T;
}

/**
 * The host that holds most; null if nobody holds anything. Peers that the operator has named are spared as long as they
 * hold no more than all others together: to cut off others for them would free little then.
 */
function largestHost<T extends Holder>(holders: readonly T[]): Host<T> | null {
  const named = holders.filter((holder) => holder.named);
  const others = holders.filter((holder) => !holder.named);
  return largestOf(heldBy(named) > heldBy(others) ? named : others);
}

function largestOf<T extends Holder>(holders: readonly T[]): Host<T> | null {
  const hosts = new Map<string, Host<T>>();
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
  let most: Host<T> | null = null;
  for (const host of hosts.values()) if (most === null || host.bytes > most.bytes) most = host;
  return most;
}

function heldBy(holders: readonly Holder[]): number {
  return holders.reduce((sum, { heldBytes }) => sum + heldBytes, 0);
}
