import { describe, expect, it } from 'vitest';
import { Seeded } from '../../../bench/soak/seeded.js';
import { type Point, trendOf, windowsOf } from '../../../bench/soak/trend.js';

/** Noise that is about normal, with a deviation of one. */
function noise(chance: Seeded): number {
  let sum = 0;
  for (let i = 0; i < 12; i++) sum += chance.next();
  return sum - 6;
}

const series = (count: number, y: (i: number) => number): Point[] =>
  Array.from({ length: count }, (_, i) => [i, y(i)] as const);

const seeds = Array.from({ length: 100 }, (_, i) => i + 1);

describe('a trend', () => {
  it('of a line is its slope, and nothing else', () => {
    expect(trendOf(series(10, (i) => 3 * i + 5))).toEqual({ slope: 3, least: 3, most: 3 });
  });

  it('of less than three points is unknown', () => {
    expect(trendOf(series(2, (i) => i)).slope).toBeNaN();
  });

  it('of flat noise has zero in its interval, about nineteen times of twenty', () => {
    const alarms = seeds.filter((seed) => {
      const chance = new Seeded(seed);
      const { least, most } = trendOf(series(80, () => noise(chance)));
      return least > 0 || most < 0;
    });
    expect(alarms.length).toBeLessThanOrEqual(seeds.length * 0.08);
  });

  it('of noise that remembers itself does not cry leak more often', () => {
    const alarms = seeds.filter((seed) => {
      const chance = new Seeded(seed);
      let level = 0;
      const { least } = trendOf(
        series(80, () => {
          level = 0.6 * level + noise(chance);
          return level;
        }),
      );
      return least > 0;
    });
    expect(alarms.length).toBeLessThanOrEqual(seeds.length * 0.08);
  });

  it('of a leak under noise is found, and within its interval', () => {
    for (const seed of seeds) {
      const chance = new Seeded(seed);
      const { least, slope, most } = trendOf(series(80, (i) => 0.1 * i + noise(chance)));
      expect({ seed, least: least > 0, most: most > slope }).toEqual({ seed, least: true, most: true });
    }
  });

  it('of a leak that comes in steps is found too', () => {
    const chance = new Seeded(7);
    const steps = series(80, (i) => 4 * Math.floor(i / 10) + noise(chance));
    const { least, most } = trendOf(steps);
    expect(least).toBeGreaterThan(0.2);
    expect(most).toBeLessThan(0.7);
  });

  it('is not moved by a few wild points', () => {
    const chance = new Seeded(3);
    const { least, most } = trendOf(series(80, (i) => (i > 74 ? 1000 : noise(chance))));
    expect(least).toBeLessThan(0.02);
    expect(most).toBeLessThan(0.5);
  });
});

describe('windows', () => {
  it('are medians of so many points, and leave out what fills none', () => {
    const points: Point[] = [1, 9, 2, 5, 4, 6, 100].map((y, i) => [i, y] as const);
    expect(windowsOf(points, 3)).toEqual([
      [1, 2],
      [4, 5],
    ]);
  });
});
