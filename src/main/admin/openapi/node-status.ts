/** Owns the description of what a node counts. Main thread. */
import type { DiscoveryStatus, DrainStatus, HourCount, LifetimeStatus, NodeStatus, WorkerStatus } from '../../api.js';
import { errorCode, errorCodeName } from './error-body.js';
import { historyKind } from './history.js';
import { count, listOf, mapOf, moment, named, nullable, objectOf, quantity, text } from './schema.js';

export const drainStatus = named<DrainStatus>(
  'DrainStatus',
  objectOf('How far a drain has come', {
    since: moment('When it began'),
    until: moment('When what is left is cut off'),
    connections: count('connections that have not closed yet'),
    queuedMessages: count('messages that wait or run in handler queues'),
    queuedBytes: quantity('bytes', 'What waits to be sent'),
  }),
);

const receivedAndSent = (description: string) =>
  objectOf<NodeStatus['bytes']>(description, {
    received: quantity('bytes', 'Received from peers'),
    sent: quantity('bytes', 'Sent to peers'),
  });

const messages = objectOf<NodeStatus['messages']>('Messages since start', {
  received: count('messages received'),
  sent: count('messages sent, once for each peer'),
  dropped: count('frames dropped as invalid'),
  unhandled: count('messages received that no handler and no subscriber wanted'),
  receivedByType: mapOf(
    count('messages received of the type'),
    'Messages received, by type; types beyond the first 64 count as `other`',
  ),
  sentByType: mapOf(
    count('messages sent of the type'),
    'Messages sent, by type; types beyond the first 64 count as `other`',
  ),
  droppedByCode: mapOf(
    count('frames dropped with the code'),
    'Frames dropped, by name of the error code; what a closed connection leaves for want of memory or slots counts once, under ResourceExhausted',
  ),
  sendsSkipped: count(
    'messages broadcast, relayed or sent by handlers that did not go to a peer: its send queue was full, the memory budget had no room, or it was gone',
  ),
  shedByClass: objectOf<NodeStatus['messages']['shedByClass']>(
    'Messages that were not sent because the memory budget had no room for their class; the first go first',
    {
      broadcast: count('messages broadcast or passed on, once for each peer where that is known'),
      direct: count('messages to one peer'),
      control: count('pings, pongs, farewells and peer exchange'),
    },
  ),
  queueDropped: count('queued messages that the overflow policy of their type dropped'),
  handlerErrors: count('message handlers that threw or rejected'),
});

const connections = objectOf<NodeStatus['connections']>('Connections since start, and those at work', {
  total: count('connections accepted or made'),
  inbound: count('connections accepted'),
  outbound: count('connections made'),
  rejectedInbound: count('inbound connections refused'),
  refusedNoFiles: count('connections closed before their handshake, because file descriptors were short'),
  handshaking: count('connections whose handshake is under way now'),
  handshakesFailedByCode: mapOf(count('handshakes'), 'Handshakes that failed, by name of the error code'),
  disconnectsByCode: mapOf(count('connections'), 'Connections that ended, by name of the error code'),
});

const discovery = objectOf<DiscoveryStatus>('What the node knows of the network, and does to know more', {
  known: count('addresses in the book'),
  tried: count('addresses in the book that we have reached ourselves'),
  pexReceived: count('messages of peer exchange received'),
  pexSent: count('messages of peer exchange sent'),
  addressesLearned: count('new addresses that peers and seeds sent us'),
  crawls: count('seeds that were asked for peers'),
  crawlsFailed: count('seeds that were asked for peers and did not answer'),
  crawlsServed: count('crawls of us that were answered'),
  crawlsRefused: count('crawls of us that came too often, or from an address that is banned or of low reputation'),
  feelers: count('dials that only checked whether an address is alive'),
  evictions: count('inbound peers that gave way to newcomers'),
  bans: count('bans in force'),
});

const lifetime = objectOf<LifetimeStatus>('Sums over all runs of the data directory', {
  firstStarted: moment('When it was first used'),
  starts: count('starts'),
  uptimeSeconds: quantity('seconds', 'Time that nodes ran with it'),
  messages: objectOf('Messages of all runs', {
    received: count('messages received'),
    sent: count('messages sent, once for each peer'),
  }),
  bytes: receivedAndSent('Traffic of all runs'),
});

const worker = named<WorkerStatus>(
  'WorkerStatus',
  objectOf('A worker thread', {
    messages: count('messages that it took up'),
    lagMs: quantity(
      'milliseconds',
      'The longest that a ring with something to read waited for it in its last full second',
    ),
    restarts: count('times that it was replaced after it exited'),
    connections: count('connections that are pinned to it'),
    queuedMessages: count('messages that wait or run in its handler queues'),
  }),
);

const hourCount = named<HourCount>(
  'HourCount',
  objectOf('How often something happened', {
    kind: historyKind,
    code: errorCode,
    name: errorCodeName,
    count: count('times'),
  }),
);

export const nodeStatus = named<NodeStatus>(
  'NodeStatus',
  objectOf('One reading of everything that the node counts, since its start unless said otherwise', {
    nodeId: text('ID of the node'),
    chainId: text('Chain of the node; peers of another are refused', 'paw-mainnet'),
    version: text('Version of the program'),
    uptimeSeconds: quantity('seconds', 'Time since the node started'),
    listen: text('Where peers reach it, as HOST:PORT with the real port', '[::]:26656'),
    admin: nullable(text('Where this HTTP is, as HOST:PORT with the real port', '127.0.0.1:26660'), 'when it is off'),
    peers: objectOf('Peers that are connected now', {
      total: count('connected peers'),
      inbound: count('connected peers that dialled us'),
      outbound: count('connected peers that we dialled'),
    }),
    messages,
    bytes: receivedAndSent('Traffic with peers'),
    connections,
    dials: objectOf('Connections that we tried to make', {
      succeeded: count('dials that came to a connected peer'),
      failed: count('dials that failed'),
      queued: count('dials that wait now'),
      dropped: count('dials that a full queue refused'),
    }),
    discovery,
    gossip: objectOf('Messages passed on', {
      relayed: count('messages passed on to other peers, once each however many got it'),
      duplicates: count('messages to pass on that had been seen before and were dropped'),
      forgotten: count('messages seen that had to be forgotten before their time, because the cache was full'),
    }),
    lifetime,
    workers: listOf(worker, 'The worker threads, in the order of their index'),
    memory: objectOf('Memory', {
      rss: quantity('bytes', 'Resident memory of the process'),
      budget: quantity('bytes', 'Most that rings, partial frames, queues and caches may take together'),
      used: quantity('bytes', 'What of the budget is in use: the sum of its parts'),
      by: objectOf('What it is in use for', {
        rings: quantity('bytes', 'Receive and outbound rings and what lies beside them, laid out at the start'),
        partialFrames: quantity('bytes', 'Frames too large for a ring'),
        sendQueues: quantity('bytes', 'What waits to be sent'),
        handlerQueues: quantity('bytes', 'Messages that wait or run in queued handlers'),
        caches: quantity('bytes', 'Hashes of messages seen, laid out at the start'),
      }),
    }),
    eventLoopLagMs: quantity('milliseconds', 'Lag of the event loop of the main thread'),
    lastHour: listOf(
      hourCount,
      'What was refused, dropped, banned or failed within the last hour, the most frequent first',
    ),
    draining: nullable(drainStatus, 'unless the node is being stopped'),
  }),
);

export const countSchemas = [nodeStatus, worker, hourCount];
