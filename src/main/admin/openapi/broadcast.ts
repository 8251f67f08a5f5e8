/** Owns the description of the route that sends a message to all peers. Main thread. */
import type { BroadcastResult } from '../../api.js';
import type { RouteDescriptions } from './route-description.js';
import { count, objectOf, type Schema } from './schema.js';

interface BroadcastBody {
  readonly type: string;
  readonly payloadBase64: string;
}

const base64: Schema<string> = {
  json: {
    type: 'string',
    contentEncoding: 'base64',
    description: 'The payload, sent as it is whatever codec the type has: base64 with padding, without line breaks',
  },
};

export const broadcastRoutes: RouteDescriptions = {
  'POST /broadcast': {
    id: 'broadcast',
    tag: 'Messages',
    summary: 'Sends a message to all connected peers',
    body: {
      isRequired: true,
      schema: objectOf<BroadcastBody>('The message', {
        type: {
          json: {
            type: 'string',
            minLength: 1,
            maxLength: 255,
            description: 'Message type: 1 to 255 bytes of UTF-8 without control characters',
          },
        },
        payloadBase64: base64,
      }),
      example: { type: 'tx', payloadBase64: 'aGVsbG8=' },
    },
    answers: {
      200: {
        description: 'What became of it',
        schema: objectOf<BroadcastResult>('How many peers it went to', {
          sent: count('peers that it was queued for'),
          skipped: count('peers passed over because their send queue was full'),
        }),
        example: { sent: 12, skipped: 0 },
      },
    },
    errors: {
      400: 'The body is wrong, or the message too large for a frame; `field` names what',
      413: 'The body is larger than 16 MiB',
    },
  },
};
