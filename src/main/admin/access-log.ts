/**
 * Owns what the log says of calls without the right token: who, and how many so far. Never what was given. Main thread.
 */
import type { Logger } from 'pino';
import { SampledLine } from '../sampled-line.js';

/** Lines within ten seconds; whoever guesses makes thousands of calls. */
const LINES_MAX = 10;

export class AccessLog {
  readonly #line: SampledLine;
  #refused = 0;

  constructor(log: Logger) {
    const message = 'admin call without the token refused';
    this.#line = new SampledLine(log, { level: 'warn', message, linesMax: LINES_MAX });
  }

  /** Calls refused since start. */
  get refusedCalls(): number {
    return this.#refused;
  }

  /** Counts a refused call, and tells of it or counts it as left out. */
  refused(remote: string, isTokenGiven: boolean, nowMs: number): void {
    const refused = ++this.#refused;
    this.#line.sweep(nowMs);
    this.#line.write(null, remote, nowMs, () => ({
      remote,
      given: isTokenGiven ? 'a wrong token' : 'no token',
      refused,
    }));
  }

  /** No more calls come: tells what was left out. */
  close(): void {
    this.#line.sweep(Number.POSITIVE_INFINITY);
  }
}
