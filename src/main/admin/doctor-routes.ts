/**
 * Owns the admin route `GET /doctor`: what is wrong with the node, and what to do about it. Main thread.
 */
import type { FastifyInstance } from 'fastify';
import type { NodeView } from '../api.js';
import { noQuery } from './call-fields.js';

export function registerDoctorRoutes(app: FastifyInstance, view: NodeView): void {
  app.get('/doctor', async (request, reply) => {
    noQuery(request.query);
    return reply.send(await view.doctor());
  });
}
