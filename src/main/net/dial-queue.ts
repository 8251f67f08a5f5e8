/**
 * Which dials wait and which are under way. Main thread; pure bookkeeping. The queue is bounded, dials under way are
 * bounded, and persistent peers, which may be dead for ever, never hold more than half of the places (rulings 5 and 8).
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

  /** @returns false if the queue is full and the dial was dropped */
  add(dial: T): boolean {
    if (this.#waiting.length >= DIAL_QUEUE_LENGTH) return false;
    this.#waiting.push(dial);
    return true;
  }

  /** The next dial that may begin; it counts as under way until `done`. */
  next(): T | undefined {
    if (this.#inFlight.size >= DIALS_IN_FLIGHT) return undefined;
    let persistent = 0;
    for (const dial of this.#inFlight) if (dial.persistent !== null) persistent++;
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
