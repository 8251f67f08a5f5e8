/**
 * What peers and seeds say about this node without being asked: what time it is, and where they see us. Nothing follows
 * from it but what the doctor tells. Main thread; clocks are passed in. A netgroup has one voice, whatever it connects
 * under, voices are few, and they are forgotten after an hour.
 */
import { formatHostPort, type HostPort } from '../net/address.js';

const HEARD_MS = 3_600_000;
/** Voices that are kept of each kind; the one that spoke longest ago is forgotten first. */
export const MAX_VOICES = 128;
/** So many that we chose ourselves are enough: those who dialled us are not asked then. */
const ENOUGH_CHOSEN = 3;

/** Who says something. */
export interface Voice {
  /** As `voiceOf` gives it. */
  readonly group: string;
  /** We dialled them: nobody comes to be heard by pushing in. */
  readonly isChosen: boolean;
}

interface Said<T> {
  readonly what: T;
  readonly atMs: number;
}

/** How far the clocks of others are ahead of ours, one figure a voice. */
export interface ToldClocks {
  readonly aheadMs: readonly number[];
  /** Only voices that we dialled. */
  readonly areChosen: boolean;
}

/** An address that others tell for our node ID. */
export interface SightedAddress extends HostPort {
  /** How many say so. */
  readonly voices: number;
}

export class Hearsay {
  /**
   * Told time less our monotonic clock, which nobody sets: so what was heard is right again as soon as ours is. Kept
   * apart, so that those who push in push out nobody whom we chose.
   */
  readonly #chosenTimes = new Map<string, Said<number>>();
  readonly #otherTimes = new Map<string, Said<number>>();
  readonly #addresses = new Map<string, Said<HostPort>>();

  /** A message says what time it is. @param toldMs wall milliseconds, @param nowMs monotonic ones */
  time({ group, isChosen }: Voice, toldMs: number, nowMs: number): void {
    note(isChosen ? this.#chosenTimes : this.#otherTimes, group, { what: toldMs - nowMs, atMs: nowMs });
  }

  /** Somebody tells our own node ID, at this address. */
  address(group: string, { host, port }: HostPort, nowMs: number): void {
    note(this.#addresses, group, { what: { host, port }, atMs: nowMs });
  }

  clocks(wallMs: number, nowMs: number): ToldClocks {
    const chosen = fresh(this.#chosenTimes, nowMs);
    const areChosen = chosen.size >= ENOUGH_CHOSEN;
    const all = areChosen ? chosen : new Map([...fresh(this.#otherTimes, nowMs), ...chosen]);
    return { aheadMs: [...all.values()].map(({ what }) => what + nowMs - wallMs), areChosen };
  }

  /** Those that most say first. */
  addresses(nowMs: number): SightedAddress[] {
    const told = new Map<string, SightedAddress>();
    for (const { what } of fresh(this.#addresses, nowMs).values()) {
      const name = formatHostPort(what);
      told.set(name, { ...what, voices: (told.get(name)?.voices ?? 0) + 1 });
    }
    return [...told.values()].sort((a, b) => b.voices - a.voices);
  }
}

function note<T>(said: Map<string, Said<T>>, group: string, what: Said<T>): void {
  said.delete(group);
  said.set(group, what);
  if (said.size > MAX_VOICES) said.delete(said.keys().next().value!);
}

function fresh<T>(said: ReadonlyMap<string, Said<T>>, nowMs: number): Map<string, Said<T>> {
  return new Map([...said].filter(([, { atMs }]) => nowMs - atMs < HEARD_MS));
}
