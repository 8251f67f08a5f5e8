/**
 * Owns the admin route that describes the others. Main thread.
 */
import type { FastifyInstance } from 'fastify';
import { openApiDocument } from './openapi/document.js';

/** Made once: it never changes. */
const answer = Buffer.from(JSON.stringify(openApiDocument));

export function registerOpenApiRoute(app: FastifyInstance): void {
  app.get('/openapi.json', (_request, reply) => reply.type('application/json; charset=utf-8').send(answer));
}
