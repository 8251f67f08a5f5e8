/**
 * Owns the admin route `GET /events`: server-sent events. Main thread.
 */
import type { OutgoingHttpHeaders } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { NodeView } from '../api.js';
import { noQuery } from './call-fields.js';
import { sendError } from './error-answer.js';
import { EventStream, WATCHERS_MAX } from './event-stream.js';

/** @param token that a caller must bear now; a stream ends once it is another than the one that opened it */
export function registerEventRoutes(app: FastifyInstance, view: NodeView, token: () => string | null): void {
  const stream = new EventStream(view, token);
  app.get('/events', (request, reply) => {
    noQuery(request.query);
    if (stream.isFull) {
      const message = `${WATCHERS_MAX} others watch already`;
      return sendError(reply, { status: 503, body: { error: 'unavailable', message } });
    }
    reply.hijack();
    const headers = { 'content-type': 'text/event-stream', 'cache-control': 'no-store' };
    reply.raw.writeHead(200, { ...(reply.getHeaders() as OutgoingHttpHeaders), ...headers });
    if (request.method === 'HEAD') reply.raw.end();
    else stream.add(reply.raw, request.raw.socket);
    return reply;
  });
}
