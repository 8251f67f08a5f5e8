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
