/**
 * Owns the admin routes about peers: those that are connected, dialling, disconnecting, and the addresses known. Main
 * thread.
 */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { NodeView } from '../api.js';
import { callFields, noBody, noQuery } from './call-fields.js';
import { notFound, sendError } from './error-answer.js';
import { sendList } from './json-list.js';

interface ById {
  readonly Params: { readonly id: string };
}

const readDial = callFields(
  'body',
  { address: { schema: z.string(), allowed: 'HOST:PORT or ID@HOST:PORT, as text' } },
  {},
);

export function registerPeerRoutes(app: FastifyInstance, view: NodeView): void {
  app.get('/peers', (request, reply) => {
    noQuery(request.query);
    return sendList(reply, 'peers', view.peers());
  });
  app.get<ById>('/peers/:id', (request, reply) => {
    noQuery(request.query);
    const { id } = request.params;
    const peer = view.peer(id);
    return peer === null ? sendError(reply, notConnected(id)) : reply.send(peer);
  });
  app.get('/addresses', (request, reply) => {
    noQuery(request.query);
    return sendList(reply, 'addresses', view.eachAddress());
  });
  app.post('/peers', async (request, reply) => {
    noQuery(request.query);
    const { address } = readDial(request.body);
    return reply.send(await view.dial(address));
  });
  app.delete<ById>('/peers/:id', (request, reply) => {
    noQuery(request.query);
    noBody(request.body);
    const { id } = request.params;
    return view.disconnect(id) ? reply.send({ id }) : sendError(reply, notConnected(id));
  });
}

const notConnected = (id: string) => notFound(`no connected peer has the ID '${id}'`);
