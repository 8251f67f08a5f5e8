/**
 * Dials that the node makes to addresses of its own, to see whether they lead here. Main thread. Each shows a node ID that
 * was made up for it; a connection that arrives under such an ID shows that what was sent to the address comes out at this
 * very process, whatever limits, bans or other nodes of the same ID there are. Whether directly it does not show: whoever
 * sits at the address may pass everything on, as a port forwarding does, and as somebody who claims our address could.
 * It becomes no peer and is counted nowhere.
 */
import { randomBytes } from 'node:crypto';
import { ErrorCode, PeerError } from '../../shared/errors.js';
import { type HostPort, withoutAddress } from '../net/address.js';
import { connectPeer } from '../net/peer-client.js';

/** What came of such a dial. */
export type SelfDial =
  /** It came in here. */
  | { readonly kind: 'here' }
  /** Another node answers. */
  | { readonly kind: 'other'; readonly id: string }
  /** Our own node ID answers, but it did not come in here: a copy of the node key, or somebody who borrows the ID. */
  | { readonly kind: 'twin' }
  /** A peer-to-peer node answers that would not have us: none of ours. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** Nobody answers as a node would. */
  | { readonly kind: 'failed'; readonly reason: string };

/** Codes of dials that nobody answered with a handshake or a refusal. */
const unanswered: readonly number[] = [ErrorCode.NetworkError, ErrorCode.HandshakeTimeout];

export interface SelfDialsParts {
  readonly chainId: string;
  readonly nodeId: string;
  /** Asked at each dial, so that it can change. */
  timeoutMs(): number;
}

export class SelfDials {
  readonly #parts: SelfDialsParts;
  /** By the ID that it shows: whether it has come in. */
  readonly #underWay = new Map<string, boolean>();

  constructor(parts: SelfDialsParts) {
    this.#parts = parts;
  }

  /** An inbound connection shows this ID. @returns whether it is such a dial */
  arrives(shownId: string): boolean {
    if (!this.#underWay.has(shownId)) return false;
    this.#underWay.set(shownId, true);
    return true;
  }

  /** Dials an address. Never rejects. */
  async dial({ host, port }: HostPort, signal: AbortSignal): Promise<SelfDial> {
    const { chainId, nodeId } = this.#parts;
    const timeoutMs = this.#parts.timeoutMs();
    const shownId = `self-${randomBytes(12).toString('hex')}`;
    this.#underWay.set(shownId, false);
    try {
      const client = await connectPeer({ host, port, chainId, nodeId: shownId, timeoutMs, signal });
      void client.close();
      if (this.#underWay.get(shownId) === true) return { kind: 'here' };
      return client.remoteId === nodeId ? { kind: 'twin' } : { kind: 'other', id: client.remoteId };
    } catch (error) {
      // A dial that came in and whose answer was lost has got here all the same.
      if (this.#underWay.get(shownId) === true) return { kind: 'here' };
      if (!(error instanceof PeerError)) return { kind: 'failed', reason: 'given up' };
      const reason = withoutAddress(error.message);
      return unanswered.includes(error.code) ? { kind: 'failed', reason } : { kind: 'refused', reason };
    } finally {
      this.#underWay.delete(shownId);
    }
  }
}
