/**
 * Owns the admin routes that only look: `GET /health`, `/status`, `/config` and `/metrics`. Main thread.
 */
import type { FastifyInstance } from 'fastify';
import type { NodeView } from '../api.js';
import { noQuery } from './call-fields.js';
import { createMetrics } from './metrics.js';

/** @param unauthorizedCalls refused so far since they did not bear the token */
export function registerStatusRoutes(app: FastifyInstance, view: NodeView, unauthorizedCalls: () => number): void {
  const metrics = createMetrics(view, unauthorizedCalls);
  app.get('/health', (request, reply) => {
    noQuery(request.query);
    const health = view.health();
    return reply.code(health.ok ? 200 : 503).send(health);
  });
  app.get('/status', (request, reply) => {
    noQuery(request.query);
    return reply.send(view.status());
  });
  app.get('/config', (request, reply) => {
    noQuery(request.query);
    return reply.send(view.config());
  });
  app.get('/metrics', async (request, reply) => {
    noQuery(request.query);
    return reply.type(metrics.contentType).send(await metrics.scrape());
  });
}
