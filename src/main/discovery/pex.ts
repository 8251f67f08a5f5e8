/**
 * Owns peer exchange messages (rulings 7): what they say, and what of a peer's message is worth keeping. Pure; main
 * thread.
 */
import { MAX_PEX_BYTES, MAX_PEX_PEERS } from '../../shared/limits.js';
import { isPeerId } from '../../shared/wire/handshake.js';
import { canonicalIp, isRoutable } from '../../shared/wire/routability.js';
import { type AddressRecord, addressSources, type KnownAddress } from './address-book.js';

const PORT_MAX = 65_535;

/** An address that a peer told. */
export interface ToldAddress extends KnownAddress {
  /** When somebody last saw it, as the peer says; wall milliseconds, 0 for not said. */
  readonly lastSeenMs: number;
}

export type PexMessage =
  | {
      readonly kind: 'peers';
      readonly addresses: readonly ToldAddress[];
      readonly skipped: number;
      /** What time it is by the sender's clock, wall milliseconds; null if it does not say. */
      readonly sentMs: number | null;
    }
  /** More than 200 peers: the whole message is dropped. */
  | { readonly kind: 'too-large' }
  /** Not JSON, or not an object with a list of peers. */
  | { readonly kind: 'invalid' };

/** The message that tells a peer these addresses, as the published node writes it. */
export function encodePex(addresses: readonly AddressRecord[], nowMs: number): Buffer {
  const peers = addresses.map(({ id, ip, port, source, lastSeenMs }) => ({
    id,
    address: ip,
    port,
    source: addressSources.indexOf(source),
    last_seen: new Date(lastSeenMs).toISOString(),
  }));
  return Buffer.from(JSON.stringify({ timestamp: new Date(nowMs).toISOString(), peers }));
}

/** Reads a peer's message. Skips what has no ID, address or port, or in strict mode is not routable. */
export function decodePex(payload: Uint8Array, strict: boolean): PexMessage {
  if (payload.length > MAX_PEX_BYTES) return { kind: 'too-large' };
  const message = readMessage(payload);
  if (message === null) return { kind: 'invalid' };
  // A node that knows nobody may write no list at all, as Go does with an empty slice.
  const peers = message.peers ?? [];
  if (!Array.isArray(peers)) return { kind: 'invalid' };
  if (peers.length > MAX_PEX_PEERS) return { kind: 'too-large' };
  const addresses = peers.map((peer) => readAddress(peer, strict)).filter((address) => address !== null);
  return { kind: 'peers', addresses, skipped: peers.length - addresses.length, sentMs: readTime(message.timestamp) };
}

function readMessage(payload: Uint8Array): { readonly peers?: unknown; readonly timestamp?: unknown } | null {
  try {
    const message: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
    return typeof message === 'object' ? message : null;
  } catch {
    return null;
  }
}

function readTime(text: unknown): number | null {
  if (typeof text !== 'string') return null;
  const ms = Date.parse(text);
  return Number.isFinite(ms) ? ms : null;
}

function readAddress(peer: unknown, strict: boolean): ToldAddress | null {
  if (typeof peer !== 'object' || peer === null) return null;
  const { id, address, port, last_seen: lastSeen } = peer as Record<string, unknown>;
  if (typeof id !== 'string' || typeof address !== 'string' || typeof port !== 'number') return null;
  if (!isPeerId(id) || !Number.isInteger(port) || port < 1 || port > PORT_MAX) return null;
  const ip = canonicalIp(address);
  if (ip === null || (strict && !isRoutable(ip))) return null;
  const lastSeenMs = typeof lastSeen === 'string' ? Date.parse(lastSeen) : 0;
  return { id, ip, port, lastSeenMs: Number.isFinite(lastSeenMs) ? Math.max(0, lastSeenMs) : 0 };
}
