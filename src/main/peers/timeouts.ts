/** Which timeout a connection has reached (specification 3.1, rulings 4). Pure; the node's sweep acts on it. */

import { ErrorCode } from '../../shared/errors.js';
import type { ConnectionState } from '../api.js';
import type { Settings } from '../config/settings.js';

export type Timeouts = Pick<
  Settings,
  | 'dialTimeoutMs'
  | 'handshakeTimeoutMs'
  | 'readTimeoutMs'
  | 'writeTimeoutMs'
  | 'pingIntervalMs'
  | 'inactivityTimeoutMs'
  | 'frameTimeoutMs'
>;

/** What is known of a connection. All times are how long ago, in milliseconds. */
export interface Ages {
  readonly state: ConnectionState;
  /** Since the dial or accept. */
  readonly startedMs: number;
  /** Since the handshake began, for a connection in `Handshaking`. */
  readonly handshakingMs: number;
  readonly lastReadMs: number;
  readonly lastSentMs: number;
  /** Since a frame other than ping and pong went either way. */
  readonly lastMessageMs: number;
  /** How long bytes have waited with none taken by the socket. */
  readonly writeStalledMs: number;
  /** Since a frame that is not whole began, null if there is none. */
  readonly partialMs: number | null;
  /** We don't read the socket ourselves: the peer's silence means nothing. */
  readonly paused: boolean;
  /** Persistent and unconditional peers may be idle. */
  readonly mayIdle: boolean;
  /** Since the peer announced that it disconnects, null if it has not. */
  readonly goodbyeMs: number | null;
  /** Since our side of the connection closed. */
  readonly leavingMs: number;
  /** The node stops, and has no time for slow peers. */
  readonly hurried: boolean;
}

export type Due =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'ping' }
  /** The peer has had its time to close; the socket is destroyed. */
  | { readonly kind: 'destroy' }
  | { readonly kind: 'close'; readonly code: ErrorCode; readonly reason: string };

const nothing: Due = { kind: 'nothing' };

/** The reason of a frame that was begun and not completed, however its bytes trickle. */
export const FRAME_TIMEOUT = 'a frame was not completed';

/** How long a peer may be silent after we have closed our side, before it has closed its own. */
export const LINGER_MS = 1000;
/** And how long it may take in all, while it still sends. */
export const MAX_LINGER_MS = 5000;

/** How long a peer that announced `disconnect` may keep the connection without sending. */
const GOODBYE_MS = 5000;

export function due(ages: Ages, timeouts: Timeouts): Due {
  switch (ages.state) {
    case 'Connecting':
      if (ages.startedMs < timeouts.dialTimeoutMs) return nothing;
      return { kind: 'close', code: ErrorCode.NetworkError, reason: 'dial timed out' };
    case 'Handshaking':
      if (ages.handshakingMs < timeouts.handshakeTimeoutMs) return nothing;
      return { kind: 'close', code: ErrorCode.HandshakeTimeout, reason: 'handshake timed out' };
    case 'Connected':
      return dueWhileConnected(ages, timeouts);
    case 'Disconnecting':
      return isLingering(ages) ? nothing : { kind: 'destroy' };
    case 'Disconnected':
      return nothing;
  }
}

/**
 * A peer that still sends has not read up to our end yet. A socket destroyed now would answer with a reset, on which
 * the peer loses what it has not read.
 */
function isLingering({ leavingMs, lastReadMs, hurried }: Ages): boolean {
  return leavingMs < LINGER_MS || (!hurried && lastReadMs < LINGER_MS && leavingMs < MAX_LINGER_MS);
}

function dueWhileConnected(ages: Ages, timeouts: Timeouts): Due {
  if (ages.writeStalledMs >= timeouts.writeTimeoutMs) {
    return { kind: 'close', code: ErrorCode.WriteTimeout, reason: 'the peer does not read what we send' };
  }
  // What it sent before may still stand in the kernel, because we are slow: only then silence is its own.
  if (!ages.paused && Math.min(ages.goodbyeMs ?? 0, ages.lastReadMs) >= GOODBYE_MS) {
    return { kind: 'close', code: ErrorCode.NetworkError, reason: 'said goodbye and stayed' };
  }
  if (!ages.paused && ages.lastReadMs >= timeouts.readTimeoutMs) {
    return { kind: 'close', code: ErrorCode.ReadTimeout, reason: 'nothing arrived' };
  }
  if (!ages.paused && ages.partialMs !== null && ages.partialMs >= timeouts.frameTimeoutMs) {
    return { kind: 'close', code: ErrorCode.ReadTimeout, reason: FRAME_TIMEOUT };
  }
  if (!ages.mayIdle && ages.lastMessageMs >= timeouts.inactivityTimeoutMs) {
    return { kind: 'close', code: ErrorCode.IdlePeer, reason: 'no messages' };
  }
  // Half the interval: a check at the whole interval would race a read timeout of the same length.
  return ages.lastSentMs >= timeouts.pingIntervalMs / 2 ? { kind: 'ping' } : nothing;
}

/** How often connections are looked at: a tenth of the shortest timeout, within 10 ms and 250 ms. */
export function sweepIntervalMs(timeouts: Timeouts): number {
  const shortest = Math.min(
    timeouts.dialTimeoutMs,
    timeouts.handshakeTimeoutMs,
    timeouts.readTimeoutMs,
    timeouts.writeTimeoutMs,
    timeouts.pingIntervalMs / 2,
    timeouts.inactivityTimeoutMs,
    timeouts.frameTimeoutMs,
  );
  return Math.min(250, Math.max(10, shortest / 10));
}
