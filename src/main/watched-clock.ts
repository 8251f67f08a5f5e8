/**
 * A clock that tells when its wall clock was set: by an operator, by NTP after a start with a wrong time, by a machine that
 * slept. What lasts by the wall clock, since it outlives the process, would end at once or last for ages; so it is moved
 * along. Main thread; the clock is passed in.
 */
import type { Clock } from '../shared/clock.js';

/** Clocks are corrected by seconds all the time; a step that is larger was somebody's. */
const STEP_MS = 60_000;

export class WatchedClock implements Clock {
  readonly #clock: Clock;
  readonly #stepped: (byMs: number) => void;
  /** What both clocks showed when the wall clock was last read. */
  #nowMs: number;
  #wallMs: number;

  /** @param stepped gets by how much the wall clock was set, forwards or back, before anybody reads it */
  constructor(clock: Clock, stepped: (byMs: number) => void) {
    this.#clock = clock;
    this.#stepped = stepped;
    this.#nowMs = clock.nowMs();
    this.#wallMs = clock.wallMs();
  }

  nowMs(): number {
    return this.#clock.nowMs();
  }

  wallMs(): number {
    const nowMs = this.#clock.nowMs();
    const wallMs = this.#clock.wallMs();
    const byMs = wallMs - this.#wallMs - (nowMs - this.#nowMs);
    this.#nowMs = nowMs;
    this.#wallMs = wallMs;
    if (Math.abs(byMs) >= STEP_MS) this.#stepped(Math.round(byMs));
    return wallMs;
  }
}
