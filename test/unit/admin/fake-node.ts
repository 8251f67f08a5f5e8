/** A made-up node behind a real admin server, and calls to it over real sockets. */
import { EventEmitter } from 'node:events';
import http from 'node:http';
import { type Logger, pino } from 'pino';
import { openApiDocument } from '../../../src/main/admin/openapi/document.js';
import { AdminServer } from '../../../src/main/admin/server.js';
import type {
  AddressInfo,
  BanInfo,
  DoctorReport,
  DrainStatus,
  HistoryEntry,
  NodeStatus,
  NodeTimings,
  NodeView,
  PeerInfo,
  ReloadResult,
} from '../../../src/main/api.js';
import { optionKeys } from '../../../src/main/config/options.js';
import { BOUNDS_US } from '../../../src/shared/memory/histogram.js';
import { faultOfAnswer } from './description.js';

export const status: NodeStatus = {
  nodeId: 'node-a',
  chainId: 'paw-test',
  version: '0.1.0',
  uptimeSeconds: 12.5,
  listen: '127.0.0.1:26656',
  admin: '127.0.0.1:26660',
  peers: { total: 3, inbound: 2, outbound: 1 },
  messages: {
    received: 30,
    sent: 20,
    dropped: 4,
    unhandled: 5,
    receivedByType: { tx: 25, 'a"b\\': 5 },
    sentByType: { ping: 20 },
    droppedByCode: { InvalidMessageFormat: 4 },
    sendsSkipped: 6,
    shedByClass: { broadcast: 3, direct: 2, control: 1 },
    queueDropped: 7,
    handlerErrors: 8,
  },
  bytes: { received: 1000, sent: 2000 },
  connections: {
    total: 9,
    inbound: 6,
    outbound: 3,
    rejectedInbound: 1,
    refusedNoFiles: 3,
    handshaking: 2,
    handshakesFailedByCode: { HandshakeTimeout: 1 },
    disconnectsByCode: { IdlePeer: 2 },
  },
  dials: { succeeded: 3, failed: 2, queued: 1, dropped: 4 },
  discovery: {
    known: 101,
    tried: 102,
    pexReceived: 103,
    pexSent: 104,
    addressesLearned: 105,
    crawls: 106,
    crawlsFailed: 6,
    crawlsServed: 107,
    crawlsRefused: 108,
    feelers: 109,
    evictions: 110,
    bans: 111,
  },
  gossip: { relayed: 201, duplicates: 202, forgotten: 203 },
  lifetime: {
    firstStarted: '2026-01-01T00:00:00.000Z',
    starts: 3,
    uptimeSeconds: 3725,
    messages: { received: 300, sent: 200 },
    bytes: { received: 10_240, sent: 20_480 },
  },
  workers: [
    { messages: 10, lagMs: 1.5, restarts: 0, connections: 2, queuedMessages: 3 },
    { messages: 20, lagMs: 0, restarts: 1, connections: 1, queuedMessages: 0 },
  ],
  memory: {
    rss: 100,
    budget: 300,
    used: 200,
    by: { rings: 90, partialFrames: 20, sendQueues: 30, handlerQueues: 50, caches: 10 },
  },
  eventLoopLagMs: 2,
  lastHour: [{ kind: 'rejected', code: 0x06, name: 'PeerLimitReached', count: 301 }],
  draining: null,
};

/** `times` durations in one bucket, 0 for the shortest. */
export function durations(bucket: number, times: number, sumSeconds: number) {
  return { counts: [...BOUNDS_US, Infinity].map((_, i) => (i === bucket ? times : 0)), sumSeconds };
}

export const timings: NodeTimings = {
  workerLag: [durations(5, 2, 0.00002), durations(0, 0, 0)],
  ringResidence: [durations(6, 2, 0.00004), durations(0, 0, 0)],
  handlers: { tx: durations(0, 25, 0.000005), 'a"b\\': durations(BOUNDS_US.length, 1, 60) },
  eventLoopDelay: durations(12, 4, 0.008),
  roundTrip: durations(11, 1, 0.0007),
};

export const peer: PeerInfo = {
  id: 'peer-a',
  address: '10.0.0.1:26656',
  direction: 'outbound',
  state: 'Connected',
  persistent: true,
  connectedAt: '2026-01-01T00:00:00.000Z',
  lastActivity: '2026-01-01T00:59:55.000Z',
  rttMs: 12.34,
  bytesSent: 2048,
  bytesReceived: 1024,
  messagesSent: 20,
  messagesReceived: 10,
  reputation: 50,
  worker: 0,
};

export const ban: BanInfo = {
  target: '10.0.0.0/24',
  reason: 'spam',
  code: 0x45,
  name: 'RateLimited',
  since: '2026-01-01T00:00:00.000Z',
  until: '2026-01-02T00:00:00.000Z',
};

export const address: AddressInfo = {
  id: 'peer-b',
  address: '2001:db8::1',
  port: 26656,
  source: 'pex',
  bucket: 'new',
  firstSeen: '2026-01-01T00:00:00.000Z',
  lastSeen: '2026-01-01T00:00:01.000Z',
  attempts: 2,
};

export const entry: HistoryEntry = {
  time: '2026-01-01T00:00:00.000Z',
  kind: 'dial-failed',
  code: 0x08,
  name: 'NetworkError',
  peerId: null,
  address: '10.0.0.9:1',
  detail: 'ECONNREFUSED',
};

export const reloaded: ReloadResult = {
  applied: [{ key: 'maxPeers', from: 100, to: 50 }],
  needsRestart: [{ key: 'listen', from: '[::]:26656', to: '[::]:26666' }],
};

export const drain: DrainStatus = {
  since: '2026-01-01T00:00:00.000Z',
  until: '2026-01-01T00:01:00.000Z',
  connections: 3,
  queuedMessages: 401,
  queuedBytes: 402,
};

export const report: DoctorReport = {
  time: '2026-01-01T00:00:00.000Z',
  level: 'fail',
  findings: [
    {
      check: 'files',
      level: 'fail',
      summary: 'Too few.',
      evidence: ['open now: 90 of 100'],
      remedy: 'Raise the limit.',
    },
    {
      check: 'clock',
      level: 'unknown',
      summary: 'Nobody has reported a clock.',
      evidence: ['none known'],
      remedy: null,
    },
    { check: 'disk', level: 'ok', summary: 'The store is written.', evidence: ['1 GiB free'], remedy: null },
  ],
};

/** A node with one of everything, which takes whatever it is told. */
export function fakeNode(more: Partial<NodeView> = {}): NodeView {
  const events = new EventEmitter();
  return {
    status: () => status,
    timings: () => timings,
    health: () => ({ ok: true, reasons: [], degraded: ['no peers'] }),
    doctor: async () => report,
    peers: () => [peer],
    peer: (id) => (id === peer.id ? peer : null),
    eachAddress: () => [address],
    eachBan: () => [ban],
    eachHistory: () => [entry],
    dial: async () => peer,
    disconnect: (id) => id === peer.id,
    ban: () => ban,
    unban: (target) => target === ban.target,
    broadcastBytes: () => ({ sent: 2, skipped: 1 }),
    reload: () => reloaded,
    drain: () => drain,
    config: () => ({
      ...Object.fromEntries(optionKeys.map((key) => [key, null])),
      chainId: 'paw-test',
      adminToken: 'set, not shown',
    }),
    on: (event, listener) => events.on(event, listener as never),
    off: (event, listener) => events.off(event, listener as never),
    ...more,
  };
}

/** An admin server in front of {@link fakeNode}, on a free port of loopback. */
export function startAdmin(
  more: Partial<NodeView> = {},
  secret: string | null | (() => string | null) = null,
  logger: Logger = pino({ level: 'silent' }),
): Promise<AdminServer> {
  const token = typeof secret === 'function' ? secret : () => secret;
  return AdminServer.start({ node: fakeNode(more), host: '127.0.0.1', port: 0, token, logger });
}

export interface Call {
  readonly method?: string;
  readonly headers?: http.OutgoingHttpHeaders;
  /** Text or bytes as they are; anything else as JSON, declared so. */
  readonly body?: unknown;
}

export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
  /** Null if the text is no JSON. */
  readonly json: unknown;
}

/** The answer must be as it is described. Not `fetch`, which lets nobody choose the Host and changes paths. */
export function call(
  server: { readonly address: string },
  path: string,
  { method, headers, body }: Call = {},
): Promise<Answer> {
  const [host, port] = server.address.split(':');
  const isRaw = body === undefined || typeof body === 'string' || Buffer.isBuffer(body);
  const sent = isRaw ? body : JSON.stringify(body);
  const all = {
    ...(isRaw ? {} : { 'content-type': 'application/json' }),
    // Node's client would send the body of a DELETE without saying that there is one.
    ...(sent === undefined ? {} : { 'content-length': Buffer.byteLength(sent) }),
    ...headers,
  };
  return new Promise((resolve, reject) => {
    const outgoing = http.request({ host, port, path, method, headers: all, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => {
        const answer = { status: response.statusCode!, headers: response.headers, text, json: parsed(text) };
        const fault = faultOfAnswer(openApiDocument, method ?? 'GET', path, answer);
        if (fault === null) resolve(answer);
        else reject(new Error(fault));
      });
    });
    outgoing.on('error', reject).end(sent);
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
