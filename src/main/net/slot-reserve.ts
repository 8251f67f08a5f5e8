/**
 * Keeps a few slots free for newcomers. Main thread. A connection that is left or closed keeps its slot until its last frame
 * is dispatched; where handlers are slow that may be hours, in which no limit and no timeout counts it. Once few slots are
 * free, the host that has most connections of this kind loses its oldest, so that no host keeps others out. As long as there
 * are enough, everybody's last frames have all the time that they take.
 */
import { Crowd } from './crowd.js';

/**
 * As many newcomers as may come before a worker has let go of one; fewer than the slots beyond the limits (`geometry.ts`),
 * which are free while nobody leaves.
 */
export const RESERVED_SLOTS = 8;

/** A connection, as far as it matters here. */
interface Seated {
  readonly ip: string;
}

export interface SlotReserveParts<T> {
  readonly table: { readonly freeSeats: number };
  /** Takes a connection its slot, once its worker has looked, whatever of it waits. */
  giveUp(connection: T): void;
}

export class SlotReserve<T extends Seated> {
  readonly #parts: SlotReserveParts<T>;
  /** Those that have slots and are no peers any more. */
  readonly #leaving = new Crowd<T>(Number.POSITIVE_INFINITY);
  /** Given up, and their slots are not free yet. */
  readonly #givenUp = new Set<T>();

  constructor(parts: SlotReserveParts<T>) {
    this.#parts = parts;
  }

  /** A connection that has a slot is no peer any more. */
  left(connection: T): void {
    this.#leaving.add(connection);
  }

  /** A connection has no slot any more. */
  unseated(connection: T): void {
    this.#leaving.delete(connection);
    this.#givenUp.delete(connection);
  }

  /** A newcomer has asked for a slot: the next ones find some, too. */
  refill(): void {
    const { table, giveUp } = this.#parts;
    while (table.freeSeats + this.#givenUp.size < RESERVED_SLOTS) {
      const oldest = this.#leaving.takeOldest();
      if (oldest === null) return;
      this.#givenUp.add(oldest);
      giveUp(oldest);
    }
  }
}
