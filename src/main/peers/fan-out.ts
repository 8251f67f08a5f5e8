/**
 * To which peers a message is passed on when not to all of them. Pure; main thread. Good peers of many netgroups get
 * it first, but the draw is random, so that nobody is left out for good and nobody can tell who will be asked.
 */

/** What of a peer the draw looks at. */
export interface FanOutCandidate {
  readonly id: string;
  /** 0 to 100. */
  readonly reputation: number;
  readonly netGroup: string;
}

/** So much weight has a peer of no reputation: it is drawn as well, a tenth as often as the best. */
const LEAST_WEIGHT = 10;
/** How long what is known of a peer counts as current. */
const KNOWN_MS = 1000;

/**
 * Draws `fanout` of the candidates, weighted by reputation; a second peer of one netgroup only when every netgroup has
 * one. All of them if there are no more.
 * @param random uniform from 0 to 1, 1 excluded
 */
export function chooseFanOut<C extends FanOutCandidate>(
  candidates: readonly C[],
  fanout: number,
  random: () => number,
): C[] {
  if (candidates.length <= fanout) return [...candidates];
  // The first of independent exponential clocks to ring is a weighted draw; so is the next among the rest, and so on.
  const drawn = candidates.map((candidate) => ({ candidate, at: -Math.log(1 - random()) / weightOf(candidate) }));
  drawn.sort((a, b) => a.at - b.at);
  const chosen: C[] = [];
  const others: C[] = [];
  const netGroups = new Set<string>();
  for (const { candidate } of drawn) {
    if (chosen.length === fanout) break;
    if (netGroups.has(candidate.netGroup)) others.push(candidate);
    else {
      netGroups.add(candidate.netGroup);
      chosen.push(candidate);
    }
  }
  return [...chosen, ...others.slice(0, fanout - chosen.length)];
}

function weightOf({ reputation }: FanOutCandidate): number {
  return Math.max(LEAST_WEIGHT, Math.min(100, reputation));
}

/**
 * The same for peers as objects of the caller's. What it looks at changes slowly and is dear to find out, so it is asked
 * once a second for each.
 */
export class FanOut<Peer extends object> {
  readonly #describe: (peer: Peer) => FanOutCandidate;
  readonly #random: () => number;
  readonly #nowMs: () => number;
  readonly #known = new WeakMap<
    Peer,
    { readonly candidate: FanOutCandidate & { peer: Peer }; readonly untilMs: number }
  >();

  constructor(parts: { describe: (peer: Peer) => FanOutCandidate; random: () => number; nowMs: () => number }) {
    this.#describe = parts.describe;
    this.#random = parts.random;
    this.#nowMs = parts.nowMs;
  }

  choose(peers: readonly Peer[], fanout: number): Peer[] {
    const nowMs = this.#nowMs();
    const candidates = peers.map((peer) => this.#candidate(peer, nowMs));
    return chooseFanOut(candidates, fanout, this.#random).map(({ peer }) => peer);
  }

  #candidate(peer: Peer, nowMs: number): FanOutCandidate & { peer: Peer } {
    const known = this.#known.get(peer);
    if (known !== undefined && nowMs < known.untilMs) return known.candidate;
    const candidate = { ...this.#describe(peer), peer };
    this.#known.set(peer, { candidate, untilMs: nowMs + KNOWN_MS });
    return candidate;
  }
}
