/**
 * Keeps file descriptors free for what must work when strangers take all they can get: the admin HTTP, our own dials, store
 * and log. Main thread. Asked for each accepted connection; counts for itself between two looks at /proc, and says no once
 * the rest is the reserve. Where the system has never told how many there are, it says yes. It looks again and again,
 * whatever came of the look before.
 */
import { DIALS_IN_FLIGHT } from '../../shared/limits.js';
import type { FileDescriptors } from '../doctor/file-descriptors.js';

/** Connections of the admin HTTP, dials under way, and files that are open for a moment. */
const RESERVE = 64 + DIALS_IN_FLIGHT + 16;
/** Of a low limit the reserve is no more than this. */
const RESERVE_SHARE = 1 / 4;
/** How often /proc is looked at, at most, and where there is plenty. */
const LOOK_EVERY_MS = 100;
const LEISURE_LOOK_EVERY_MS = 1000;

/** Descriptors that accepted connections may bring the process to. */
export function acceptCeiling(limit: number): number {
  return Math.floor(limit - Math.min(RESERVE, limit * RESERVE_SHARE));
}

export class DescriptorReserve {
  readonly #read: () => Promise<FileDescriptors | null>;
  readonly #nowMs: () => number;
  #ceiling = Number.POSITIVE_INFINITY;
  #open = 0;
  /** Accepted since the last look began. */
  #since = 0;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #looking: Promise<void> | null = null;

  /** @param read how many descriptors there are; null where that is not told */
  constructor(read: () => Promise<FileDescriptors | null>, nowMs: () => number) {
    this.#read = read;
    this.#nowMs = nowMs;
  }

  /** Looks how many are open. At once if none was ever looked at, else when it is due. */
  look(): Promise<void> {
    const nowMs = this.#nowMs();
    if (this.#looking === null && nowMs - this.#lookedMs >= LOOK_EVERY_MS) {
      this.#lookedMs = nowMs;
      this.#looking = this.#look().finally(() => {
        this.#looking = null;
      });
    }
    return this.#looking ?? Promise.resolve();
  }

  /** Whether a connection that was accepted may stay. */
  takes(): boolean {
    const left = this.#ceiling - this.#open - this.#since;
    // A look in good time: others open files as well, and connections close.
    const isDue = this.#nowMs() - this.#lookedMs >= LEISURE_LOOK_EVERY_MS;
    if (isDue || this.#since * 2 >= left) void this.look();
    if (left <= 0) return false;
    this.#since++;
    return true;
  }

  async #look(): Promise<void> {
    const before = this.#since;
    const told = await this.#read();
    // A look that failed: what was known and what is counted since holds on.
    if (told === null) return;
    const { limit, open } = told;
    if (limit !== null) this.#ceiling = acceptCeiling(limit);
    // None left to look with: as many are open as may be. Before any limit is known that says nothing.
    const isKnown = open !== null || Number.isFinite(this.#ceiling);
    if (!isKnown) return;
    this.#open = open ?? this.#ceiling;
    this.#since -= before;
  }
}
