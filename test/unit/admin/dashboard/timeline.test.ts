import { describe, expect, test } from 'vitest';
import { Timeline, WINDOW_SECONDS } from '../../../../src/main/admin/dashboard/timeline.js';

describe('a timeline', () => {
  test('keeps the last minutes and no more', () => {
    const timeline = new Timeline(1);
    for (let second = 0; second < 1000; second++) timeline.push(second, [second]);
    const [times, values] = timeline.columns;
    expect([times[0], times.at(-1), times.length]).toEqual([999 - WINDOW_SECONDS, 999, WINDOW_SECONDS + 1]);
    expect(values).toEqual(times);
  });

  test('has a hole where nothing was heard for seconds, which no line may cross', () => {
    const timeline = new Timeline(2);
    timeline.push(100, [1, 2]);
    timeline.push(102, [3, 4]);
    timeline.push(130, [5, 6]);
    expect(timeline.columns).toEqual([
      [100, 102, 103, 130],
      [1, 3, null, 5],
      [2, 4, null, 6],
    ]);
  });

  test('goes only forward, also when the clock of the node was set back', () => {
    const timeline = new Timeline(1);
    for (const second of [100, 101, 102, 50, 51]) timeline.push(second, [second]);
    expect(timeline.columns).toEqual([
      [50, 51],
      [50, 51],
    ]);
    timeline.push(51, [7]);
    expect(timeline.columns).toEqual([
      [50, 51],
      [50, 7],
    ]);
  });
});
