/** Metrics of peers: connections, refusals, dials, and what the node knows of the network. Main thread. */
import type { HourCount } from '../api.js';
import { byDirection, byLabel, type MetricSpec, type Sample } from './metric-spec.js';

/** Codes that have no name share one, and a series must not come twice. */
function byKindAndCode(counts: readonly HourCount[]): Sample[] {
  const sums = new Map<string, Sample>();
  for (const { kind, name, count } of counts) {
    const key = `${kind} ${name}`;
    sums.set(key, [{ kind, code: name }, (sums.get(key)?.[1] ?? 0) + count]);
  }
  return [...sums.values()];
}

export const peerMetrics: readonly MetricSpec[] = [
  {
    name: 'peers',
    kind: 'gauge',
    unit: 'peers',
    help: 'Connected peers, by direction',
    look: 'whether the node is part of the network; no inbound peers for long: others cannot reach it',
    labels: ['direction'],
    read: ({ status }) => byDirection(status.peers),
  },
  {
    name: 'connections_total',
    kind: 'counter',
    unit: 'connections',
    help: 'Connections accepted or made, by direction',
    look: 'churn: how often peers come and go',
    labels: ['direction'],
    read: ({ status }) => byDirection(status.connections),
  },
  {
    name: 'connections_rejected_total',
    kind: 'counter',
    unit: 'connections',
    help: 'Inbound connections refused',
    look: 'floods from strangers; the codes are in handshakes_failed_total',
    read: ({ status }) => status.connections.rejectedInbound,
  },
  {
    name: 'connections_refused_no_files_total',
    kind: 'counter',
    unit: 'connections',
    help: 'Inbound connections closed before their handshake, because file descriptors were short',
    look: 'LimitNOFILE is too low, or someone floods the node',
    read: ({ status }) => status.connections.refusedNoFiles,
  },
  {
    name: 'connections_handshaking',
    kind: 'gauge',
    unit: 'connections',
    help: 'Connections whose handshake is in progress',
    look: 'hundreds: someone opens connections and says nothing',
    read: ({ status }) => status.connections.handshaking,
  },
  {
    name: 'handshakes_failed_total',
    kind: 'counter',
    unit: 'handshakes',
    help: 'Handshakes that failed, by error code',
    look: 'ChainIDMismatch, ProtocolVersionMismatch: a wrong network or version; PeerLimitReached: full',
    labels: ['code'],
    read: ({ status }) => byLabel('code', status.connections.handshakesFailedByCode),
  },
  {
    name: 'disconnects_total',
    kind: 'counter',
    unit: 'connections',
    help: 'Connections that ended, by error code',
    look: 'why peers leave: timeouts point at the network, GoingAway is normal',
    labels: ['code'],
    read: ({ status }) => byLabel('code', status.connections.disconnectsByCode),
  },
  {
    name: 'dials_total',
    kind: 'counter',
    unit: 'dials',
    help: 'Dials, by result; dropped: refused by a full queue',
    look: 'mostly failed: a stale address book, or no way out of this machine',
    labels: ['result'],
    read: ({ status: { dials } }) =>
      byLabel('result', { succeeded: dials.succeeded, failed: dials.failed, dropped: dials.dropped }),
  },
  {
    name: 'dials_queued',
    kind: 'gauge',
    unit: 'dials',
    help: 'Dials that are waiting',
    look: 'dials that hang until their timeout keep others waiting',
    read: ({ status }) => status.dials.queued,
  },
  {
    name: 'events_last_hour',
    kind: 'gauge',
    unit: 'events',
    help: 'What was refused, dropped, banned or failed in the last hour, by kind and error code',
    look: 'what goes wrong most; the same as in the history',
    labels: ['kind', 'code'],
    read: ({ status }) => byKindAndCode(status.lastHour),
  },
  {
    name: 'addresses_known',
    kind: 'gauge',
    unit: 'addresses',
    help: 'Addresses in the book',
    look: 'few: the node has hardly anybody to dial',
    read: ({ status }) => status.discovery.known,
  },
  {
    name: 'addresses_tried',
    kind: 'gauge',
    unit: 'addresses',
    help: 'Addresses in the book that this node has reached',
    look: 'a book full of addresses, none of them reached, may be an attack',
    read: ({ status }) => status.discovery.tried,
  },
  {
    name: 'addresses_learned_total',
    kind: 'counter',
    unit: 'addresses',
    help: 'New addresses learned from peers and seeds',
    look: 'whether discovery goes on',
    read: ({ status }) => status.discovery.addressesLearned,
  },
  {
    name: 'pex_received_total',
    kind: 'counter',
    unit: 'messages',
    help: 'Peer exchange messages received',
    look: 'whether peers pass addresses on',
    read: ({ status }) => status.discovery.pexReceived,
  },
  {
    name: 'pex_sent_total',
    kind: 'counter',
    unit: 'messages',
    help: 'Peer exchange messages sent',
    look: 'whether this node passes addresses on',
    read: ({ status }) => status.discovery.pexSent,
  },
  {
    name: 'crawls_total',
    kind: 'counter',
    unit: 'crawls',
    help: 'Seeds that were asked for peers, by result',
    look: 'seeds that are down or know nobody',
    labels: ['result'],
    read: ({ status: { discovery } }) =>
      byLabel('result', { succeeded: discovery.crawls - discovery.crawlsFailed, failed: discovery.crawlsFailed }),
  },
  {
    name: 'crawls_answered_total',
    kind: 'counter',
    unit: 'crawls',
    help: 'Crawls of this node, by result; refused: too frequent, or for a ban or low reputation',
    look: 'how often this node is asked for peers',
    labels: ['result'],
    read: ({ status: { discovery } }) =>
      byLabel('result', { served: discovery.crawlsServed, refused: discovery.crawlsRefused }),
  },
  {
    name: 'feelers_total',
    kind: 'counter',
    unit: 'dials',
    help: 'Dials that only checked whether an address is alive',
    look: 'whether the book is kept fresh',
    read: ({ status }) => status.discovery.feelers,
  },
  {
    name: 'evictions_total',
    kind: 'counter',
    unit: 'peers',
    help: 'Inbound peers that made way for newcomers',
    look: 'a full node; very many: someone may be trying to push others out',
    read: ({ status }) => status.discovery.evictions,
  },
  {
    name: 'bans',
    kind: 'gauge',
    unit: 'bans',
    help: 'Bans in force',
    look: 'a sudden rise: an attack, or a rule that is too strict',
    read: ({ status }) => status.discovery.bans,
  },
];
