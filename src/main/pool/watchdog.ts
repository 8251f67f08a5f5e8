/**
 * Which workers hang: awake, and without a look at the clock for too long. Main thread; the clock is passed in. Time counts
 * only as this thread sees it pass, with each look a fraction of the limit at most. So a machine that slept accuses nobody,
 * and a main thread that was held up does not either: a worker has several looks' time to show itself.
 */

/** Looks that it takes at least, all of them without a turn between, until a worker counts as hung. */
const LOOKS_MIN = 4;

/** What a worker shows of itself. */
export interface Pulse {
  /** Changes with each look at the clock. */
  readonly heartbeat: number;
  /** It has nothing to do, or waits for the main thread. */
  readonly isAsleep: boolean;
}

export class Watchdog {
  readonly #heartbeats: number[];
  readonly #silentMs: number[];
  #lookedMs: number;

  constructor(workers: number, nowMs: number) {
    this.#heartbeats = new Array(workers).fill(Number.NaN);
    this.#silentMs = new Array(workers).fill(0);
    this.#lookedMs = nowMs;
  }

  /** Looks at all workers. @returns those that have been silent for `limitMs`; each is told once, and starts anew */
  look(pulses: readonly Pulse[], nowMs: number, limitMs: number): number[] {
    const passedMs = Math.min(limitMs / LOOKS_MIN, Math.max(0, nowMs - this.#lookedMs));
    this.#lookedMs = nowMs;
    const hung: number[] = [];
    for (const [worker, { heartbeat, isAsleep }] of pulses.entries()) {
      const isSilent = !isAsleep && heartbeat === this.#heartbeats[worker];
      this.#heartbeats[worker] = heartbeat;
      this.#silentMs[worker] = isSilent ? this.#silentMs[worker] + passedMs : 0;
      if (this.#silentMs[worker] < limitMs) continue;
      this.#silentMs[worker] = 0;
      hung.push(worker);
    }
    return hung;
  }
}
