/**
 * Owns when something is asked of the node again: at intervals, one call at a time, and only while somebody looks and the
 * node is there. Browser.
 */
import { CallError } from './node-client.js';

export interface PollOptions {
  readonly everyMs: number;
  readonly isWanted: () => boolean;
  readonly ask: () => Promise<void>;
  /** A call came to nothing. Without it what is shown stays until the next one. */
  readonly failed?: (error: CallError) => void;
}

export class Poll {
  readonly #options: PollOptions;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asking = false;
  /** Asked for while a call was under way, whose answer may be older than what made somebody ask. */
  #again = false;

  constructor(options: PollOptions) {
    this.#options = options;
  }

  /** Asks at once, and from then on at intervals. */
  now(): void {
    if (this.#asking) {
      this.#again = true;
      return;
    }
    clearTimeout(this.#timer);
    void this.#ask();
  }

  async #ask(): Promise<void> {
    const { everyMs, isWanted, ask, failed } = this.#options;
    this.#asking = true;
    do {
      this.#again = false;
      if (!isWanted()) continue;
      await ask().catch((error: unknown) => {
        if (error instanceof CallError) failed?.(error);
        else reportError(error);
      });
    } while (this.#again);
    this.#asking = false;
    this.#timer = setTimeout(() => this.now(), everyMs);
  }
}
