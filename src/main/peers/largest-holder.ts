/**
 * Which peers have to go when the memory budget is exhausted and others wait for it. Pure; main thread.
 *
 * What counts is what a peer holds of the part that moves: its partial frame, its send queue, its messages in handler
 * queues. Not its ring, which is laid out for it anyway, and is fullest with those that wait. A host answers for all its
 * connections, so that a crowd of small holders from one address does not get a single honest one with a large frame
 * disconnected.
 */
export interface Holder {
  /** Of its address (`net-group.ts`). */
  readonly hostKey: string;
  readonly heldBytes: number;
  /** The operator has named it by its address: persistent. An ID alone is anybody's, so unconditional ones are not. */
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
  const named = new Hosts<T>();
  const others = new Hosts<T>();
  for (const holder of holders) if (holder.heldBytes > 0) (holder.named ? named : others).add(holder);
  let { returningBytes } = shortage;
  for (let bytes = 0; bytes < wantedBytes && chosen.length < MOST_AT_ONCE; ) {
    // The named are spared as long as they hold no more than all others: to cut off others for them would free little then.
    const hosts = named.bytes > others.bytes ? named : others;
    const host = hosts.largest();
    if (returningBytes > 0 && returningBytes >= (host?.bytes ?? 0)) {
      bytes += returningBytes;
      returningBytes = 0;
      continue;
    }
    if (host === null || host.bytes < leastBytes) break;
    const holder = hosts.take(host);
    chosen.push(holder);
    bytes += holder.heldBytes;
  }
  return chosen;
}

interface Host<T> {
  readonly key: string;
  /** What its connections hold together. */
  bytes: number;
  readonly holders: T[];
}

/** Holders by host, summed once: there may be ten thousand of them, and the main thread waits. */
class Hosts<T extends Holder> {
  bytes = 0;
  readonly #byKey = new Map<string, Host<T>>();

  add(holder: T): void {
    const { hostKey: key, heldBytes } = holder;
    const host = this.#byKey.get(key);
    if (host === undefined) this.#byKey.set(key, { key, bytes: heldBytes, holders: [holder] });
    else {
      host.bytes += heldBytes;
      host.holders.push(holder);
    }
    this.bytes += heldBytes;
  }

  /** The host that holds most; null if nobody is left. */
  largest(): Host<T> | null {
    let most: Host<T> | null = null;
    for (const host of this.#byKey.values()) if (most === null || host.bytes > most.bytes) most = host;
    return most;
  }

  /** Takes out of a host the peer that holds most. */
  take(host: Host<T>): T {
    const { holders } = host;
    let at = 0;
    for (let i = 1; i < holders.length; i++) if (holders[i].heldBytes > holders[at].heldBytes) at = i;
    const [largest] = holders.splice(at, 1);
    if (holders.length === 0) this.#byKey.delete(host.key);
    host.bytes -= largest.heldBytes;
    this.bytes -= largest.heldBytes;
    return largest;
  }
}
