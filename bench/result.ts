/**
 * What a bench run has found, as it stands in `--json`, and the sums over it: medians, spread, ratios, goals. Pure.
 */

/** Something that is measured. */
export interface Metric {
  readonly key: string;
  readonly title: string;
  readonly unit:
    | 'messages/s'
    | 'connections/s'
    | 'requests/s'
    | 'µs'
    | 'ms'
    | 'bytes'
    | 'messages'
    | 'MiB/h'
    | 'descriptors'
    | 'threads'
    | 'peers';
  readonly better: 'more' | 'less';
}

/** A figure as it went during a run. */
export interface Course {
  readonly title: string;
  /** Of the values: shown, not converted. */
  readonly unit: string;
  /** Since the run began. */
  readonly minutes: readonly number[];
  readonly values: readonly number[];
}

/** What one run of one program gave. */
export interface Run {
  /** By the key of the metric. */
  readonly values: Readonly<Record<string, number>>;
  /** Cores that the program under test kept busy, and those that the load did. */
  readonly cores: number | null;
  readonly loadCores: number | null;
  /** Latencies in microseconds by percentile, measured from when a message should have been sent. */
  readonly latencyUs?: Readonly<Record<string, number>>;
  /** How figures went, where a run is long enough to have a course. */
  readonly courses?: readonly Course[];
}

export interface Measurement {
  readonly case: string;
  /** What distinguishes the case, for axes of charts. */
  readonly parameters: Readonly<Record<string, number>>;
  readonly target: string;
  readonly runs: readonly Run[];
}

/** What a figure of the node must reach. */
export interface Goal {
  readonly case: string;
  readonly metric: string;
  /** What it is compared with; null for an absolute bound. Another case of the node itself may be named. */
  readonly against: { readonly target: string; readonly case?: string } | null;
  readonly compare: 'ratio' | 'difference' | 'value';
  readonly bound: 'at least' | 'at most';
  readonly value: number;
}

export interface ScenarioResult {
  readonly name: string;
  readonly title: string;
  readonly metrics: readonly Metric[];
  readonly measurements: readonly Measurement[];
  readonly goals: readonly Goal[];
  readonly notes: readonly string[];
}

export interface BenchResult {
  readonly machine: Readonly<Record<string, string | number>>;
  readonly settings: Readonly<Record<string, string | number | boolean>>;
  readonly startedAt: string;
  readonly scenarios: readonly ScenarioResult[];
}

export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** Median and range of figures; NaN of none. */
export function spreadOf(figures: readonly number[]): Spread {
  const sorted = figures.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const median =
    sorted.length % 2 === 1 ? sorted[Math.floor(middle)]! : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2;
  return { median, least: sorted[0] ?? NaN, most: sorted.at(-1) ?? NaN };
}

/** The figures of one metric over the runs of a measurement. */
export function figuresOf({ runs }: Measurement, metric: string): number[] {
  return runs.flatMap(({ values }) => (values[metric] === undefined ? [] : [values[metric]]));
}

export function find(result: ScenarioResult, caseName: string, target: string): Measurement | undefined {
  return result.measurements.find((one) => one.case === caseName && one.target === target);
}

/** The ratio of medians, and the range of the ratios of runs that were made side by side. */
export function ratioOf(of: Measurement, to: Measurement, metric: string): Spread {
  const [ours, theirs] = [figuresOf(of, metric), figuresOf(to, metric)];
  const pairs = ours.slice(0, theirs.length).map((figure, i) => figure / theirs[i]!);
  const { least, most } = spreadOf(pairs);
  return { median: spreadOf(ours).median / spreadOf(theirs).median, least, most };
}

export interface Verdict {
  readonly goal: Goal;
  /** What the goal is about: a ratio, a difference or a figure; NaN if it was not measured. */
  readonly reached: number;
  /** A ratio's range over runs that were made side by side; null for what is no ratio. */
  readonly range: Spread | null;
  readonly isMet: boolean;
}

export function verdicts(result: ScenarioResult): Verdict[] {
  return result.goals.flatMap((goal) => {
    const ours = find(result, goal.case, 'node');
    if (ours === undefined) return [];
    const other = goal.against === null ? ours : find(result, goal.against.case ?? goal.case, goal.against.target);
    if (other === undefined) return [];
    const median = (one: Measurement) => spreadOf(figuresOf(one, goal.metric)).median;
    const ratio = goal.compare === 'ratio' ? ratioOf(ours, other, goal.metric) : null;
    const reached = ratio?.median ?? median(ours) - (goal.compare === 'difference' ? median(other) : 0);
    if (Number.isNaN(reached)) return [];
    // Compared as it is shown: a ratio with two digits behind the point.
    const shown = Number(ratio === null ? reached.toPrecision(3) : reached.toFixed(2));
    return [
      { goal, reached, range: ratio, isMet: goal.bound === 'at least' ? shown >= goal.value : shown <= goal.value },
    ];
  });
}
