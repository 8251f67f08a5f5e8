/**
 * Owns the admin routes about bans: those in force, banning and lifting. Main thread.
 */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { NodeView } from '../api.js';
import { callFields, noBody, noQuery } from './call-fields.js';
import { notFound, sendError } from './error-answer.js';
import { sendList } from './json-list.js';

export const BAN_REASON_CHARS_MAX = 256;

/** What a target and a time look like is the node's to say: ConfigError names them, too. */
const readBan = callFields(
  'body',
  { target: { schema: z.string().min(1), allowed: 'an IP address, a CIDR range or id:NODEID, as text' } },
  {
    for: {
      schema: z.union([z.string().min(1), z.number().positive()]),
      allowed: "a duration such as 24h, milliseconds, or 'forever'",
    },
    reason: {
      schema: z.string().max(BAN_REASON_CHARS_MAX).refine(isPlainText),
      allowed: `text of at most ${BAN_REASON_CHARS_MAX} characters without control characters`,
    },
  },
);

function isPlainText(text: string): boolean {
  return text.isWellFormed() && !/\p{Cc}/u.test(text);
}

export function registerBanRoutes(app: FastifyInstance, view: NodeView): void {
  app.get('/bans', (request, reply) => {
    noQuery(request.query);
    return sendList(reply, 'bans', view.eachBan());
  });
  app.post('/bans', (request, reply) => {
    noQuery(request.query);
    const { target, for: time, reason } = readBan(request.body);
    return reply.send(view.ban(target, { for: time, reason }));
  });
  app.delete<{ readonly Params: { readonly target: string } }>('/bans/:target', (request, reply) => {
    noQuery(request.query);
    noBody(request.body);
    const { target } = request.params;
    return view.unban(target) ? reply.send({ target }) : sendError(reply, notFound(`there is no ban of '${target}'`));
  });
}
