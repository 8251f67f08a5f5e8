/**
 * Which branches of the program an input has run, and about how often. The counters stand where `instrument.ts` put them.
 */
import { existsSync, readFileSync } from 'node:fs';
import type { Point } from './instrument.js';

/** How often, in classes: 1, 2, 3, 4 to 7, 8 to 15, 16 to 31, 32 to 127, more. A bit each. */
const CLASSES = Uint8Array.from({ length: 256 }, (_, count) => {
  if (count === 0) return 0;
  return count < 4 ? 1 << (count - 1) : count < 8 ? 8 : count < 16 ? 16 : count < 32 ? 32 : count < 128 ? 64 : 128;
});

export class Coverage {
  readonly points: readonly Point[];
  /** How often since it was last looked at, modulo 256. */
  readonly counters: Uint8Array;
  /** The classes of each counter that were seen. */
  readonly #seen: Uint8Array;

  constructor(points: readonly Point[]) {
    this.points = points;
    this.counters = new Uint8Array(points.length);
    this.#seen = new Uint8Array(points.length);
  }

  /** The counters of this build, put where instrumented files look for them. Before what is fuzzed is imported. */
  static ofBuild(): Coverage {
    const file = new URL('../../points.json', import.meta.url);
    const coverage = new Coverage(existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Point[]) : []);
    (globalThis as Record<symbol, unknown>)[Symbol.for('paw-p2p.fuzz.counters')] = coverage.counters;
    return coverage;
  }

  /** Looks at the counters and sets them back. @returns whether a branch has run that never had, or never about so often */
  takeNew(): boolean {
    const { counters } = this;
    const seen = this.#seen;
    let isNew = false;
    for (let i = 0; i < counters.length; i++) {
      if (counters[i] === 0) continue;
      const one = CLASSES[counters[i]];
      counters[i] = 0;
      if ((seen[i] & one) !== 0) continue;
      seen[i] |= one;
      isNew = true;
    }
    return isNew;
  }

  /** What was run up to now does not count. */
  forget(): void {
    this.#seen.fill(0);
    this.counters.fill(0);
  }

  /** Of the branches in these files: how many there are, how many have run, and where the others begin. */
  of(sources: readonly string[]): { readonly all: number; readonly ran: number; readonly idle: readonly Point[] } {
    const indexes = [...this.points.keys()].filter((i) => sources.includes(this.points[i].file));
    const idle = indexes.filter((i) => this.#seen[i] === 0).map((i) => this.points[i]);
    return { all: indexes.length, ran: indexes.length - idle.length, idle };
  }
}
