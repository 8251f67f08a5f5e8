/**
 * Owns the admin route that sends a message to all peers. Main thread.
 */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { ConfigError } from '../../shared/errors.js';
import { payloadBytesMax } from '../../shared/wire/frame.js';
import type { NodeView } from '../api.js';
import { messageTypeText } from '../config/kinds.js';
import { callFields, type Field, noQuery } from './call-fields.js';

/** A payload of 10 MB in base64 is 13.4 MiB; the rest is for writers of JSON that escape each slash. */
const BODY_BYTES_MAX = 16 * 1024 * 1024;

const base64: Field<Buffer> = {
  schema: z.string().transform((text, context) => {
    const bytes = Buffer.from(text, 'base64');
    // Node's decoder skips what it doesn't know. What reads back as it was written had nothing to skip.
    if (bytes.toString('base64') !== text) context.addIssue({ code: 'custom' });
    return bytes;
  }),
  allowed: 'base64 with padding, without line breaks',
};

const readBroadcast = callFields('body', { type: messageTypeText(), payloadBase64: base64 }, {});

function checkFits(type: string, payload: Buffer): void {
  const most = payloadBytesMax(type);
  if (payload.length <= most) return;
  throw new ConfigError('payloadBase64', `payloadBase64 has ${payload.length} bytes: at most ${most} with this type`);
}

export function registerBroadcastRoutes(app: FastifyInstance, view: NodeView): void {
  app.post('/broadcast', { bodyLimit: BODY_BYTES_MAX }, (request, reply) => {
    noQuery(request.query);
    const { type, payloadBase64: payload } = readBroadcast(request.body);
    checkFits(type, payload);
    const { sent, skipped } = view.broadcastBytes(type, payload);
    return reply.send({ sent, skipped });
  });
}
