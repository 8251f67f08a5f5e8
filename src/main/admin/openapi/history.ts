/** Owns the description of history's route. Main thread. */
import type { HistoryEntry } from '../../api.js';
import { HISTORY_LIMIT_DEFAULT } from '../../peers/history.js';
import { HISTORY_LIMIT_MAX } from '../history-query.js';
import { errorCode, errorCodeName } from './error-body.js';
import type { RouteDescriptions } from './route-description.js';
import { choice, integer, listOf, moment, named, nullable, objectOf, text } from './schema.js';

export const historyKind = choice(
  ['rejected', 'disconnected', 'dial-failed', 'banned', 'unbanned', 'dropped', 'crawl-failed', 'penalised'],
  'What happened',
);

const entry = named<HistoryEntry>(
  'HistoryEntry',
  objectOf('Something that was refused, dropped, banned or failed, and why', {
    time: moment('When'),
    kind: historyKind,
    code: errorCode,
    name: errorCodeName,
    peerId: nullable(text('ID of the peer'), 'when it is not known'),
    address: nullable(text('Address of the peer, mostly as HOST:PORT'), 'when it is not known'),
    detail: text('Why, in a few words'),
  }),
);

export const historySchemas = [entry];

export const historyRoutes: RouteDescriptions = {
  'GET /history': {
    id: 'getHistory',
    tag: 'History',
    summary: 'What was refused, dropped, banned or failed, and why',
    description: 'The newest first. The node keeps the last 10,000 in memory.',
    parameters: {
      limit: {
        in: 'query',
        schema: integer(1, HISTORY_LIMIT_MAX, `Most entries wanted; ${HISTORY_LIMIT_DEFAULT} unless given`),
        example: 20,
      },
      code: {
        in: 'query',
        schema: text('Only this error code: its number, in decimal or as 0x.., or its name'),
        example: 'HandshakeTimeout',
      },
    },
    answers: {
      200: {
        description: 'The entries',
        schema: objectOf<{ entries: readonly HistoryEntry[] }>('A list', {
          entries: listOf(entry, 'The newest first'),
        }),
        example: {
          entries: [
            {
              time: '2026-01-01T12:00:00.000Z',
              kind: 'dial-failed',
              code: 8,
              name: 'NetworkError',
              peerId: null,
              address: '203.0.113.9:26656',
              detail: 'ECONNREFUSED',
            },
          ],
        },
      },
    },
    errors: { 400: 'A parameter is wrong or unknown' },
  },
};
