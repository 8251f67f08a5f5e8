/**
 * Owns what `GET /metrics` answers (rulings 9; specification 7.1). Nothing is counted here: each scrape reads the node's
 * status, health and timings, so metrics and `GET /status` can't differ. Only refused calls of the admin HTTP are its own to
 * count. Main thread.
 */
import { type Gauge, Registry } from 'prom-client';
import { BOUNDS_US, type Durations } from '../../shared/memory/histogram.js';
import type { NodeView } from '../api.js';
import { machineMetrics } from './machine-metrics.js';
import type { HistogramSpec, MetricSpec, Reading, Sample } from './metric-spec.js';
import { peerMetrics } from './peer-metrics.js';
import { trafficMetrics } from './traffic-metrics.js';

export const METRIC_PREFIX = 'paw_p2p_';

/** All metrics, as docs/metrics.md lists them. */
export const metricSections: readonly (readonly [title: string, specs: readonly MetricSpec[]])[] = [
  ['Peers and discovery', peerMetrics],
  ['Traffic and gossip', trafficMetrics],
  ['Workers, handlers, event loop and memory', machineMetrics],
];
export const metricSpecs: readonly MetricSpec[] = metricSections.flatMap(([, specs]) => specs);

const sumOf = (name: string) => `the sum of ${METRIC_PREFIX}${name}`;
const LIFETIME = 'includes earlier runs; increase() over the retention time of Prometheus shows as much';

/** Fields of the status that are no metric, and why. */
export const notMetrics: Readonly<Record<string, string>> = {
  listen: 'an address is no number; the label instance names the target',
  admin: 'an address is no number; the label instance names the target',
  'peers.total': sumOf('peers'),
  'messages.received': sumOf('messages_received_total'),
  'messages.sent': sumOf('messages_sent_total'),
  'messages.dropped': sumOf('frames_dropped_total'),
  'connections.total': sumOf('connections_total'),
  'lifetime.firstStarted': LIFETIME,
  'lifetime.starts': 'restarts show as resets() of any counter',
  'lifetime.uptimeSeconds': LIFETIME,
  'lifetime.messages.received': LIFETIME,
  'lifetime.messages.sent': LIFETIME,
  'lifetime.bytes.received': LIFETIME,
  'lifetime.bytes.sent': LIFETIME,
  'lastHour.code': 'its name is the label code',
};

/** A line of the answer. */
interface Value {
  /** That of the metric if left out. */
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Upper bounds that a histogram shows, in microseconds. */
export function boundsUs({ leastUs, mostUs }: HistogramSpec): number[] {
  return BOUNDS_US.filter((bound) => bound >= leastUs && bound <= mostUs);
}

/** Lines of one histogram: how many durations were up to each bound, all of them, their sum. */
function histogramValues(spec: HistogramSpec, [labels, { counts, sumSeconds }]: Sample<Durations>): Value[] {
  const name = METRIC_PREFIX + spec.name;
  const shown = boundsUs(spec);
  const buckets: Value[] = [];
  let upTo = 0;
  for (const [bucket, count] of counts.entries()) {
    upTo += count;
    const bound = BOUNDS_US[bucket];
    if (bound !== undefined && !shown.includes(bound)) continue;
    const le = bound === undefined ? '+Inf' : String(bound / 1e6);
    buckets.push({ metricName: `${name}_bucket`, labels: { ...labels, le }, value: upTo });
  }
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels, value: sumSeconds },
    { metricName: `${name}_count`, labels, value: upTo },
  ];
}

function valuesOf(spec: MetricSpec, reading: Reading): Value[] {
  if (spec.kind === 'histogram') return spec.read(reading).flatMap((sample) => histogramValues(spec, sample));
  const read = spec.read(reading);
  const samples: readonly Sample[] = typeof read === 'number' ? [[{}, read]] : read;
  return samples.map(([labels, value]) => ({ labels, value }));
}

/** What `GET /metrics` answers. */
export interface Metrics {
  readonly contentType: string;
  scrape(): Promise<string>;
}

/**
 * Metrics of one node, in a registry of their own: a process may have several nodes.
 * @param unauthorizedCalls of its admin HTTP so far: nothing that the node itself counts
 */
export function createMetrics(view: NodeView, unauthorizedCalls: () => number): Metrics {
  const registry = new Registry();
  let reading: Reading;
  for (const spec of metricSpecs) {
    const { kind: type, help } = spec;
    const name = METRIC_PREFIX + spec.name;
    const get = () => ({ name, help, type, values: valuesOf(spec, reading) });
    // The library's own classes count by themselves and can't be set; its registry asks no more of a metric than this.
    registry.registerMetric({ name, get } as unknown as Gauge);
  }
  return {
    contentType: registry.contentType,
    scrape() {
      // All metrics are read before `metrics` returns, so that one scrape never sees the reading of the next.
      reading = {
        status: view.status(),
        health: view.health(),
        timings: view.timings(),
        unauthorizedCalls: unauthorizedCalls(),
      };
      return registry.metrics();
    },
  };
}
