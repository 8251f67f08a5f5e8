/**
 * Who sent what and who has it: each message of an origin is to reach every resident exactly once and in order, and a
 * visitor without a gap from the first that it got. Pure; the load calls it.
 *
 * An origin is closed with the number of messages that must arrive, when its connection ends. It is settled, and
 * forgotten, once all residents have these, and later ones that were still on their way have had time to come as well.
 */

/** What was counted over all receivers. */
export interface Tally {
  readonly sent: number;
  readonly delivered: number;
  /** Never came, or not in its place. */
  readonly lost: number;
  /** Came again. */
  readonly doubled: number;
  /** Came from nobody who is known, or long after its connection had ended. */
  readonly strange: number;
}

interface Origin {
  sent: number;
  /** Messages that must reach every resident; null while its connection lasts. */
  must: number | null;
  /** Looks since it was closed, and since everything that must be had arrived. */
  looks: number;
  complete: number;
}

/**
 * Looks that an origin stays known for once it is complete, and that what is missing may take: on a machine with too much to
 * do, what a reset left in the node's hands may come much later.
 */
export const GRACE_LOOKS = 240;
export const PATIENCE_LOOKS = 600;

/** What one receiver has. */
export class Receiver {
  /** By origin, the number that comes next. */
  readonly next = new Map<number, number>();
  readonly isResident: boolean;

  constructor(isResident: boolean) {
    this.isResident = isResident;
  }
}

export class Ledger {
  readonly #origins = new Map<number, Origin>();
  readonly #residents = new Set<Receiver>();
  #nextOrigin: number;
  #sent = 0;
  #delivered = 0;
  #lost = 0;
  #doubled = 0;
  #strange = 0;

  /** @param firstOrigin lower ones are others', opened by name */
  constructor(firstOrigin: number) {
    this.#nextOrigin = firstOrigin;
  }

  get tally(): Tally {
    return {
      sent: this.#sent,
      delivered: this.#delivered,
      lost: this.#lost,
      doubled: this.#doubled,
      strange: this.#strange,
    };
  }

  /** Origins that are not settled. */
  get open(): number {
    return this.#origins.size;
  }

  /** From now on it gets everything that anybody else sends. */
  resident(): Receiver {
    const receiver = new Receiver(true);
    this.#residents.add(receiver);
    return receiver;
  }

  visitor(): Receiver {
    return new Receiver(false);
  }

  /** A new origin, or one that has its number from elsewhere. */
  openOrigin(number = this.#nextOrigin++): number {
    this.#origins.set(number, { sent: 0, must: null, looks: 0, complete: 0 });
    return number;
  }

  /** @returns the number of the message that the origin sends now */
  send(origin: number): number {
    this.#sent++;
    return this.#origins.get(origin)!.sent++;
  }

  sentBy(origin: number): number {
    return this.#origins.get(origin)!.sent;
  }

  /** The origin sends no more. @param must how many of its messages have to arrive: those behind them may */
  close(origin: number, must: number): void {
    this.#origins.get(origin)!.must = must;
  }

  /** Its own messages come back to nobody: they count as had. @param origin of the resident itself */
  exempt(receiver: Receiver, origin: number): void {
    receiver.next.set(origin, Number.POSITIVE_INFINITY);
  }

  arrived(receiver: Receiver, origin: number, number: number): void {
    if (!this.#origins.has(origin)) {
      this.#strange++;
      return;
    }
    const next = receiver.next.get(origin) ?? (receiver.isResident ? 0 : number);
    if (number < next) {
      this.#doubled++;
      return;
    }
    this.#lost += number - next;
    this.#delivered++;
    receiver.next.set(origin, number + 1);
  }

  /** Settles what can be settled; to be called again and again, as time goes by. */
  look(): void {
    for (const [number, origin] of this.#origins) {
      if (origin.must === null) continue;
      origin.looks++;
      if (this.#leastOf(number) >= origin.must) origin.complete++;
      if (origin.complete >= GRACE_LOOKS || origin.looks >= PATIENCE_LOOKS) this.#settle(number, origin.must);
    }
  }

  /** Settles everything that is closed, whatever is missing, and whatever is under way. */
  settleAll(): void {
    for (const [number, { must }] of this.#origins) if (must !== null) this.#settle(number, must);
  }

  /** Closed origins of which a resident lacks something. */
  get incomplete(): number {
    let count = 0;
    for (const [number, { must }] of this.#origins) if (must !== null && this.#leastOf(number) < must) count++;
    return count;
  }

  #leastOf(origin: number): number {
    let least = Number.POSITIVE_INFINITY;
    for (const { next } of this.#residents) least = Math.min(least, next.get(origin) ?? 0);
    return least;
  }

  /** What one resident has, all have: nothing is passed on to some only. */
  #settle(origin: number, must: number): void {
    const had = [...this.#residents].map(({ next }) => next.get(origin) ?? 0).filter(Number.isFinite);
    const most = Math.max(must, ...had);
    for (const count of had) this.#lost += most - count;
    for (const { next } of this.#residents) next.delete(origin);
    this.#origins.delete(origin);
  }
}
