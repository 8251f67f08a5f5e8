/** A scenario's figures as tables for a terminal. Pure. */
import { type Column, tableText } from '../../src/main/cli/table.js';
import {
  figuresOf,
  find,
  type Measurement,
  type Metric,
  ratioOf,
  type ScenarioResult,
  spreadOf,
  type Verdict,
  verdicts,
} from '../result.js';
import { digits, figure, goalText, range } from './figures.js';

interface Row {
  readonly measurement: Measurement;
  readonly metric: Metric;
  readonly ratio: string;
}

function cores(measurement: Measurement, key: 'cores' | 'loadCores'): string {
  const figures = measurement.runs.flatMap((run) => run[key] ?? []);
  return figures.length === 0 ? '-' : digits(spreadOf(figures).median);
}

function columnsOf(metric: Metric): Column<Row>[] {
  const spread = ({ measurement }: Row) => spreadOf(figuresOf(measurement, metric.key));
  return [
    { head: 'case', cell: ({ measurement }) => measurement.case },
    { head: 'program', cell: ({ measurement }) => measurement.target },
    {
      head: `${metric.title}${metric.unit.endsWith('/s') ? '/s' : ''}`,
      cell: (row) => figure(spread(row).median, metric.unit),
      right: true,
    },
    { head: 'spread', cell: (row) => range(spread(row), metric.unit), right: true, goes: 2 },
    { head: 'node is', cell: ({ ratio }) => ratio, right: true },
    { head: 'cores', cell: ({ measurement }) => cores(measurement, 'cores'), right: true, goes: 3 },
    { head: 'load cores', cell: ({ measurement }) => cores(measurement, 'loadCores'), right: true, goes: 1 },
  ];
}

function ratioText(result: ScenarioResult, measurement: Measurement, metric: Metric): string {
  const node = find(result, measurement.case, 'node');
  if (node === undefined || node === measurement) return '';
  const { median } = ratioOf(node, measurement, metric.key);
  return Number.isFinite(median) ? `${digits(median)} ×` : '';
}

function verdictLine({ goal, reached, isMet }: Verdict, metric: Metric): string {
  const what = goal.compare === 'ratio' ? `${digits(reached)} ×` : figure(reached, metric.unit);
  return `  ${isMet ? '✓' : '✗'} ${goal.case}: ${metric.title} ${goalText(goal, metric)}: ${what}\n`;
}

/** One scenario: a table for each metric, then what had to be reached. */
export function scenarioText(result: ScenarioResult, columnsMax: number): string {
  let text = `\n${result.name}: ${result.title}\n`;
  for (const metric of result.metrics) {
    const rows = result.measurements
      .filter((measurement) => figuresOf(measurement, metric.key).length > 0)
      .map((measurement) => ({ measurement, metric, ratio: ratioText(result, measurement, metric) }));
    if (rows.length > 0) text += `\n${tableText(columnsOf(metric), rows, columnsMax)}`;
  }
  const goals = verdicts(result);
  if (goals.length > 0) text += '\nto be reached:\n';
  for (const verdict of goals) {
    text += verdictLine(verdict, result.metrics.find(({ key }) => key === verdict.goal.metric)!);
  }
  for (const note of result.notes) text += `\n${note}`;
  return `${text}\n`;
}
