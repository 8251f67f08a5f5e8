import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { COUNTER_WORDS } from '../../../src/shared/memory/counters.js';
import {
  addDuration,
  addedDurations,
  BOUNDS_US,
  HISTOGRAM_WORDS,
  readDurations,
} from '../../../src/shared/memory/histogram.js';

const newWords = () => new Int32Array(new SharedArrayBuffer(4 * (HISTOGRAM_WORDS + 2 * COUNTER_WORDS)));
const total = (counts: readonly number[]) => counts.reduce((a, b) => a + b, 0);

describe('a histogram', () => {
  it('counts each duration under the first bound that is not below it, and adds all up', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 2e7, noNaN: true }), { maxLength: 100 }), (all) => {
        const words = newWords();
        for (const us of all) addDuration(words, COUNTER_WORDS, us);
        const { counts, sumSeconds } = readDurations(words, COUNTER_WORDS);
        const expected = [...BOUNDS_US, Number.POSITIVE_INFINITY].map(
          (bound, i, bounds) => all.filter((us) => us <= bound && (i === 0 || us > bounds[i - 1])).length,
        );
        expect(counts).toEqual(expected);
        expect(sumSeconds).toBeCloseTo(all.reduce((a, b) => a + b, 0) / 1e6, 4);
      }),
    );
  });

  it('takes a bound itself as within it', () => {
    const words = newWords();
    for (const bound of BOUNDS_US) addDuration(words, 0, bound);
    expect(readDurations(words, 0).counts).toEqual([...BOUNDS_US.map(() => 1), 0]);
  });

  it('counts what took the same time at once', () => {
    const words = newWords();
    addDuration(words, 0, 0.02, 32);
    const { counts, sumSeconds } = readDurations(words, 0);
    expect([counts[0], sumSeconds]).toEqual([32, 640e-9]);
  });

  it('takes negative durations as none, and those of a broken clock as a day', () => {
    const words = newWords();
    for (const us of [-1, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]) addDuration(words, 0, us);
    const { counts, sumSeconds } = readDurations(words, 0);
    expect([counts[0], counts.at(-1), sumSeconds]).toEqual([2, 1, 86_400]);
  });

  it('holds sums of many days, and leaves the words around it alone', () => {
    const words = newWords();
    for (let day = 0; day < 100; day++) addDuration(words, COUNTER_WORDS, 86_400e6);
    expect(readDurations(words, COUNTER_WORDS)).toMatchObject({ sumSeconds: 100 * 86_400 });
    const around = [words.subarray(0, COUNTER_WORDS), words.subarray(COUNTER_WORDS + HISTOGRAM_WORDS)];
    expect(around.flatMap((part) => [...part])).toEqual(new Array(2 * COUNTER_WORDS).fill(0));
  });

  it('adds up with another', () => {
    const words = newWords();
    addDuration(words, 0, 3);
    const one = readDurations(words, 0);
    const { counts, sumSeconds } = addedDurations(one, one);
    expect([total(counts), counts[4], sumSeconds]).toEqual([2, 2, 6e-6]);
  });
});
