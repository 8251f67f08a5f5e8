/** Owns the description of the event stream. Main thread. */
import type { PeerEnd, WorkerRestart } from '../../api.js';
import { WATCHERS_MAX } from '../event-stream.js';
import { banInfo } from './bans.js';
import { errorCode, errorCodeName } from './error-body.js';
import { nodeStatus } from './node-status.js';
import { peerInfo } from './peers.js';
import type { RouteDescriptions } from './route-description.js';
import { choice, count, integer, named, nullable, objectOf, text } from './schema.js';

const peerEnd = named<PeerEnd>(
  'PeerEnd',
  objectOf('Why a connection ended or was refused', {
    id: nullable(text('ID of the peer'), 'when it did not give one'),
    address: text('Address of the peer, as HOST:PORT'),
    direction: choice(['inbound', 'outbound'], 'Who dialled: inbound when the peer did'),
    code: errorCode,
    name: errorCodeName,
    reason: text('Why, in a few words'),
  }),
);

const workerRestart = named<WorkerRestart>(
  'WorkerRestart',
  objectOf('A worker thread that died and is replaced', {
    worker: integer(0, null, 'Index of the worker thread'),
    restarts: count('times that it has been replaced so far'),
    reason: text('Why it died'),
  }),
);

const missed = named<{ readonly events: number }>(
  'MissedEvents',
  objectOf('Events that were left out for this reader', { events: count('events') }),
);

export const eventSchemas = [peerEnd, workerRestart, missed];

export const eventRoutes: RouteDescriptions = {
  'GET /events': {
    id: 'watch',
    tag: 'Node',
    summary: 'What happens, as it happens: server-sent events',
    description:
      'Each event has a name and `data`: a JSON object with `time` (when it was told, as ISO 8601) and the fields of ' +
      'the schema that `x-events` gives for the name. `stats` comes at once and then every second. In a storm, or when ' +
      'the reader does not read, events are left out and `missed` says how many.',
    answers: {
      200: {
        description: 'Events without end',
        type: 'text/event-stream',
        schema: text('Events'),
        events: {
          stats: nodeStatus,
          'peer:connected': peerInfo,
          'peer:disconnected': peerEnd,
          'peer:rejected': peerEnd,
          'peer:banned': banInfo,
          'worker:restarted': workerRestart,
          missed,
        },
      },
    },
    errors: { 400: 'There are no query parameters', 503: `${WATCHERS_MAX} others watch already` },
  },
};
