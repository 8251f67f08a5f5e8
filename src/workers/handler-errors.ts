/**
 * What the log is told of handlers that throw: once for each place in a while, and how many more there were. Whoever
 * sends what a handler can't bear does so as often as it likes. Worker thread.
 */
import type { Clock } from '../shared/clock.js';
import { errorTrace } from '../shared/error-trace.js';
import type { HandlerLog } from '../shared/handler.js';
import { LogSampler } from '../shared/log-sampler.js';

const WINDOW_MS = 10_000;

export class HandlerErrors {
  readonly #log: HandlerLog;
  readonly #clock: Clock;
  /** By message type and place. */
  readonly #sampler = new LogSampler<string, string>({ windowMs: WINDOW_MS });
  /** Runs while something was left out. */
  #timer: NodeJS.Timeout | null = null;

  constructor(log: HandlerLog, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  failed(type: string, error: unknown): void {
    const trace = errorTrace(error);
    const place = `${trace.error} ${trace.at[0]}`;
    if (this.#sampler.admit(type, place, this.#clock.nowMs())) this.#log.error('handler failed', { type, ...trace });
    else this.#timer ??= setTimeout(() => this.#sweep(), WINDOW_MS);
  }

  /** Tells what was left out so far. */
  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#sweep();
  }

  #sweep(): void {
    this.#timer = null;
    // All windows end with the one that the timer runs for, so that one timer is enough.
    for (const { topic, count } of this.#sampler.sweep(Number.POSITIVE_INFINITY)) {
      this.#log.error('handler failed: lines left out', { type: topic, leftOut: count });
    }
  }
}
