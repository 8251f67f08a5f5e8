/**
 * Owns the admin route that describes the others. Main thread.
 */
import type { FastifyInstance } from 'fastify';
import { noQuery } from './call-fields.js';
import { openApiDocument } from './openapi/document.js';

/** Made once: it never changes. */
const answer = Buffer.from(JSON.stringify(openApiDocument));

export function registerOpenApiRoute(app: FastifyInstance): void {
  app.get('/openapi.json', (request, reply) => {
    noQuery(request.query);
    return reply.type('application/json; charset=utf-8').send(answer);
  });
}
