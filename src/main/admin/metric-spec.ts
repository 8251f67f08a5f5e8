/**
 * What a metric is: what Prometheus is told of it, what docs/metrics.md says about it, and where its values are read.
 * Types, and how samples are made of what the node tells. Main thread.
 */
import type { Durations } from '../../shared/memory/histogram.js';
import type { NodeHealth, NodeStatus, NodeTimings } from '../api.js';

/** What one scrape reads the values from. */
export interface Reading {
  readonly status: NodeStatus;
  readonly health: NodeHealth;
  readonly timings: NodeTimings;
  /** Calls of the admin HTTP that were refused since they did not bear the token. */
  readonly unauthorizedCalls: number;
}

/** The value of one combination of labels. */
export type Sample<T = number> = readonly [labels: Readonly<Record<string, string>>, value: T];

interface Description {
  /** Without the prefix `paw_p2p_`. */
  readonly name: string;
  /** What a value counts or measures: base units for times and sizes. */
  readonly unit: string;
  readonly help: string;
  /** For what to look at it, for docs/metrics.md. */
  readonly look: string;
  readonly labels?: readonly string[];
}

/** A metric of one value for each combination of labels. */
export interface ValueSpec extends Description {
  readonly kind: 'counter' | 'gauge';
  readonly read: (reading: Reading) => number | readonly Sample[];
}

/** A metric of durations. Of the bounds that are counted, those from `leastUs` to `mostUs` are shown. */
export interface HistogramSpec extends Description {
  readonly kind: 'histogram';
  readonly unit: 'seconds';
  readonly leastUs: number;
  readonly mostUs: number;
  readonly read: (reading: Reading) => readonly Sample<Durations>[];
}

export type MetricSpec = ValueSpec | HistogramSpec;

export function byLabel<T>(label: string, values: Readonly<Record<string, T>>): Sample<T>[] {
  return Object.entries(values).map(([name, value]) => [{ [label]: name }, value]);
}

/** One sample for each worker. */
export function byWorker<S, T>(workers: readonly S[], read: (worker: S) => T): Sample<T>[] {
  return workers.map((worker, index) => [{ worker: String(index) }, read(worker)]);
}

export function byDirection({ inbound, outbound }: { readonly inbound: number; readonly outbound: number }): Sample[] {
  return byLabel('direction', { inbound, outbound });
}
