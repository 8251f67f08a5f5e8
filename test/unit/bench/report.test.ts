import { describe, expect, it } from 'vitest';
import { figure, range } from '../../../bench/report/figures.js';
import { numbersText, withNumbers } from '../../../bench/report/numbers.js';
import { pageOf } from '../../../bench/report/page.js';
import { scenarioText } from '../../../bench/report/terminal.js';
import type { BenchResult, ScenarioResult } from '../../../bench/result.js';

const run = (rate: number) => ({
  values: { rate },
  cores: 0.5,
  loadCores: 1,
  latencyUs: { p50: 10, p90: 20, p99: 30, p999: 40, max: 50 },
});

const scenario: ScenarioResult = {
  name: 'ingest',
  title: 'frames <that> arrive',
  metrics: [{ key: 'rate', title: 'messages', unit: 'messages/s', better: 'more' }],
  measurements: [
    { case: '128 B', parameters: {}, target: 'node', runs: [run(9e6), run(11e6), run(10e6)] },
    { case: '128 B', parameters: {}, target: 'naive', runs: [run(2e6), run(2e6), run(2e6)] },
  ],
  goals: [
    { case: '128 B', metric: 'rate', against: { target: 'naive' }, compare: 'ratio', bound: 'at least', value: 6 },
  ],
  notes: ['`naive` is what most people write.'],
};

const result: BenchResult = {
  machine: { processor: 'A <fine> one', cores: 2, memoryGiB: 4, system: 'Linux 6', node: 'v20.1.0', commit: 'abc' },
  settings: { rounds: 3 },
  startedAt: '2026-11-23T10:00:00.000Z',
  scenarios: [scenario],
};

describe('a figure', () => {
  it.each([
    [9_612_345, 'messages/s', '9.61 M'],
    [425_000, 'messages/s', '425 k'],
    [12, 'connections/s', '12.0'],
    [8192, 'bytes', '8.00 KiB'],
    [-100, 'bytes', '-100 B'],
    [1500, 'µs', '1.50 ms'],
    [67.2, 'ms', '67.2 ms'],
    [30_474, 'ms', '30.5 s'],
    [0, 'messages', '0'],
    [Number.NaN, 'ms', '-'],
  ] as const)('%d %s reads %s', (value, unit, text) => {
    expect(figure(value, unit)).toBe(text);
  });

  it('of several rounds has its range beside it', () => {
    expect(range({ median: 2, least: 1e6, most: 3e6 }, 'messages/s')).toBe('1.00 M – 3.00 M');
  });
});

describe('a run on a terminal', () => {
  it('shows each program with its ratio, and says what was missed', () => {
    const text = scenarioText(scenario, 200);
    expect(text).toMatch(/128 B\s+node\s+10\.0 M\s+9\.00 M – 11\.0 M\s+-\s+0\.50\s+1\.00/);
    expect(text).toMatch(/128 B\s+naive\s+2\.00 M\s+2\.00 M – 2\.00 M\s+5\.00 ×/);
    expect(text).toContain('✗ 128 B: messages at least 6 × naive: 5.00 ×');
  });
});

describe('a run as a page', () => {
  const page = pageOf(result);

  it('needs nothing from anywhere else', () => {
    expect(page).not.toMatch(/<(script|img|link)[^>]+(src|href)=/);
    expect(page).toContain('new Chart(');
  });

  it('has a place for each chart that its script draws', () => {
    const charts = JSON.parse(/const charts=(\[.*?\]);\n/s.exec(page)![1]!) as { id: string }[];
    expect(charts.map(({ id }) => id)).toEqual(['ingest-rate', 'ingest-rate-ratio', 'ingest-latency']);
    for (const { id } of charts) expect(page).toContain(`<canvas id="${id}">`);
  });

  it('shows how figures went where a run tells that', () => {
    const course = { title: 'threads', unit: 'threads', minutes: [0, 0.5], values: [12, 13] };
    const { measurements } = scenario;
    const soaked = { ...measurements[0]!, runs: [{ ...run(1), courses: [course] }] };
    const charts = JSON.parse(
      /const charts=(\[.*?\]);\n/s.exec(
        pageOf({ ...result, scenarios: [{ ...scenario, measurements: [soaked] }] }),
      )![1]!,
    );
    expect(charts.at(-1)).toMatchObject({
      id: 'ingest-course-0',
      kind: 'line',
      labels: ['0 min', '0.50 min'],
      series: [{ name: 'node', values: [12, 13] }],
    });
  });

  it('shows text as text', () => {
    expect(page).toContain('A &lt;fine&gt; one');
    expect(page).toContain('frames &lt;that&gt; arrive');
    expect(page).not.toContain('<fine>');
  });
});

describe('the numbers of the README', () => {
  it('say what they were measured on, and what was missed', () => {
    const text = numbersText(result, 'bench/results/a.json');
    expect(text).toContain('2026-11-23');
    expect(text).toContain(
      '| ingest | 128 B | messages/s | 10.0 M (9.00 M – 11.0 M) | 2.00 M | 5.00 × (4.50 – 5.50) | at least 6 × naive **(missed)** |',
    );
  });

  it('take the place of those before, and need one', () => {
    const text = withNumbers('a <!-- numbers -->old<!-- /numbers --> b', '<!-- numbers -->new<!-- /numbers -->');
    expect(text).toBe('a <!-- numbers -->new<!-- /numbers --> b');
    expect(() => withNumbers('nothing', 'new')).toThrow('numbers');
  });
});
