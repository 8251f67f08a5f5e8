/** How figures are written. Pure. */
import type { Goal, Metric, Spread } from '../result.js';

const units: Readonly<Record<string, readonly (readonly [least: number, name: string])[]>> = {
  bytes: [
    [1024 * 1024, 'MiB'],
    [1024, 'KiB'],
    [0, 'B'],
  ],
  ms: [
    [1000, 's'],
    [0, 'ms'],
  ],
  µs: [
    [1e6, 's'],
    [1000, 'ms'],
    [0, 'µs'],
  ],
};
const counts = [
  [1e6, 'M'],
  [1e3, 'k'],
  [0, ''],
] as const;

/** A figure with three digits and its unit. */
export function figure(value: number, unit: Metric['unit']): string {
  if (Number.isNaN(value)) return '-';
  const scale = units[unit] ?? counts;
  const [least, name] = scale.find(([from]) => Math.abs(value) >= from)!;
  const scaled = least === 0 ? value : value / least;
  return `${digits(scaled)} ${name}`.trimEnd();
}

export function digits(value: number): string {
  if (value === 0) return '0';
  const size = Math.abs(value);
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2);
}

/** The range of figures, in the unit of the larger. */
export function range({ least, most }: Spread, unit: Metric['unit']): string {
  return `${figure(least, unit)} – ${figure(most, unit)}`;
}

/** What a goal asks for, in words. */
export function goalText(goal: Goal, metric: Metric): string {
  const { against, compare, bound, value } = goal;
  const whom = against === null ? '' : ` ${against.target}${against.case === undefined ? '' : ` (${against.case})`}`;
  if (compare === 'ratio') return `${bound} ${value} ×${whom}`;
  if (compare === 'difference') return `${bound} ${figure(value, metric.unit)} more than${whom}`;
  return `${bound} ${figure(value, metric.unit)}`;
}
