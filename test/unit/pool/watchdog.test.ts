import { describe, expect, it } from 'vitest';
import { Watchdog } from '../../../src/main/pool/watchdog.js';

const LIMIT_MS = 1000;
const awake = (heartbeat: number) => ({ heartbeat, isAsleep: false });
const asleep = (heartbeat: number) => ({ heartbeat, isAsleep: true });

/** Looks every 100 ms; `pulse` says what the one worker shows. @returns when it was told to hang */
function watch(pulse: (nowMs: number) => ReturnType<typeof awake>, untilMs: number, stepMs = 100): number[] {
  const watchdog = new Watchdog(1, 0);
  const told: number[] = [];
  for (let nowMs = stepMs; nowMs <= untilMs; nowMs += stepMs) {
    if (watchdog.look([pulse(nowMs)], nowMs, LIMIT_MS).length > 0) told.push(nowMs);
  }
  return told;
}

describe('the watchdog', () => {
  it('tells of a worker that is awake and takes no turn, once for each time that the limit passes', () => {
    expect(watch(() => awake(7), 3000)).toEqual([1100, 2100]);
  });

  it('says nothing of one that takes turns, however seldom, or that sleeps', () => {
    expect(watch((nowMs) => awake(Math.floor(nowMs / 900)), 30_000)).toEqual([]);
    expect(watch(() => asleep(7), 30_000)).toEqual([]);
  });

  it('counts from the moment that a worker was woken', () => {
    expect(watch((nowMs) => (nowMs < 5000 ? asleep(7) : awake(7)), 7000)).toEqual([5900, 6900]);
  });

  it('takes neither a machine that slept nor a main thread that was held up for a worker that hangs', () => {
    const watchdog = new Watchdog(2, 0);
    expect(watchdog.look([awake(1), awake(1)], 100, 5000)).toEqual([]);
    expect(watchdog.look([awake(1), awake(1)], 3_600_000, 5000)).toEqual([]);
    expect(watchdog.look([awake(2), awake(1)], 3_600_100, 5000)).toEqual([]);
    expect(watchdog.look([awake(2), awake(1)], 3_600_000, 5000)).toEqual([]);
  });

  it('gives a worker several looks to show itself, however short its limit and however late they come', () => {
    for (const limitMs of [10, 300, LIMIT_MS, 60_000]) {
      const watchdog = new Watchdog(1, 0);
      const told = [1, 2, 3, 4, 5].map((look) => watchdog.look([awake(7)], look * 1e6, limitMs).length);
      expect(told).toEqual([0, 0, 0, 0, 1]);
    }
  });
});
