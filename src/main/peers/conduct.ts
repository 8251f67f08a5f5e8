/**
 * What peers did and what follows from it: reputation, bans, and whether an address is wanted at all (specification 6.3,
 * rulings 2 and 6). Main thread. Decides and remembers; cutting connections off is the node's.
 */
import { ErrorCode as Code, type ErrorCode } from '../../shared/errors.js';
import type { BanRecord, Bans } from './bans.js';
import { hostKeyOf } from './net-group.js';
import type { Reputation } from './reputation.js';
import type { ReputationEvent } from './reputation-events.js';

/** Somebody as we know them: version 1 proves the address, not the ID. */
export interface Who {
  readonly ip: string;
  readonly id: string | null;
}

export interface ConductParts {
  readonly reputation: Reputation;
  readonly bans: Bans;
  /** Wall milliseconds: bans and scores outlive the process. */
  readonly wallMs: () => number;
  /** A ban has begun. */
  banned(ban: BanRecord): void;
}

export class Conduct {
  readonly #parts: ConductParts;

  constructor(parts: ConductParts) {
    this.#parts = parts;
  }

  /** Why somebody is not wanted; null if they are. */
  judge({ ip, id }: Who): { code: ErrorCode; reason: string } | null {
    const { bans, reputation, wallMs } = this.#parts;
    const nowMs = wallMs();
    const ban = bans.check({ ip, id }, nowMs);
    if (ban !== null) return { code: Code.Banned, reason: ban.reason === '' ? 'banned' : `banned: ${ban.reason}` };
    if (!reputation.isRefused({ ip, id }, nowMs)) return null;
    return { code: Code.ReputationRejection, reason: 'reputation too low' };
  }

  /** Something happened that counts for or against somebody; enough against them is a ban of their address. */
  note(event: ReputationEvent, who: Who): void {
    const { bans, reputation, wallMs, banned } = this.#parts;
    const nowMs = wallMs();
    // What a banned peer had sent before it was cut off does not make its ban longer.
    if (bans.check(who, nowMs) !== null) return;
    const { ban } = reputation.note(event, who, nowMs);
    if (ban === null) return;
    const target = hostKeyOf(who.ip);
    banned(bans.ban({ target, forMs: 'escalate', reason: ban.reason, code: ban.code, nowMs }));
  }

  score(who: Who): number {
    return this.#parts.reputation.score(who, this.#parts.wallMs());
  }
}
