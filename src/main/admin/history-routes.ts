/**
 * Owns the admin route of history: what was refused, dropped, banned or failed, and why. Main thread.
 */
import type { FastifyInstance } from 'fastify';
import type { NodeView } from '../api.js';
import { callFields } from './call-fields.js';
import { historyCode, historyLimit } from './history-query.js';
import { sendList } from './json-list.js';

const readQuery = callFields('query', {}, { limit: historyLimit, code: historyCode });

export function registerHistoryRoutes(app: FastifyInstance, view: NodeView): void {
  app.get('/history', (request, reply) => sendList(reply, 'entries', view.eachHistory(readQuery(request.query))));
}
