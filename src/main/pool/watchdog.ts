/**
 * Which workers hang: awake, and without a turn for too long. Main thread; the clock is passed in. Time counts only as
 * this thread sees it pass, a little with each look, so that a machine that slept, or a main thread that was held up,
 * accuses nobody.
 */

/** Most that one look counts: looks come several times a second. */
const LONGEST_LOOK_MS = 1000;

/** What a worker shows of itself. */
export interface Pulse {
  /** Changes with each turn. */
  readonly heartbeat: number;
  /** Parked or napping: it has nothing to do. */
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
    const passedMs = Math.min(LONGEST_LOOK_MS, Math.max(0, nowMs - this.#lookedMs));
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
