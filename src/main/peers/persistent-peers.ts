/**
 * The peers that an operator named: dialled for ever, with back-off (rulings 5). Main thread; clock and randomness are
 * passed in. Says what is due; the node dials.
 */
import type { NodeError, PeerError } from '../../shared/errors.js';
import { PROVEN_CONNECTION_MS } from '../../shared/limits.js';
import type { Settings } from '../config/settings.js';
import { formatPeerAddress, type PeerAddress } from '../net/address.js';
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
  #peers: readonly PersistentPeer[] = [];
  readonly #settings: Pick<Settings, 'persistentPeers' | 'backoffJitter'>;
  readonly #random: () => number;

  constructor(settings: Pick<Settings, 'persistentPeers' | 'backoffJitter'>, random: () => number) {
    this.#settings = settings;
    this.#random = random;
    this.renew();
  }

  /** The operator names others: who stays goes on as it was, who is new is due at once. */
  renew(): void {
    const before = new Map(this.#peers.map((peer) => [formatPeerAddress(peer.address), peer]));
    this.#peers = this.#settings.persistentPeers.map(
      (address) =>
        before.get(formatPeerAddress(address)) ?? {
          address,
          attempts: 0,
          nextDialMs: 0,
          phase: 'waiting',
          fault: null,
        },
    );
  }

  /** Whether an entry is one of these still. */
  has(peer: PersistentPeer): boolean {
    return this.#peers.includes(peer);
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
    peer.nextDialMs = nowMs + backoffMs(peer.attempts, this.#settings.backoffJitter, this.#random());
  }
}
