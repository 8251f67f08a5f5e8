/**
 * Owns what the log says of calls without the right token: who, and how many so far. Never what was given. Main thread.
 */
import type { Logger } from 'pino';
import { LogLimiter } from '../log-limiter.js';

export class AccessLog {
  readonly #log: Logger;
  readonly #limiter = new LogLimiter();
  /** Calls refused since start. */
  #refused = 0;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Counts a refused call; tells of it unless its address was told of just now. */
  refused(remote: string, isTokenGiven: boolean, nowMs: number): void {
    this.#refused++;
    for (const { key, suppressed } of this.#limiter.sweep(nowMs)) this.#tell({ remote: key, suppressed });
    // After the sweep an address has nothing left out that was not told.
    if (this.#limiter.admit(remote, nowMs) === null) return;
    this.#tell({ remote, given: isTokenGiven ? 'a wrong token' : 'no token' });
  }

  #tell(fields: object): void {
    this.#log.warn({ ...fields, refused: this.#refused }, 'admin call without the token refused');
  }
}
