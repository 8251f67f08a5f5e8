import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TokenBucket } from '../../../src/main/peers/token-bucket.js';

describe('a token bucket', () => {
  it('gives its burst at once, and makes wait for what is over', () => {
    const bucket = new TokenBucket({ ratePerSecond: 100, burst: 50 });
    bucket.take(50, 0);
    expect(bucket.waitMs(0)).toBe(0);
    bucket.take(10, 0);
    expect(bucket.waitMs(0)).toBe(100);
    expect(bucket.waitMs(60)).toBe(40);
    expect(bucket.waitMs(100)).toBe(0);
    expect(bucket.debtSeconds(0)).toBe(0);
  });

  it('lets nobody save up more than the burst', () => {
    const bucket = new TokenBucket({ ratePerSecond: 100, burst: 50 });
    bucket.take(0, 0);
    bucket.take(60, 1e9);
    expect(bucket.waitMs(1e9)).toBe(100);
  });

  it('gives over any time no more than rate and burst, however it is asked, and a clock that jumps back gives nothing', () => {
    const step = fc.record({ ms: fc.integer({ min: -50, max: 500 }), amount: fc.integer({ min: 0, max: 100 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const bucket = new TokenBucket({ ratePerSecond: 200, burst: 100 });
        let [nowMs, elapsedMs, taken] = [0, 0, 0];
        for (const { ms, amount } of steps) {
          nowMs += ms;
          elapsedMs += Math.max(0, ms);
          if (bucket.waitMs(nowMs) > 0) continue;
          bucket.take(amount, nowMs);
          taken += amount;
        }
        // The last one may go into debt by what it takes.
        expect(taken).toBeLessThanOrEqual(100 + (elapsedMs * 200) / 1000 + 100 + 1e-6);
      }),
    );
  });
});

describe('a token bucket that is asked', () => {
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
});
