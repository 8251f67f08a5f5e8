import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { root } from '../architecture/source-files.js';
import { handlerModule, portOf, startNode, until } from '../integration/support/nodes.js';
import { frame, handshakeBytes, RawPeer } from '../integration/support/raw-peer.js';
import { type Family, parseExposition } from '../unit/admin/exposition.js';
import { parseAlertRules } from './alert-rules.js';
import { asSent, type Dashboard, labelValues, legendLabels } from './dashboard.js';
import { judgeQuery, knownSeries } from './promql.js';

const read = (name: string) => readFileSync(join(root, 'ops', name), 'utf8');
const dashboard = JSON.parse(read('grafana-dashboard.json')) as Dashboard;
/** As Grafana writes a reference to the variable. */
const dataSource = '$' + '{datasource}';
const rules = parseAlertRules(read('prometheus-alerts.yml'));

let families: Map<string, Family> | null = null;
let known: ReturnType<typeof knownSeries>;

/** What a node exposes after messages, pings, a rejection, a failed dial, a frame that is none, and an end. */
async function busyNode(): Promise<Map<string, Family>> {
  const closed = await closedPort();
  const handlers = [handlerModule('kinds.mjs')];
  const node = await startNode({ admin: '127.0.0.1:0', pingInterval: 100, seeds: [`127.0.0.1:${closed}`], handlers });
  const other = await startNode({ nodeId: 'other' });
  await node.dial(other.listen);
  await expect(node.dial(`127.0.0.1:${closed}`)).rejects.toThrow();
  const peer = await RawPeer.join(portOf(node), 'peer');
  const malformed = frame('bad');
  malformed[6] = 0x0a;
  peer.socket.write(Buffer.concat([frame('inline'), frame('later'), frame('nobody'), frame('fails'), malformed]));
  const stranger = await RawPeer.dial(portOf(node));
  stranger.socket.write(handshakeBytes('another-chain', 'stranger'));
  await until(() => node.stats().messages.dropped === 1 && peer.of('echo').length === 2, 'the messages');
  await until(() => node.peers().some(({ rttMs }) => rttMs !== null), 'a round trip');
  await until(() => node.stats().connections.rejectedInbound === 1, 'the rejection');
  await until(() => node.stats().discovery.crawlsFailed > 0, 'the seed to fail');
  other.disconnect(node.nodeId);
  await until(() => Object.keys(node.stats().connections.disconnectsByCode).length > 0, 'the end');
  const answer = await fetch(`http://${node.admin}/metrics`);
  return parseExposition(await answer.text());
}

/** A port that nobody listens on any more. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

beforeEach(async () => {
  families ??= await busyNode();
  known = knownSeries(families.values());
});

describe('what a busy node exposes', () => {
  it('has a value for every metric, so that the queries are judged against all of them', () => {
    const empty = [...families!.values()].filter(({ series }) => series.length === 0);
    expect(empty.map(({ name }) => name)).toEqual([]);
  });

  it('tells how long handlers took, waits, residence, delays and round trips', () => {
    const countOf = (name: string, labels: object = {}) =>
      families!
        .get(`paw_p2p_${name}`)!
        .series.filter((series) => series.name.endsWith('_count'))
        .filter((series) => Object.entries(labels).every(([label, value]) => series.labels[label] === value))
        .reduce((sum, { value }) => sum + value, 0);
    expect(countOf('handler_seconds', { type: 'inline' })).toBe(1);
    expect(countOf('handler_seconds', { type: 'later' })).toBe(1);
    expect(countOf('handler_seconds', { type: 'nobody' })).toBe(0);
    for (const name of ['worker_wait_seconds', 'ring_residence_seconds', 'event_loop_delay_seconds', 'rtt_seconds']) {
      expect([name, countOf(name) > 0]).toEqual([name, true]);
    }
  });
});

describe('the judge of queries', () => {
  it.each([
    ['sum(rate(paw_p2p_bytes_sent_total[5m])', /syntax/],
    ['paw_p2p_nothing', /no such metric/],
    ['paw_p2p_peers{colour="red"}', /no label colour/],
    ['paw_p2p_peers{direction="sideways"}', /never has direction="sideways"/],
    ['sum by (type) (paw_p2p_peers)', /no label type to sum by/],
    ['paw_p2p_bytes_sent_total', /counter without/],
    ['paw_p2p_bytes_sent_total > 1', /counter without/],
    ['rate(paw_p2p_peers[5m])', /rate or increase of a gauge/],
    ['paw_p2p_peers / paw_p2p_bans', /never meet/],
    ['paw_p2p_peers unless on (direction) paw_p2p_bans', /no label direction on both sides/],
    ['paw_p2p_peers / on (instance) paw_p2p_bans', /does not know on \(instance\) with Div/],
    ['paw_p2p_peers unless ignoring (direction) paw_p2p_bans', /does not know ignoring/],
    ['rate(paw_p2p_rtt_seconds_bucket[5m])', /histogram_quantile/],
    ['histogram_quantile(0.5, rate(paw_p2p_rtt_seconds_sum[5m]))', /histogram_quantile/],
    ['histogram_quantile(0.5, sum by (instance) (rate(paw_p2p_rtt_seconds_bucket[5m])))', /needs le/],
    ['histogram_quantile(0.5, paw_p2p_rtt_seconds_bucket)', /counter without/],
    ['deriv(paw_p2p_bans[5m])', /does not know deriv/],
  ])('finds fault with %s', (expression, fault) => {
    expect(judgeQuery(expression, known).problems.join('\n')).toMatch(fault);
  });

  it('has nothing against a good one, and knows its labels', () => {
    const quantile = 'histogram_quantile(0.9, sum by (worker, le) (rate(paw_p2p_worker_wait_seconds_bucket[5m]))) > 1';
    expect(judgeQuery(quantile, known)).toEqual({ problems: [], labels: new Set(['worker']) });
    const unless = 'sum by (instance) (paw_p2p_peers) unless on (instance) paw_p2p_draining == 1';
    expect(judgeQuery(unless, known)).toEqual({ problems: [], labels: new Set(['instance']) });
  });
});

describe('the dashboard', () => {
  const panels = dashboard.panels.filter(({ type }) => type !== 'row');

  it('asks only for what there is, and names series by labels that they have', () => {
    for (const { title, targets = [] } of panels) {
      expect([title, targets.length > 0]).toEqual([title, true]);
      for (const { expr, legendFormat } of targets) {
        const { problems, labels } = judgeQuery(asSent(expr), known);
        const strange = legendLabels(legendFormat).filter((label) => !labels.has(label));
        expect({ title, expr, problems, strange }).toEqual({ title, expr, problems: [], strange: [] });
      }
    }
  });

  it('uses the variables that it declares, whose values come from the nodes', () => {
    const { list } = dashboard.templating;
    expect(list.map(({ name }) => name)).toEqual(['datasource', 'node', 'instance']);
    for (const { type, definition } of list) {
      if (type === 'datasource') continue;
      const { series, label } = labelValues(definition!);
      const { problems, labels } = judgeQuery(series, known);
      expect({ definition, problems, hasLabel: labels.has(label) }).toEqual({
        definition,
        problems: [],
        hasLabel: true,
      });
    }
    for (const { title, datasource, targets = [] } of panels) {
      expect([title, datasource?.uid]).toEqual([title, dataSource]);
      for (const { expr } of targets) {
        const used = new Set(
          [...expr.matchAll(/\$(\w+)/g)].map(([, name]) => name).filter((name) => name !== '__rate_interval'),
        );
        expect([title, [...used]]).toEqual([title, ['instance']]);
      }
    }
  });

  it('has its panels side by side, each with an ID of its own', () => {
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
    const taken = new Set<string>();
    for (const { title, gridPos } of dashboard.panels) {
      expect([title, gridPos.x + gridPos.w <= 24]).toEqual([title, true]);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect([title, taken.has(`${x} ${y}`)]).toEqual([title, false]);
          taken.add(`${x} ${y}`);
        }
      }
    }
  });
});

describe('the alert rules', () => {
  it('ask only for what there is, and tell of labels that the alert has', () => {
    expect(rules.length).toBeGreaterThan(10);
    for (const { alert, expr, summary, description } of rules) {
      const { problems, labels } = judgeQuery(expr, known);
      const told = [...`${summary} ${description}`.matchAll(/\$labels\.(\w+)/g)].map(([, label]) => label);
      const strange = told.filter((label) => !labels.has(label));
      expect({ alert, problems, strange }).toEqual({ alert, problems: [], strange: [] });
    }
  });

  it('say how bad it is, after how long, and what to do', () => {
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
    for (const rule of rules) {
      expect(rule.alert).toMatch(/^Paw[A-Za-z]+$/);
      expect(rule.for).toMatch(/^\d+[mh]$/);
      expect(['critical', 'warning', 'info']).toContain(rule.severity);
      expect(rule.summary).toContain('{{ $labels.instance }}');
      expect(rule.description.length).toBeGreaterThan(60);
    }
    expect(rules.filter(({ description }) => description.includes('paw-p2p doctor')).length).toBeGreaterThan(4);
  });

  it('do not wake anybody for a node that is drained on purpose', () => {
    // Of what wakes people, a drain makes these true.
    const drained = rules.filter(({ expr, severity }) => severity === 'critical' && /_(healthy|peers)\b/.test(expr));
    expect(drained.map(({ expr }) => expr)).toEqual([
      'paw_p2p_healthy == 0 unless paw_p2p_draining == 1',
      'sum by (instance) (paw_p2p_peers) == 0 unless on (instance) paw_p2p_draining == 1',
    ]);
  });

  it('speak of metrics in their texts that there are', () => {
    for (const { alert, description } of rules) {
      const named = [...description.matchAll(/paw_p2p_\w+/g)].map(([name]) => name);
      expect([alert, named.filter((name) => !families!.has(name))]).toEqual([alert, []]);
    }
  });

  it('are refused by the reader where they are written in any other way', () => {
    const text = read('prometheus-alerts.yml');
    for (const [from, to] of [
      ['expr: "paw_p2p_degraded > 0"', 'expr: paw_p2p_degraded > 0'],
      ['expr: "paw_p2p_degraded > 0"', 'expr: "paw_p2p_degraded > 0" # now'],
      ['        for: 1m\n', ''],
      ['        for: 1m\n', '        for: 1m\n        keep_firing_for: 1m\n'],
      ['groups:', 'groups: []\nothers:'],
    ]) {
      expect(text).toContain(from);
      expect(() => parseAlertRules(text.replace(from, to))).toThrow();
    }
  });
});
