/**
 * Whether a peer that has shown its node ID may stay (rulings 2 and 8). Pure: the order of checks is version, chain, ID
 * (handshake.ts), bans and reputation (conduct.ts), and here duplicate, limits.
 */

import { ErrorCode } from '../../shared/errors.js';
import type { Direction } from '../api.js';

export interface Limits {
  readonly maxPeers: number;
  readonly maxInbound: number;
  readonly maxOutbound: number;
  /** Inbound peers of one /24 or /64. */
  readonly maxPerSubnet: number;
}

/** Connected peers that count against the limits. */
export interface Counts {
  readonly inbound: number;
  readonly outbound: number;
}

/** A connection of the same node ID that is there already. */
export interface Rival {
  readonly direction: Direction;
  /** Connected, or still being dialled by us. */
  readonly connected: boolean;
  /** It became connected after the newcomer's dial began (only asked of outbound newcomers). */
  readonly connectedDuringDial: boolean;
  /** The operator named its ID and its address; or it came, while we dialled, from where that dial has led. */
  readonly vouched: boolean;
}

export interface Newcomer {
  readonly peerId: string;
  readonly direction: Direction;
  /** Unconditional, or persistent and dialled by us: limits don't count it. */
  readonly exempt: boolean;
  /** Inbound peers that are connected from its /24 or /64; 0 where that does not count. */
  readonly subnetPeers: number;
  /** We dialled it where the operator says that it is. */
  readonly vouched: boolean;
}

export type Admission =
  | { readonly kind: 'admit' }
  /** Admit, and close the rival as a duplicate. */
  | { readonly kind: 'replace' }
  | {
      readonly kind: 'refuse';
      readonly code: ErrorCode;
      readonly reason: string;
      /** It might come in if an inbound peer gave way. */
      readonly full: boolean;
    };

/** How a newcomer is told which limit it meets; they share one code. */
export const limitReasons = {
  maxPerSubnet: 'subnet limit reached',
  maxInbound: 'inbound limit reached',
  maxOutbound: 'outbound limit reached',
  maxPeers: 'peer limit reached',
} as const satisfies Record<keyof Limits, string>;

/** Compares node IDs bytewise. */
function isSmaller(a: string, b: string): boolean {
  return Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0;
}

/**
 * Two nodes that dial each other at once keep the connection whose initiator has the smaller ID; otherwise a connection
 * that is there wins over a new one. Both sides come to the same answer, whichever connection each sees first.
 *
 * A persistent peer refuses our dial if it is connected to us. If it doesn't, whoever shows its ID from elsewhere has
 * borrowed it, before or while we dialled.
 */
function settleRival(ownId: string, newcomer: Newcomer, rival: Rival): Admission {
  if (newcomer.vouched && !rival.vouched) return { kind: 'replace' };
  const simultaneous =
    newcomer.direction === 'inbound'
      ? !rival.connected && rival.direction === 'outbound'
      : rival.direction === 'inbound' && rival.connectedDuringDial;
  if (simultaneous) {
    const initiator = newcomer.direction === 'inbound' ? newcomer.peerId : ownId;
    const other = newcomer.direction === 'inbound' ? ownId : newcomer.peerId;
    if (isSmaller(initiator, other)) return { kind: 'replace' };
  }
  return { kind: 'refuse', code: ErrorCode.DuplicateConnection, reason: 'already connected', full: false };
}

export function admit(
  ownId: string,
  newcomer: Newcomer,
  rival: Rival | null,
  counts: Counts,
  limits: Limits,
): Admission {
  const settled = rival === null ? null : settleRival(ownId, newcomer, rival);
  if (settled?.kind === 'refuse') return settled;
  const refuse = (reason: string, full: boolean): Admission => {
    return { kind: 'refuse', code: ErrorCode.PeerLimitReached, reason, full };
  };
  // Whoever replaces a connection that was counted takes its place.
  const takesPlace = settled?.kind === 'replace' && rival!.connected;
  if (!newcomer.exempt && !takesPlace) {
    const isInbound = newcomer.direction === 'inbound';
    if (isInbound && newcomer.subnetPeers >= limits.maxPerSubnet) return refuse(limitReasons.maxPerSubnet, false);
    if (isInbound && counts.inbound >= limits.maxInbound) return refuse(limitReasons.maxInbound, true);
    if (!isInbound && counts.outbound >= limits.maxOutbound) return refuse(limitReasons.maxOutbound, false);
    if (counts.inbound + counts.outbound >= limits.maxPeers) return refuse(limitReasons.maxPeers, true);
  }
  return settled ?? { kind: 'admit' };
}
