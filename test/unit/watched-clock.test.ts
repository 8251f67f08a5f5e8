import { describe, expect, it } from 'vitest';
import { WatchedClock } from '../../src/main/watched-clock.js';

const DAY_MS = 86_400_000;

/** A clock that a test moves, and what its watcher told. */
function watched() {
  const hands = { nowMs: 5, wallMs: 1000 * DAY_MS };
  const steps: number[] = [];
  const clock = new WatchedClock({ nowMs: () => hands.nowMs, wallMs: () => hands.wallMs }, (byMs) => steps.push(byMs));
  const pass = (ms: number, wallByMs = 0) => {
    hands.nowMs += ms;
    hands.wallMs += ms + wallByMs;
  };
  return { hands, steps, clock, pass };
}

describe('a watched clock', () => {
  it('shows what its clock shows, and says nothing while time only passes', () => {
    const { hands, steps, clock, pass } = watched();
    for (let i = 0; i < 100; i++) {
      pass(DAY_MS);
      expect([clock.nowMs(), clock.wallMs()]).toEqual([hands.nowMs, hands.wallMs]);
    }
    expect(steps).toEqual([]);
  });

  it('tells once by how much the wall clock was set, forwards and back, before it is read', () => {
    const { steps, clock, pass } = watched();
    pass(1000, DAY_MS);
    clock.wallMs();
    expect(steps).toEqual([DAY_MS]);
    pass(1000);
    clock.wallMs();
    pass(1000, -3 * DAY_MS);
    clock.wallMs();
    clock.wallMs();
    expect(steps).toEqual([DAY_MS, -3 * DAY_MS]);
  });

  it('lets small corrections pass, however many there are', () => {
    const { steps, clock, pass } = watched();
    for (let i = 0; i < 1000; i++) {
      pass(10_000, i % 3 === 0 ? 59_000 : -500);
      clock.wallMs();
    }
    expect(steps).toEqual([]);
  });
});
