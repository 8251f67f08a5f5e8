/**
 * Owns the Prometheus metrics (rulings 9; specification 7.1). Nothing is counted here: each scrape reads the node's
 * status, so metrics and `GET /status` can't differ. Main thread.
 */
import { Counter, Gauge, Registry } from 'prom-client';
import type { NodeStatus, NodeView } from '../api.js';

/** A sample: the value of one combination of labels. */
type Sample = readonly [labels: Readonly<Record<string, string>>, value: number];

interface MetricSpec {
  readonly kind: 'counter' | 'gauge';
  readonly help: string;
  readonly labels?: readonly string[];
  readonly read: (status: NodeStatus) => number | readonly Sample[];
}

function byLabel(label: string, values: Readonly<Record<string, number>>): Sample[] {
  return Object.entries(values).map(([name, value]) => [{ [label]: name }, value]);
}

function byWorker(status: NodeStatus, read: (worker: NodeStatus['workers'][number]) => number): Sample[] {
  return status.workers.map((worker, index) => [{ worker: String(index) }, read(worker)]);
}

function byDirection({ inbound, outbound }: { readonly inbound: number; readonly outbound: number }): Sample[] {
  return byLabel('direction', { inbound, outbound });
}

const traffic: Record<string, MetricSpec> = {
  messages_received_total: {
    kind: 'counter',
    help: 'Messages received, by type; types beyond the first 64 count as other',
    labels: ['type'],
    read: (status) => byLabel('type', status.messages.receivedByType),
  },
  messages_sent_total: {
    kind: 'counter',
    help: 'Messages sent, by type; types beyond the first 64 count as other',
    labels: ['type'],
    read: (status) => byLabel('type', status.messages.sentByType),
  },
  messages_unhandled_total: {
    kind: 'counter',
    help: 'Messages received that no handler and no subscriber wanted',
    read: (status) => status.messages.unhandled,
  },
  bytes_received_total: { kind: 'counter', help: 'Bytes received from peers', read: (status) => status.bytes.received },
  bytes_sent_total: { kind: 'counter', help: 'Bytes sent to peers', read: (status) => status.bytes.sent },
  frames_dropped_total: {
    kind: 'counter',
    help: 'Frames dropped, by error code',
    labels: ['code'],
    read: (status) => byLabel('code', status.messages.droppedByCode),
  },
  sends_skipped_total: {
    kind: 'counter',
    help: 'Messages that did not go to a peer because its send queue was full',
    read: (status) => status.messages.sendsSkipped,
  },
  queue_dropped_total: {
    kind: 'counter',
    help: 'Queued messages that the overflow policy of their type dropped',
    read: (status) => status.messages.queueDropped,
  },
  handler_errors_total: {
    kind: 'counter',
    help: 'Message handlers that threw or rejected',
    read: (status) => status.messages.handlerErrors,
  },
};

const connections: Record<string, MetricSpec> = {
  peers: {
    kind: 'gauge',
    help: 'Connected peers, by direction',
    labels: ['direction'],
    read: (status) => byDirection(status.peers),
  },
  connections_total: {
    kind: 'counter',
    help: 'Connections accepted or made, by direction',
    labels: ['direction'],
    read: (status) => byDirection(status.connections),
  },
  connections_rejected_total: {
    kind: 'counter',
    help: 'Inbound connections refused',
    read: (status) => status.connections.rejectedInbound,
  },
  connections_handshaking: {
    kind: 'gauge',
    help: 'Connections whose handshake is under way',
    read: (status) => status.connections.handshaking,
  },
  handshakes_failed_total: {
    kind: 'counter',
    help: 'Handshakes that failed, by error code',
    labels: ['code'],
    read: (status) => byLabel('code', status.connections.handshakesFailedByCode),
  },
  disconnects_total: {
    kind: 'counter',
    help: 'Connections that ended, by error code',
    labels: ['code'],
    read: (status) => byLabel('code', status.connections.disconnectsByCode),
  },
  dials_total: {
    kind: 'counter',
    help: 'Dials, by result; dropped are those that a full queue refused',
    labels: ['result'],
    read: ({ dials: { succeeded, failed, dropped } }) => byLabel('result', { succeeded, failed, dropped }),
  },
  dials_queued: { kind: 'gauge', help: 'Dials that wait', read: (status) => status.dials.queued },
};

const discovery: Record<string, MetricSpec> = {
  addresses_known: { kind: 'gauge', help: 'Addresses in the book', read: (status) => status.discovery.known },
  addresses_tried: {
    kind: 'gauge',
    help: 'Addresses in the book that we have reached ourselves',
    read: (status) => status.discovery.tried,
  },
  addresses_learned_total: {
    kind: 'counter',
    help: 'Addresses that peers and seeds told us and that were new',
    read: (status) => status.discovery.addressesLearned,
  },
  pex_received_total: {
    kind: 'counter',
    help: 'Messages of peer exchange received',
    read: (status) => status.discovery.pexReceived,
  },
  pex_sent_total: {
    kind: 'counter',
    help: 'Messages of peer exchange sent',
    read: (status) => status.discovery.pexSent,
  },
  crawls_total: {
    kind: 'counter',
    help: 'Seeds that were asked for peers, by result',
    labels: ['result'],
    read: ({ discovery: { crawls, crawlsFailed } }) =>
      byLabel('result', { succeeded: crawls - crawlsFailed, failed: crawlsFailed }),
  },
  crawls_answered_total: {
    kind: 'counter',
    help: 'Crawls of us, by result; refused are those that came too often',
    labels: ['result'],
    read: ({ discovery: { crawlsServed, crawlsRefused } }) =>
      byLabel('result', { served: crawlsServed, refused: crawlsRefused }),
  },
  feelers_total: {
    kind: 'counter',
    help: 'Dials that only looked whether an address is alive',
    read: (status) => status.discovery.feelers,
  },
  evictions_total: {
    kind: 'counter',
    help: 'Inbound peers that gave way to newcomers',
    read: (status) => status.discovery.evictions,
  },
  bans: { kind: 'gauge', help: 'Bans in force', read: (status) => status.discovery.bans },
};

const gossip: Record<string, MetricSpec> = {
  gossip_relayed_total: {
    kind: 'counter',
    help: 'Messages passed on to other peers, once each however many got it',
    read: (status) => status.gossip.relayed,
  },
  gossip_duplicates_total: {
    kind: 'counter',
    help: 'Messages to pass on that had been seen before and were dropped',
    read: (status) => status.gossip.duplicates,
  },
  gossip_forgotten_total: {
    kind: 'counter',
    help: 'Messages seen that had to be forgotten before their time, because the cache was full',
    read: (status) => status.gossip.forgotten,
  },
};

const machine: Record<string, MetricSpec> = {
  info: {
    kind: 'gauge',
    help: 'Always 1; the labels tell which node this is',
    labels: ['node_id', 'chain_id', 'version'],
    read: ({ nodeId, chainId, version }) => [[{ node_id: nodeId, chain_id: chainId, version }, 1]],
  },
  uptime_seconds: { kind: 'gauge', help: 'Time since the node started', read: (status) => status.uptimeSeconds },
  worker_lag_seconds: {
    kind: 'gauge',
    help: 'How long the oldest unread byte of the last turn had waited, by worker',
    labels: ['worker'],
    read: (status) => byWorker(status, (worker) => worker.lagMs / 1000),
  },
  worker_messages_total: {
    kind: 'counter',
    help: 'Messages that workers took up, by worker',
    labels: ['worker'],
    read: (status) => byWorker(status, (worker) => worker.messages),
  },
  worker_restarts_total: {
    kind: 'counter',
    help: 'Workers replaced after they exited, by worker',
    labels: ['worker'],
    read: (status) => byWorker(status, (worker) => worker.restarts),
  },
  event_loop_lag_seconds: {
    kind: 'gauge',
    help: 'Lag of the event loop of the main thread',
    read: (status) => status.eventLoopLagMs / 1000,
  },
  memory_budget_bytes: {
    kind: 'gauge',
    help: 'Most bytes of rings, partial frames and send queues together',
    read: (status) => status.memory.budget,
  },
  memory_used_bytes: { kind: 'gauge', help: 'Bytes of the budget in use', read: (status) => status.memory.used },
  process_resident_memory_bytes: {
    kind: 'gauge',
    help: 'Resident memory of the process',
    read: (status) => status.memory.rss,
  },
  process_cpu_seconds_total: {
    kind: 'counter',
    help: 'User and system time of the process, all threads',
    read: () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    },
  },
};

function createMetric(registry: Registry, name: string, spec: MetricSpec): (status: NodeStatus) => void {
  const configuration = {
    name: `paw_p2p_${name}`,
    help: spec.help,
    labelNames: spec.labels ?? [],
    registers: [registry],
  };
  const metric = spec.kind === 'counter' ? new Counter(configuration) : new Gauge(configuration);
  return (status) => {
    const read = spec.read(status);
    metric.reset();
    // A counter can't be set, but from 0 it can be raised to any value that is not negative.
    for (const [labels, value] of typeof read === 'number' ? [[{}, read] as const] : read) metric.inc(labels, value);
  };
}

/** What `GET /metrics` answers. */
export interface Metrics {
  readonly contentType: string;
  scrape(): Promise<string>;
}

/** Metrics of one node, in a registry of their own: a process may have several nodes. */
export function createMetrics(view: NodeView): Metrics {
  const registry = new Registry();
  const specs = Object.entries({ ...connections, ...traffic, ...discovery, ...gossip, ...machine });
  const updates = specs.map(([name, spec]) => createMetric(registry, name, spec));
  return {
    contentType: registry.contentType,
    scrape() {
      const status = view.status();
      for (const update of updates) update(status);
      return registry.metrics();
    },
  };
}
