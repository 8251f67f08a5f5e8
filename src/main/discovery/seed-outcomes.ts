/**
 * What came of the last time that each seed was asked, and dialled as a peer. Main thread. At most an entry for each seed:
 * one that a reload takes off the list is forgotten.
 */
import { PeerError } from '../../shared/errors.js';
import { formatHostPort, type HostPort, withoutAddress } from '../net/address.js';
import type { CrawlFault, CrawlResult } from './seed-crawler.js';

export interface SeedOutcome {
  /** `host:port` as it was configured. */
  readonly seed: string;
  /** Wall milliseconds; null: not asked in this run. */
  readonly askedMs: number | null;
  /** Why there was no whole answer, and the same in words; null if there was. */
  readonly fault: CrawlFault | null;
  readonly detail: string | null;
  /** Peers that it told us. */
  readonly peers: number;
  /** Who tells nobody is dialled as a peer: why that failed. */
  readonly dialFault: { readonly code: number; readonly reason: string } | null;
}

export class SeedOutcomes {
  readonly #outcomes = new Map<string, SeedOutcome>();

  /** A seed has answered, or has failed to. */
  asked(seed: HostPort, { entries, fault, error }: CrawlResult, wallMs: number): void {
    const name = formatHostPort(seed);
    const detail = error === null ? null : withoutAddress(error.message);
    this.#outcomes.set(name, { seed: name, askedMs: wallMs, fault, detail, peers: entries.length, dialFault: null });
  }

  /** It was dialled as a peer after that. */
  dialled(seed: HostPort, error: unknown): void {
    const known = this.#outcomes.get(formatHostPort(seed));
    if (known === undefined || !(error instanceof PeerError)) return;
    const dialFault = { code: error.code, reason: withoutAddress(error.message) };
    this.#outcomes.set(known.seed, { ...known, dialFault });
  }

  /** Only these are seeds from now on. */
  keep(seeds: readonly HostPort[]): void {
    const names = new Set(seeds.map(formatHostPort));
    for (const name of this.#outcomes.keys()) if (!names.has(name)) this.#outcomes.delete(name);
  }

  /** One for each of these seeds. */
  of(seeds: readonly HostPort[]): SeedOutcome[] {
    return seeds.map((seed) => {
      const name = formatHostPort(seed);
      const never = { seed: name, askedMs: null, fault: null, detail: null, peers: 0, dialFault: null };
      return this.#outcomes.get(name) ?? never;
    });
  }
}
