/** The text of docs/metrics.md, from the metrics that the program has. */

import type { MetricSpec } from '../../src/main/admin/metric-spec.js';
import { boundsUs, METRIC_PREFIX, metricSections, metricSpecs, notMetrics } from '../../src/main/admin/metrics.js';
import { BOUNDS_US } from '../../src/shared/memory/histogram.js';

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [head, head.map(() => '---'), ...rows].map(line).join('\n');
}

function row({ name, kind, labels, unit, help, look }: MetricSpec): string[] {
  const labelled = (labels ?? []).map((label) => `\`${label}\``).join(', ');
  return [`\`${METRIC_PREFIX}${name}\``, kind, labelled, unit, help, look];
}

function boundsText(us: number): string {
  if (us < 1000) return `${us} µs`;
  return us < 1e6 ? `${us / 1000} ms` : `${us / 1e6} s`;
}

const histograms = metricSpecs.flatMap((spec) => {
  if (spec.kind !== 'histogram') return [];
  const bounds = boundsUs(spec);
  return [[`\`${METRIC_PREFIX}${spec.name}\``, boundsText(bounds[0]), boundsText(bounds.at(-1)!), `${bounds.length}`]];
});

export function metricsPage(): string {
  const parts = [
    `# Metrics

<!-- Written by npm run docs:update from src/main/admin; what is changed here is lost. -->

\`GET /metrics\` of the admin address answers in Prometheus' text format. Each scrape reads what \`GET /status\` and
\`GET /health\` would answer in the same moment. With \`--admin-token\` Prometheus needs it as \`authorization.credentials\`.
[ops/](../ops/README.md) has a Grafana dashboard and alert rules for these metrics.

Counters count since the node started. No label grows without bound: \`type\` has at most 64 values (further types count
as \`other\`), \`code\` is a name from the table of error codes, \`worker\` an index.`,
    ...metricSections.map(
      ([title, specs]) =>
        `## ${title}\n\n${table(['name', 'type', 'labels', 'unit', 'meaning', 'what to look for'], specs.map(row))}`,
    ),
    `## Histograms

All histograms count under the same bounds: 1, 2.5, 5 and ten times that, from ${boundsText(BOUNDS_US[0])} to
${boundsText(BOUNDS_US.at(-1)!)}, below 1 µs 0.25 and 0.5. A quantile is wrong by a factor of 2.5 at most. Each shows those that its
durations may fall under:

${table(['name', 'from', 'to', 'bounds'], histograms)}

- **\`${METRIC_PREFIX}worker_wait_seconds\`**: once for each time that a connection's ring came out of its worker's ready queue: from when
  the main thread put it there, which is when bytes arrived and it was not in there, until then.
- **\`${METRIC_PREFIX}ring_residence_seconds\`**: from the same start until the end of the visit in which the last whole frame was done
  that stood in the ring when the worker took it up: inline handlers are through, messages for queued ones are in their
  queues. A ring that turns ready again before that counts once; what arrives meanwhile does not prolong it. Time in which
  the connection waits for room in a queue counts, and the rest of a frame that has not arrived does not.
- **\`${METRIC_PREFIX}handler_seconds\`**: an inline handler from its call to its return, with the decoding of its frame (some 20 ns); a
  promise that it returns is not waited for. Up to 32 messages in a row of types that are known to be quick (16 looks in a row
  under 2 ms) are measured together, whatever their types, and count the mean of that time each: a
  single slow one among them shows only as a slower mean. A queued handler is measured on its own, from its start until its
  promise settles, without its time in the queue. Subscribers on the main thread are not measured.
- **\`${METRIC_PREFIX}event_loop_delay_seconds\`**: the difference between when the sweep's timer was due and when it fired, at each
  sweep: every 250 ms, or more often if a timeout is set under 2.5 s.
- **\`${METRIC_PREFIX}rtt_seconds\`**: each pong that answers our last ping. A peer that something else was sent to within half of
  \`pingInterval\` gets no ping.

A worker that dies takes along what it had not counted yet, which is the time of at most 32 messages; what is counted stays.`,
    `## Fields of the status that are no metrics

${table(
  ['field', 'why'],
  Object.entries(notMetrics).map(([field, why]) => [`\`${field}\``, why]),
)}`,
  ];
  return `${parts.join('\n\n')}\n`;
}
