/**
 * Owns the admin routes that only look: `GET /health`, `/status`, `/config` and `/metrics`. Main thread.
 */
import type { FastifyInstance } from 'fastify';
import type { NodeView } from '../api.js';
import { createMetrics } from './metrics.js';

export function registerStatusRoutes(app: FastifyInstance, view: NodeView): void {
  const metrics = createMetrics(view);
  app.get('/health', (_request, reply) => {
    const health = view.health();
    return reply.code(health.ok ? 200 : 503).send(health);
  });
  app.get('/status', (_request, reply) => reply.send(view.status()));
  app.get('/config', (_request, reply) => reply.send(view.config()));
  app.get('/metrics', async (_request, reply) => reply.type(metrics.contentType).send(await metrics.scrape()));
}
