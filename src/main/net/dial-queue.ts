/**
 * Which dials wait and which are under way. Main thread; pure bookkeeping. The queue is bounded, dials under way are
 * bounded, and persistent peers, which may be dead for ever, never hold more than half of either (rulings 5 and 8).
 */
import { DIAL_QUEUE_LENGTH, DIALS_IN_FLIGHT } from '../../shared/limits.js';

export class DialQueue<T extends { readonly persistent: object | null }> {
  readonly #waiting: T[] = [];
  readonly #inFlight = new Set<T>();

  get length(): number {
    return this.#waiting.length;
  }

  get inFlight(): ReadonlySet<T> {
    return this.#inFlight;
  }

  /** Whether a dial for a persistent peer would be taken. */
  get takesPersistent(): boolean {
    if (this.#waiting.length >= DIAL_QUEUE_LENGTH) return false;
    return countPersistent(this.#waiting) < DIAL_QUEUE_LENGTH / 2;
  }

  /** @returns false if there is no place and the dial was dropped */
  add(dial: T): boolean {
    if (dial.persistent !== null && !this.takesPersistent) return false;
    if (this.#waiting.length >= DIAL_QUEUE_LENGTH) return false;
    this.#waiting.push(dial);
    return true;
  }

  /** The next dial that may begin; it counts as under way until `done`. */
  next(): T | undefined {
    if (this.#inFlight.size >= DIALS_IN_FLIGHT) return undefined;
    const persistent = countPersistent(this.#inFlight);
    const index = this.#waiting.findIndex((dial) => dial.persistent === null || persistent < DIALS_IN_FLIGHT / 2);
    if (index === -1) return undefined;
    const [dial] = this.#waiting.splice(index, 1);
    this.#inFlight.add(dial);
    return dial;
  }

  done(dial: T): void {
    this.#inFlight.delete(dial);
  }

  /** Takes everything that still waits, when the node stops. */
  clear(): T[] {
    return this.#waiting.splice(0);
  }
}

function countPersistent(dials: Iterable<{ readonly persistent: object | null }>): number {
  let count = 0;
  for (const dial of dials) if (dial.persistent !== null) count++;
  return count;
}
