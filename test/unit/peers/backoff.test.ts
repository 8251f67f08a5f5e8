import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoffMs } from '../../../src/main/peers/backoff.js';

describe('back-off', () => {
  it('is 2^attempts seconds up to ten minutes', () => {
    const seconds = Array.from({ length: 12 }, (_, i) => backoffMs(i + 1, 0, 0) / 1000);
    expect(seconds).toEqual([2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600, 600]);
  });

  it('adds up to a share of itself at random, and stays finite however often a peer was dialled', () => {
    const attempts = fc.integer({ min: 1, max: 2 ** 31 - 1 });
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(attempts, share, random, (attempt, jitter, draw) => {
        const base = backoffMs(attempt, 0, draw);
        const delay = backoffMs(attempt, jitter, draw);
        expect(base).toBe(Math.min(2 ** Math.min(attempt, 60) * 1000, 600_000));
        expect(delay).toBeGreaterThanOrEqual(base);
        expect(delay).toBeLessThanOrEqual(base * (1 + jitter));
      }),
    );
  });
});
