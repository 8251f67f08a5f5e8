/**
 * Owns the admin routes that change how the node runs: reload and drain. Main thread.
 */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { NodeView } from '../api.js';
import { callFields, noBody, noQuery } from './call-fields.js';

const readDrain = callFields(
  'body',
  {},
  {
    within: {
      schema: z.union([z.string().min(1), z.number().nonnegative()]),
      allowed: 'a duration such as 60s, or milliseconds',
    },
  },
);

export function registerOperationRoutes(app: FastifyInstance, view: NodeView): void {
  app.post('/reload', (request, reply) => {
    noQuery(request.query);
    noBody(request.body);
    return reply.send(view.reload());
  });
  app.post('/drain', (request, reply) => {
    noQuery(request.query);
    return reply.code(202).send(view.drain(readDrain(request.body ?? {})));
  });
}
