/**
 * When seeds are asked for peers, and in what order. Main thread. A round asks them one after the other (specification
 * 2.2: names first, then fixed addresses, then regions) until the node has somebody to dial; a seed that is slow does
 * not hold up the next. Who needs another round was not helped by the seed that ended the last: the next one begins soon,
 * and behind it. Seeds that were asked a moment ago are left out. Rounds that gave nothing come ever more seldom. Now and
 * then one seed is visited though nobody is missing.
 */
import type { Clock } from '../../shared/clock.js';
import type { Settings } from '../config/settings.js';
import type { PeerAddress } from '../net/address.js';
import { backoffMs } from '../peers/backoff.js';
import type { Timers } from '../timers.js';
import type { CrawlResult } from './seed-crawler.js';

/** The next seed is asked after this time even if the one before has not answered. */
const STAGGER_MS = 2000;
/** A seed is not asked again before this time has gone: seeds answer one crawl of an address in 10 s (rulings 3). */
const SEED_RESTS_MS = 10_500;
/** Time to dial whom a round has told of; in a young network all of them are full. */
const NEXT_ROUND_MS = 1000;
/** A node that has nobody asks at least this often. */
const LONGEST_PAUSE_MS = 60_000;

export interface BootstrapParts {
  readonly settings: Pick<Settings, 'seeds' | 'backoffJitter'>;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: () => number;
  crawl(seed: PeerAddress, signal: AbortSignal): Promise<CrawlResult>;
  /** A seed has answered, or failed. @returns whether the node has somebody to dial now */
  heard(seed: PeerAddress, result: CrawlResult): boolean;
  /** The same of a seed that was asked though nobody is missing. */
  visited(seed: PeerAddress, result: CrawlResult): void;
}

export class Bootstrap {
  readonly #parts: BootstrapParts;
  readonly #stopping = new AbortController();
  #round: Promise<void> | null = null;
  #nextMs = 0;
  /** The seed that the next round begins with. */
  #first = 0;
  /** When each seed was last asked. */
  readonly #askedMs = new Map<PeerAddress, number>();
  /** Rounds in a row that gave nobody to dial. */
  #attempts = 0;
  #visits = 0;

  constructor(parts: BootstrapParts) {
    this.#parts = parts;
  }

  /** There are seeds, and none of the last round gave anything. */
  get isFailing(): boolean {
    return this.#parts.settings.seeds.length > 0 && this.#attempts > 0;
  }

  /** The node needs addresses: begins a round unless one is under way or the last one was just now. */
  look(): void {
    const { settings, clock } = this.#parts;
    if (this.#round !== null || settings.seeds.length === 0 || this.#stopping.signal.aborted) return;
    if (clock.nowMs() < this.#nextMs) return;
    this.#round = this.#ask().finally(() => {
      this.#round = null;
    });
  }

  /** One seed is asked though nobody is missing, another one each time; none while a round is under way. */
  visit(): void {
    const { settings, visited, clock } = this.#parts;
    const { signal } = this.#stopping;
    const seed = settings.seeds[this.#visits++ % Math.max(1, settings.seeds.length)];
    if (this.#round !== null || seed === undefined || signal.aborted || clock.nowMs() < this.#restedMs(seed)) return;
    this.#round = this.#crawl(seed)
      .then((result) => {
        if (!signal.aborted) visited(seed, result);
      })
      .finally(() => {
        this.#round = null;
      });
  }

  /** Other seeds than before: whoever needs addresses asks them at once. */
  seedsChanged(): void {
    this.#first = 0;
    this.#attempts = 0;
    this.#nextMs = 0;
    this.#askedMs.clear();
  }

  /** Gives up what is under way. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#round;
  }

  async #ask(): Promise<void> {
    const { settings, heard, clock, timers, random } = this.#parts;
    const { seeds } = settings;
    const { signal } = this.#stopping;
    let isEnough = false;
    const asked: Promise<void>[] = [];
    for (const seed of [...seeds.slice(this.#first), ...seeds.slice(0, this.#first)]) {
      if (isEnough || signal.aborted) break;
      if (clock.nowMs() < this.#restedMs(seed)) continue;
      const answer = this.#crawl(seed).then((result) => {
        if (signal.aborted || !heard(seed, result)) return;
        isEnough = true;
        this.#first = (seeds.indexOf(seed) + 1) % seeds.length;
      });
      asked.push(answer);
      // A round that is given up ends with its crawls, which are given up too.
      await new Promise<void>((resolve) => {
        const patience = timers.after(STAGGER_MS, resolve);
        void answer.finally(() => {
          patience.cancel();
          resolve();
        });
      });
    }
    await Promise.all(asked);
    // A round that asked seeds of before says nothing about those of now.
    if (seeds !== settings.seeds) {
      this.seedsChanged();
      return;
    }
    if (isEnough) {
      this.#attempts = 0;
      this.#nextMs = Math.max(clock.nowMs() + NEXT_ROUND_MS, Math.min(...seeds.map((seed) => this.#restedMs(seed))));
      return;
    }
    this.#first = 0;
    // What left seeds out since they had just answered says nothing about them.
    if (asked.length === seeds.length) this.#attempts++;
    const pauseMs = Math.min(
      LONGEST_PAUSE_MS,
      backoffMs(Math.max(1, this.#attempts), settings.backoffJitter, random()),
    );
    this.#nextMs = Math.max(clock.nowMs() + pauseMs, ...seeds.map((seed) => this.#restedMs(seed)));
  }

  #crawl(seed: PeerAddress): Promise<CrawlResult> {
    const { crawl, clock } = this.#parts;
    this.#askedMs.set(seed, clock.nowMs());
    return crawl(seed, this.#stopping.signal);
  }

  /** From when on a seed may be asked. */
  #restedMs(seed: PeerAddress): number {
    return (this.#askedMs.get(seed) ?? -Infinity) + SEED_RESTS_MS;
  }
}
