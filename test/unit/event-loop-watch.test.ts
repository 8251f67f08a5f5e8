import { describe, expect, it } from 'vitest';
import { EventLoopWatch } from '../../src/main/event-loop-watch.js';

describe('the event loop’s watch', () => {
  it('tells how late a timer was within the last second, and in each second of the last minute', () => {
    const watch = new EventLoopWatch(100, 0, () => undefined);
    watch.tick(400);
    for (let ms = 500; ms <= 1500; ms += 100) watch.tick(ms);
    expect(watch.lagMs).toBe(300);
    for (let ms = 1600; ms <= 2500; ms += 100) watch.tick(ms);
    expect(watch.lagMs).toBe(0);
    expect(Math.max(...watch.lastMinuteMs)).toBe(300);
    for (let ms = 2600; ms <= 70_000; ms += 100) watch.tick(ms);
    expect([Math.max(...watch.lastMinuteMs), watch.lastMinuteMs.length]).toEqual([0, 60]);
  });
});
