/** Owns the description of the routes about bans. Main thread. */
import type { BanInfo } from '../../api.js';
import { BAN_MAX_MS } from '../../peers/ban-request.js';
import { BAN_REASON_CHARS_MAX } from '../ban-routes.js';
import { errorCode, errorCodeName } from './error-body.js';
import type { RouteDescriptions } from './route-description.js';
import { listOf, moment, named, nullable, objectOf, optional, type Schema, text } from './schema.js';

const target = text('IP address, CIDR range or `id:NODEID`', '203.0.113.7', '203.0.113.0/24', 'id:node-a');

export const banInfo = named<BanInfo>(
  'BanInfo',
  objectOf('A ban in force', {
    target,
    reason: text('Why, as the operator wrote it or the node says; may be empty'),
    code: errorCode,
    name: errorCodeName,
    since: moment('When it began'),
    until: nullable(moment('When it ends'), 'until somebody lifts it'),
  }),
);

export const banSchemas = [banInfo];

interface BanBody {
  readonly target: string;
  readonly for?: string | number;
  readonly reason?: string;
}

const time: Schema<string | number> = {
  json: {
    anyOf: [
      { type: 'string', minLength: 1 },
      { type: 'integer', minimum: 1, maximum: BAN_MAX_MS },
    ],
    description:
      'How long: a duration such as `24h`, milliseconds, or `forever`; 100 years at most. Otherwise 24 h, then 7 d, then 30 d, by how ' +
      'often the target was banned before',
    examples: ['24h', 3_600_000, 'forever'],
  },
};

export const banRoutes: RouteDescriptions = {
  'GET /bans': {
    id: 'listBans',
    tag: 'Bans',
    summary: 'Bans in force',
    answers: {
      200: {
        description: 'The bans',
        schema: objectOf<{ bans: readonly BanInfo[] }>('A list', { bans: listOf(banInfo, 'The newest first') }),
        example: {
          bans: [
            {
              target: '203.0.113.0/24',
              reason: 'spam',
              code: 70,
              name: 'Banned',
              since: '2026-01-01T12:00:00.000Z',
              until: null,
            },
          ],
        },
      },
    },
    errors: { 400: 'There are no query parameters' },
  },
  'POST /bans': {
    id: 'ban',
    tag: 'Bans',
    summary: 'Bans an address, a range or a node ID',
    description:
      'Cuts off whoever that is, and refuses them from now on. An ID is not proven: a ban by ID also hits whoever ' +
      'borrows it.',
    body: {
      isRequired: true,
      schema: objectOf<BanBody>('Whom to ban', {
        target,
        for: optional(time),
        reason: optional({
          json: {
            type: 'string',
            maxLength: BAN_REASON_CHARS_MAX,
            description: 'Why, for people: text without control characters',
          },
        }),
      }),
      example: { target: '203.0.113.0/24', for: '24h', reason: 'spam' },
    },
    answers: { 200: { description: 'The ban', schema: banInfo } },
    errors: { 400: 'The body is wrong; `field` names what', 503: 'The node is closing' },
  },
  'DELETE /bans/{target}': {
    id: 'unban',
    tag: 'Bans',
    summary: 'Lifts a ban',
    parameters: {
      target: { in: 'path', schema: text('Target of the ban, escaped as part of a URL'), example: '203.0.113.0/24' },
    },
    answers: {
      200: {
        description: 'The ban is lifted',
        schema: objectOf<{ target: string }>('Whose', { target: text('The target as it was given') }),
      },
    },
    errors: {
      400: 'The target is none, or there is a query or a body',
      404: 'There is no such ban',
      503: 'The node is closing',
    },
  },
};
