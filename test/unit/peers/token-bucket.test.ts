import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TokenBucket } from '../../../src/main/peers/token-bucket.js';

describe('a token bucket', () => {
  it('is full at first, and lets a burst through at once', () => {
    const bucket = new TokenBucket({ ratePerSecond: 100, burst: 500 });
    bucket.take(500, 7000);
    expect(bucket.waitMs(7000)).toBe(0);
    expect(bucket.debtSeconds(7000)).toBe(0);
  });

  it('goes into debt, and says how long that lasts', () => {
    const bucket = new TokenBucket({ ratePerSecond: 100, burst: 500 });
    bucket.take(700, 0);
    expect(bucket.waitMs(0)).toBe(2000);
    expect(bucket.debtSeconds(0)).toBe(2);
    expect(bucket.waitMs(1500)).toBe(500);
    expect(bucket.waitMs(2000)).toBe(0);
  });

  it('holds no more than a burst, however long nothing was taken', () => {
    const bucket = new TokenBucket({ ratePerSecond: 100, burst: 500 });
    bucket.take(0, 0);
    bucket.take(600, 3_600_000);
    expect(bucket.waitMs(3_600_000)).toBe(1000);
  });

  it('gives nothing and takes nothing when the clock goes back', () => {
    const bucket = new TokenBucket({ ratePerSecond: 100, burst: 100 });
    bucket.take(300, 10_000);
    expect(bucket.waitMs(5000)).toBe(2000);
    expect(bucket.waitMs(6000)).toBe(1000);
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('can’t be made with %d', (amount) => {
    expect(() => new TokenBucket({ ratePerSecond: amount, burst: 1 })).toThrow(RangeError);
    expect(() => new TokenBucket({ ratePerSecond: 1, burst: amount })).toThrow(RangeError);
  });

  it('lets nobody who waits as told have more than burst and rate', () => {
    const sizes = fc.record({
      ratePerSecond: fc.integer({ min: 1, max: 1_000_000 }),
      burst: fc.integer({ min: 1, max: 1_000_000 }),
    });
    const takes = fc.array(fc.tuple(fc.integer({ min: 0, max: 100_000 }), fc.integer({ min: 0, max: 5000 })), {
      maxLength: 50,
    });
    fc.assert(
      fc.property(sizes, takes, ({ ratePerSecond, burst }, taken) => {
        const bucket = new TokenBucket({ ratePerSecond, burst });
        let nowMs = 0;
        let sum = 0;
        for (const [amount, idleMs] of taken) {
          nowMs += idleMs + Math.ceil(bucket.waitMs(nowMs + idleMs));
          expect(sum).toBeLessThanOrEqual(burst + (ratePerSecond * nowMs) / 1000 + 1e-3);
          bucket.take(amount, nowMs);
          sum += amount;
        }
      }),
    );
  });

  it('says the same however often it is asked', () => {
    const times = fc.array(fc.integer({ min: 0, max: 10_000 }), { maxLength: 40 });
    fc.assert(
      fc.property(times, (asked) => {
        const often = new TokenBucket({ ratePerSecond: 10, burst: 5 });
        const once = new TokenBucket({ ratePerSecond: 10, burst: 5 });
        often.take(80, 0);
        once.take(80, 0);
        for (const nowMs of asked.sort((a, b) => a - b)) often.waitMs(nowMs);
        expect(often.waitMs(10_000)).toBeCloseTo(once.waitMs(10_000), 3);
      }),
    );
  });
});
