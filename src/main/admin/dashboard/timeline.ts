/**
 * Owns the last minutes of a few series as charts want them: times that only go forward, and a hole where nothing is
 * known, which no line may cross. Pure; browser.
 */

/** What is kept and shown. */
export const WINDOW_SECONDS = 300;
/** Samples come every second. So long without one, and what happened in between is not known. */
const HOLE_SECONDS = 4;

export type Values = readonly (number | null)[];

export class Timeline {
  readonly #width: number;
  readonly #times: number[] = [];
  readonly #columns: (number | null)[][];

  /** @param width how many series */
  constructor(width: number) {
    this.#width = width;
    this.#columns = Array.from({ length: width }, () => []);
  }

  /** @param timeSeconds since 1970 */
  push(timeSeconds: number, values: Values): void {
    // A clock that was set back: what seems to lie in the future is from another time.
    while (this.#times.length > 0 && this.#times.at(-1)! >= timeSeconds) this.#drop('pop');
    const last = this.#times.at(-1);
    if (last !== undefined && timeSeconds - last > HOLE_SECONDS) this.#add(last + 1, new Array(this.#width).fill(null));
    this.#add(timeSeconds, values);
    while (this.#times[0]! < timeSeconds - WINDOW_SECONDS) this.#drop('shift');
  }

  /** Times first, then a column for each series. Stays valid until the next push. */
  get columns(): [number[], ...(number | null)[][]] {
    return [this.#times, ...this.#columns];
  }

  #add(timeSeconds: number, values: Values): void {
    this.#times.push(timeSeconds);
    this.#columns.forEach((column, index) => {
      column.push(values[index] ?? null);
    });
  }

  #drop(from: 'pop' | 'shift'): void {
    this.#times[from]();
    for (const column of this.#columns) column[from]();
  }
}
