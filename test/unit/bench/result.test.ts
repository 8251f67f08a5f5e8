import { describe, expect, it } from 'vitest';
import { type Goal, ratioOf, type ScenarioResult, spreadOf, verdicts } from '../../../bench/result.js';

function measured(target: string, figures: readonly number[], name = 'case') {
  const runs = figures.map((figure) => ({ values: { rate: figure }, cores: null, loadCores: null }));
  return { case: name, parameters: {}, target, runs };
}

function scenario(goals: readonly Goal[], measurements: ScenarioResult['measurements']): ScenarioResult {
  const metrics = [{ key: 'rate', title: 'rate', unit: 'messages/s', better: 'more' }] as const;
  return { name: 's', title: 't', metrics, measurements, goals, notes: [] };
}

const goal = {
  case: 'case',
  metric: 'rate',
  against: { target: 'other' },
  compare: 'ratio',
  bound: 'at least',
} as const;

describe('figures of several rounds', () => {
  it('are shown by their median and range, whatever their order and number', () => {
    expect(spreadOf([3, 1, 2])).toEqual({ median: 2, least: 1, most: 3 });
    expect(spreadOf([4, 1, 2, 3]).median).toBe(2.5);
    expect(spreadOf([]).median).toBeNaN();
  });

  it('of two programs are compared by their medians, and side by side for the range', () => {
    const ratio = ratioOf(measured('node', [10, 20, 30]), measured('other', [10, 10, 10]), 'rate');
    expect(ratio).toEqual({ median: 2, least: 1, most: 3 });
  });
});

describe('a goal', () => {
  const both = [measured('node', [85]), measured('other', [100])];

  it('is met by what reaches it as it is shown, and missed by less', () => {
    const verdict = (value: number) => verdicts(scenario([{ ...goal, value }], both))[0]!;
    expect(verdict(0.85)).toMatchObject({ isMet: true, reached: 0.85 });
    expect(verdict(0.86)).toMatchObject({ isMet: false });
    // 0.8462 is shown as 0.85.
    const others = [measured('node', [11]), measured('other', [13])];
    expect(verdicts(scenario([{ ...goal, value: 0.85 }], others))[0]).toMatchObject({ isMet: true });
  });

  it('may bound a difference or a figure from above', () => {
    const bounded = { ...goal, bound: 'at most' } as const;
    const goals: Goal[] = [
      { ...bounded, compare: 'difference', value: -15 },
      { ...bounded, compare: 'value', against: null, value: 84 },
    ];
    expect(verdicts(scenario(goals, both)).map(({ reached, isMet }) => [reached, isMet])).toEqual([
      [-15, true],
      [85, false],
    ]);
  });

  it('may compare the node with itself in another case', () => {
    const measurements = [measured('node', [100]), measured('node', [70], 'many')];
    const own: Goal = { ...goal, case: 'many', against: { target: 'node', case: 'case' }, value: 0.7 };
    expect(verdicts(scenario([own], measurements))[0]).toMatchObject({ reached: 0.7, isMet: true });
  });

  it('that was not measured is neither met nor missed', () => {
    expect(verdicts(scenario([{ ...goal, value: 1 }], [measured('node', [1])]))).toEqual([]);
    expect(verdicts(scenario([{ ...goal, value: 1 }], []))).toEqual([]);
  });
});
