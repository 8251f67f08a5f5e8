import { describe, expect, it } from 'vitest';
import { boundsUs, createMetrics, METRIC_PREFIX, metricSpecs, notMetrics } from '../../../src/main/admin/metrics.js';
import type { NodeStatus } from '../../../src/main/api.js';
import { parseExposition } from './exposition.js';
import { fakeNode, status, timings } from './fake-node.js';

const scrape = (of: NodeStatus = status) => createMetrics(fakeNode({ status: () => of }), () => 0).scrape();

/** Without what is never the same twice. */
const still = (text: string) => text.replace(/^paw_p2p_process_cpu_seconds_total .*$/m, '');

type Path = readonly (string | number)[];

/** Where numbers and texts stand in the status, the first of each list for all. */
function leaves(value: unknown, path: Path = []): Path[] {
  if (Array.isArray(value)) return leaves(value[0], [...path, 0]);
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([key, inner]) => leaves(inner, [...path, key]));
}

/** The status with another value at one place. */
function changed(value: unknown, path: Path): unknown {
  if (path.length === 0) return typeof value === 'number' ? value + 1_000_003 : `${value} changed`;
  const [key, ...rest] = path;
  const copy = Array.isArray(value) ? [...value] : { ...(value as object) };
  Reflect.set(copy, key, changed((value as Record<string | number, unknown>)[key], rest));
  return copy;
}

const fieldName = (path: Path) => path.filter((key) => typeof key === 'string').join('.');

describe('the metrics', () => {
  it('tell every field of the status but those that are excused, and excuse none that they tell', async () => {
    const before = still(await scrape());
    const untold: string[] = [];
    for (const path of leaves(status)) {
      const after = still(await scrape(changed(status, path) as NodeStatus));
      if (after === before) untold.push(fieldName(path));
    }
    expect(untold.sort()).toEqual(Object.keys(notMetrics).sort());
  });

  it('are well-formed: histograms cumulative, no series twice, labels as declared and escaped', async () => {
    const families = parseExposition(await scrape());
    expect([...families.keys()]).toEqual(metricSpecs.map(({ name }) => METRIC_PREFIX + name));
    for (const spec of metricSpecs) {
      const { type, help, series } = families.get(METRIC_PREFIX + spec.name)!;
      expect([spec.name, type, help]).toEqual([spec.name, spec.kind, spec.help]);
      for (const { name, labels } of series) {
        const declared = [...(spec.labels ?? []), ...(name.endsWith('_bucket') ? ['le'] : [])];
        expect([name, Object.keys(labels)]).toEqual([name, declared]);
      }
    }
  });

  it('have names by the rules of Prometheus: units are base units and stand last, counters end in _total', () => {
    for (const { name, kind, unit } of metricSpecs) {
      expect([name, /^[a-z]+(_[a-z]+)*$/.test(name)]).toEqual([name, true]);
      expect([name, name.endsWith('_total')]).toEqual([name, kind === 'counter']);
      const stem = name.replace(/_total$/, '');
      const isSuffixed = /(^|_)(seconds|bytes)$/.test(stem) || /^bytes_/.test(stem);
      expect([name, isSuffixed]).toEqual([name, unit === 'seconds' || unit === 'bytes']);
    }
  });

  it('show each duration once, under the bounds that are worth a series', async () => {
    const families = parseExposition(await scrape());
    const of = (name: string, suffix: string) =>
      families
        .get(METRIC_PREFIX + name)!
        .series.filter((series) => series.name.endsWith(suffix))
        .map(({ labels, value }): Record<string, unknown> => ({ ...labels, value }));
    expect(of('handler_seconds', '_count')).toEqual([
      { type: 'tx', value: 25 },
      { type: 'a"b\\', value: 1 },
    ]);
    expect(of('handler_seconds', '_sum')).toContainEqual({ type: 'a"b\\', value: 60 });
    expect(
      of('event_loop_delay_seconds', '_bucket')
        .filter(({ value }) => value === 0)
        .map(({ le }) => le),
    ).toEqual(['0.0005', '0.001']);
    expect(of('rtt_seconds', '_bucket')[0]).toEqual({ le: '0.0001', value: 0 });
    expect(of('worker_wait_seconds', '_count').map(({ worker }) => worker)).toEqual(['0', '1']);
    for (const spec of metricSpecs) {
      if (spec.kind === 'histogram') expect(boundsUs(spec).at(0)).toBe(spec.leastUs);
      if (spec.kind === 'histogram') expect(boundsUs(spec).at(-1)).toBe(spec.mostUs);
    }
  });

  it('add up codes that have no name, of which peers may send any', async () => {
    const unknown = { kind: 'disconnected', name: 'Unknown' } as const;
    const lastHour = [
      { ...unknown, code: 0x90, count: 2 },
      { ...unknown, code: 0x91, count: 3 },
    ];
    expect(await scrape({ ...status, lastHour })).toContain('events_last_hour{kind="disconnected",code="Unknown"} 5');
  });

  it('say whether the node is healthy, and how many things it lacks', async () => {
    const health = () => ({ ok: false, reasons: ['a worker is down'], degraded: ['no peers', 'seeds unreachable'] });
    const text = await createMetrics(fakeNode({ health }), () => 0).scrape();
    expect(text).toContain('\npaw_p2p_healthy 0\n');
    expect(text).toContain('\npaw_p2p_degraded 2\n');
  });

  it('of two scrapes at once are each of one moment', async () => {
    let count = 0;
    const node = fakeNode({
      status: () => {
        count++;
        return { ...status, uptimeSeconds: count, dials: { ...status.dials, queued: count } };
      },
      timings: () => timings,
    });
    const metrics = createMetrics(node, () => 0);
    const texts = await Promise.all([metrics.scrape(), metrics.scrape()]);
    for (const [i, text] of texts.entries()) {
      expect(text).toContain(`\npaw_p2p_uptime_seconds ${i + 1}\n`);
      expect(text).toContain(`\npaw_p2p_dials_queued ${i + 1}\n`);
    }
  });
});
