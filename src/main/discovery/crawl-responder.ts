/**
 * Answers crawls (specification 2.1, rulings 3): one for each host in 10 s, with addresses that we have reached
 * ourselves. Decides only; whoever owns the socket writes. Main thread.
 */
import { CRAWL_EVERY_MS, MAX_PEER_LIST_ENTRIES } from '../../shared/limits.js';
import { encodePeerList } from '../../shared/wire/peer-list.js';
import { hostKeyOf } from '../peers/net-group.js';
import type { KnownAddress } from './address-book.js';

/** Hosts that are remembered at once: whoever crawls from more makes the oldest forgotten. */
const MAX_HOSTS = 10_000;
/** Who crawls within this time of another gets the same answer: a crowd costs one look through the book. */
const ANSWER_KEEPS_MS = 1000;

export class CrawlResponder {
  readonly #reached: (max: number) => readonly KnownAddress[];
  /** When each host was last answered, the oldest first. A refused crawl does not extend the wait. */
  readonly #answeredMs = new Map<string, number>();
  #kept: { readonly bytes: Buffer; readonly sinceMs: number } | null = null;
  #served = 0;
  #refused = 0;

  /** @param reached addresses that may be told, at most `max` */
  constructor(reached: (max: number) => readonly KnownAddress[]) {
    this.#reached = reached;
  }

  get served(): number {
    return this.#served;
  }

  get refused(): number {
    return this.#refused;
  }

  /** The answer to a crawl from this address; null if it asked too soon and gets none. */
  answer(ip: string, nowMs: number): Buffer | null {
    const host = hostKeyOf(ip);
    const lastMs = this.#answeredMs.get(host);
    if (lastMs !== undefined && nowMs - lastMs < CRAWL_EVERY_MS) {
      this.#refused++;
      return null;
    }
    this.#answeredMs.delete(host);
    this.#answeredMs.set(host, nowMs);
    if (this.#answeredMs.size > MAX_HOSTS) this.#answeredMs.delete(this.#answeredMs.keys().next().value!);
    this.#served++;
    if (this.#kept === null || nowMs - this.#kept.sinceMs >= ANSWER_KEEPS_MS) {
      this.#kept = { bytes: encodePeerList(this.#reached(MAX_PEER_LIST_ENTRIES)), sinceMs: nowMs };
    }
    return this.#kept.bytes;
  }

  /** A crawl that is not answered for another reason, such as a ban. */
  refuse(): void {
    this.#refused++;
  }
}
