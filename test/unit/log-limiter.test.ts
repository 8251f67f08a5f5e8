/** How often a repeated line is logged. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LogLimiter } from '../../src/main/log-limiter.js';

describe('a log limiter', () => {
  test('lets the first line of a key through, counts those that follow, and tells the count with the next', () => {
    const limiter = new LogLimiter({ intervalMs: 1000 });
    expect(limiter.admit('a', 0)).toBe(0);
    expect(limiter.admit('a', 1)).toBeNull();
    expect(limiter.admit('a', 999)).toBeNull();
    expect(limiter.admit('b', 999)).toBe(0);
    expect(limiter.admit('a', 1000)).toBe(2);
    expect(limiter.admit('a', 2000)).toBe(0);
  });

  test('tells of a storm that ended, once', () => {
    const limiter = new LogLimiter({ intervalMs: 1000 });
    for (let line = 0; line < 5; line++) limiter.admit('a', line);
    limiter.admit('b', 10);
    expect(limiter.sweep(999)).toEqual([]);
    expect(limiter.sweep(2000)).toEqual([{ key: 'a', suppressed: 4 }]);
    expect(limiter.sweep(2000)).toEqual([]);
    expect(limiter.admit('a', 2000)).toBe(0);
  });

  test('remembers a bounded number of keys, the latest', () => {
    const limiter = new LogLimiter<number>({ intervalMs: 1000, maxKeys: 3 });
    for (let key = 0; key < 100; key++) limiter.admit(key, 0);
    expect(limiter.admit(99, 1)).toBeNull();
    expect(limiter.admit(0, 1)).toBe(0);
  });

  test('loses no line: those logged and those told of as left out are all there were', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.nat({ max: 400 }))), (lines) => {
        const limiter = new LogLimiter({ intervalMs: 1000 });
        let nowMs = 0;
        let told = 0;
        for (const [key, stepMs] of lines) {
          nowMs += stepMs;
          const leftOut = limiter.admit(key, nowMs);
          if (leftOut !== null) told += 1 + leftOut;
        }
        for (const { suppressed } of limiter.sweep(nowMs + 1000)) told += suppressed;
        return told === lines.length;
      }),
    );
  });
});
