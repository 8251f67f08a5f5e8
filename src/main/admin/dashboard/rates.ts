/**
 * Owns what is worked out from counters that were read twice: what happened per second in between. A node that was
 * started anew counts from zero, which is no rate. Pure; browser.
 */
import type { NodeStatus, PeerInfo } from '../../api.js';

/** Readings closer together than this say more about their timing than about the traffic. */
const SPAN_SECONDS_MIN = 0.25;

/** Null where a counter fell: it counts something else now. */
export function perSecond(before: number, after: number, seconds: number): number | null {
  return after < before || seconds <= 0 ? null : (after - before) / seconds;
}

export interface NodeRates {
  readonly messagesIn: number | null;
  readonly messagesOut: number | null;
  readonly bytesIn: number | null;
  readonly bytesOut: number | null;
  readonly dropped: number | null;
  /** Messages that each worker received. */
  readonly workers: readonly (number | null)[];
}

/** Names one run of one node: counters of another run can't be compared. */
function runOf({ nodeId, lifetime }: NodeStatus): string {
  return `${nodeId} ${lifetime.firstStarted} ${lifetime.starts}`;
}

/** The rates of a node, sample by sample. */
export class NodeMeter {
  #before: NodeStatus | null = null;

  /** Null when there is nothing to compare with: at first, after a restart, and too soon after the last sample. */
  read(after: NodeStatus): NodeRates | null {
    const before = this.#before;
    if (before === null || runOf(before) !== runOf(after) || after.uptimeSeconds < before.uptimeSeconds) {
      this.#before = after;
      return null;
    }
    // The node's own clock, which no delay on the way disturbs.
    const seconds = after.uptimeSeconds - before.uptimeSeconds;
    if (seconds < SPAN_SECONDS_MIN) return null;
    this.#before = after;
    return {
      messagesIn: perSecond(before.messages.received, after.messages.received, seconds),
      messagesOut: perSecond(before.messages.sent, after.messages.sent, seconds),
      bytesIn: perSecond(before.bytes.received, after.bytes.received, seconds),
      bytesOut: perSecond(before.bytes.sent, after.bytes.sent, seconds),
      dropped: perSecond(before.messages.dropped, after.messages.dropped, seconds),
      workers: after.workers.map(({ messages }, index) => {
        const earlier = before.workers[index];
        return earlier === undefined ? null : perSecond(earlier.messages, messages, seconds);
      }),
    };
  }
}

export interface PeerRates {
  readonly bytesIn: number | null;
  readonly bytesOut: number | null;
  readonly messagesIn: number | null;
  readonly messagesOut: number | null;
}

const unknownRates: PeerRates = { bytesIn: null, bytesOut: null, messagesIn: null, messagesOut: null };

interface Reading {
  readonly peer: PeerInfo;
  readonly atMs: number;
  readonly rates: PeerRates;
}

/** The rates of all connected peers. Forgets whoever is gone. */
export class PeerMeter {
  #readings = new Map<string, Reading>();

  /** @param nowMs of any clock that only goes forward. @returns rates by peer ID */
  read(peers: readonly PeerInfo[], nowMs: number): Map<string, PeerRates> {
    this.#readings = new Map(peers.map((peer) => [peer.id, this.#reading(peer, nowMs)]));
    return new Map([...this.#readings].map(([id, { rates }]) => [id, rates]));
  }

  #reading(peer: PeerInfo, atMs: number): Reading {
    const earlier = this.#readings.get(peer.id);
    // A peer that came back is another connection, which counts from zero.
    if (earlier === undefined || earlier.peer.connectedAt !== peer.connectedAt) {
      return { peer, atMs, rates: unknownRates };
    }
    const seconds = (atMs - earlier.atMs) / 1000;
    if (seconds < SPAN_SECONDS_MIN) return earlier;
    const between = (read: (one: PeerInfo) => number) => perSecond(read(earlier.peer), read(peer), seconds);
    const rates = {
      bytesIn: between((one) => one.bytesReceived),
      bytesOut: between((one) => one.bytesSent),
      messagesIn: between((one) => one.messagesReceived),
      messagesOut: between((one) => one.messagesSent),
    };
    return { peer, atMs, rates };
  }
}
