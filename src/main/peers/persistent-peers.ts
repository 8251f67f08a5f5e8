/**
 * The peers that an operator named: dialled for ever, with back-off (rulings 5). Main thread; clock and randomness are
 * passed in. Says what is due; the node dials.
 */
import type { NodeError, PeerError } from '../../shared/errors.js';
import { PROVEN_CONNECTION_MS } from '../../shared/limits.js';
import type { PeerAddress } from '../net/address.js';
import { backoffMs } from './backoff.js';

export interface PersistentPeer {
  readonly address: PeerAddress;
  /** Dials in a row that did not lead to a connection worth the name. */
  attempts: number;
  nextDialMs: number;
  /** Waiting for the next dial, being dialled, or connected. */
  phase: 'waiting' | 'dialling' | 'connected';
  /** Why the last dial failed; null if it did not. */
  fault: PeerError | NodeError | null;
}

export class PersistentPeers {
  readonly #peers: PersistentPeer[];
  readonly #jitter: number;
  readonly #random: () => number;

  constructor(addresses: readonly PeerAddress[], jitter: number, random: () => number) {
    this.#peers = addresses.map((address) => ({ address, attempts: 0, nextDialMs: 0, phase: 'waiting', fault: null }));
    this.#jitter = jitter;
    this.#random = random;
  }

  list(): readonly PersistentPeer[] {
    return this.#peers;
  }

  /**
   * Whether a peer that dialled us is a persistent one. The ID alone does not say so, since anybody may show it: it has
   * to come from the address that the operator named.
   */
  vouchesFor(id: string | null, ip: string): boolean {
    return this.#peers.some(({ address }) => address.id !== null && address.id === id && address.host === ip);
  }

  /** Peers that are due to be dialled; the caller marks those that it dials. */
  due(nowMs: number): PersistentPeer[] {
    return this.#peers.filter((peer) => peer.phase === 'waiting' && peer.nextDialMs <= nowMs);
  }

  /** A dial failed. */
  failed(peer: PersistentPeer, nowMs: number, fault: PeerError | NodeError): void {
    this.ended(peer, nowMs, 0, 0);
    peer.fault = fault;
  }

  /** A dial failed, or a connection ended that stayed up for `upMs` and delivered `frames` frames. */
  ended(peer: PersistentPeer, nowMs: number, upMs: number, frames: number): void {
    peer.phase = 'waiting';
    peer.fault = null;
    peer.attempts = upMs >= PROVEN_CONNECTION_MS || frames > 0 ? 1 : peer.attempts + 1;
    peer.nextDialMs = nowMs + backoffMs(peer.attempts, this.#jitter, this.#random());
  }
}
