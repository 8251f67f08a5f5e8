/**
 * Whether something grows: the slope of a noisy series by Theil and Sen, the median of the slopes of all pairs of points,
 * which a few wild points do not move, and its interval by Kendall's statistic. Pure.
 *
 * What a process holds now depends on what it held a moment ago, so that fewer points than there are speak for
 * themselves: the interval is widened by the first autocorrelation of what the line leaves (Yue and Wang 2004).
 */
import { spreadOf } from '../result.js';

export type Point = readonly [x: number, y: number];

/** Change of y for one x, and what it lies within with a confidence of 95 %. */
export interface Trend {
  readonly slope: number;
  readonly least: number;
  readonly most: number;
}

/** Standard deviations from the mean within which 95 % of a normal distribution lie. */
const WITHIN_95 = 1.96;
/** What repeats itself more than this says nothing more by it, and would widen the interval without end. */
const AUTOCORRELATION_MAX = 0.9;

function median(values: readonly number[]): number {
  return spreadOf(values).median;
}

/** How much each value resembles the one before, from 0 to {@link AUTOCORRELATION_MAX}. */
function autocorrelation(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const from = values.map((value) => value - mean);
  const variance = from.reduce((sum, value) => sum + value * value, 0);
  if (variance === 0) return 0;
  const together = from.slice(1).reduce((sum, value, i) => sum + value * from[i]!, 0);
  return Math.min(AUTOCORRELATION_MAX, Math.max(0, together / variance));
}

/** The trend of points whose x differ; NaN of fewer than three, since two are always a line. */
export function trendOf(points: readonly Point[]): Trend {
  const count = points.length;
  if (count < 3) return { slope: Number.NaN, least: Number.NaN, most: Number.NaN };
  const slopes = points
    .flatMap(([x, y], i) => points.slice(i + 1).map(([nextX, nextY]) => (nextY - y) / (nextX - x)))
    .sort((a, b) => a - b);
  const slope = median(slopes);
  const repeated = autocorrelation(points.map(([x, y]) => y - slope * x));
  const kendallVariance = (count * (count - 1) * (2 * count + 5)) / 18;
  const within = WITHIN_95 * Math.sqrt((kendallVariance * (1 + repeated)) / (1 - repeated));
  const at = (rank: number) => slopes[Math.min(slopes.length - 1, Math.max(0, Math.round(rank)))]!;
  return {
    slope,
    least: at((slopes.length - within) / 2 - 1),
    most: at((slopes.length + within) / 2),
  };
}

/** Points as the medians of so many at a time, in order; a rest that is no whole window is left out. */
export function windowsOf(points: readonly Point[], size: number): Point[] {
  return Array.from({ length: Math.floor(points.length / size) }, (_, i) => {
    const window = points.slice(i * size, (i + 1) * size);
    return [median(window.map(([x]) => x)), median(window.map(([, y]) => y))] as const;
  });
}
