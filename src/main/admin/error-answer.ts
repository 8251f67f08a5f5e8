/**
 * Owns what errors look like in an answer: `{error, message, field?}`, and the error code where a peer is the cause.
 * Main thread.
 */
import type { FastifyError, FastifyReply } from 'fastify';
import { ConfigError, ErrorCode, NodeError, PeerError } from '../../shared/errors.js';

/** Kinds of errors. Stable; callers match them. */
export const errorNames = [
  'bad_request',
  'unauthorized',
  'forbidden_host',
  'forbidden_origin',
  'not_found',
  'timeout',
  'conflict',
  'dial_failed',
  'too_large',
  'unavailable',
  'internal',
] as const;
export type ErrorName = (typeof errorNames)[number];

export interface ErrorBody {
  readonly error: ErrorName;
  /** For people. */
  readonly message: string;
  /** What of the call is wrong. */
  readonly field?: string;
  readonly code?: number;
  readonly name?: string;
}

export interface ErrorAnswer {
  readonly status: number;
  readonly body: ErrorBody;
}

export function badRequest(field: string, message: string): ErrorAnswer {
  return { status: 400, body: { error: 'bad_request', message, field } };
}

export function notFound(message: string): ErrorAnswer {
  return { status: 404, body: { error: 'not_found', message } };
}

export function sendError(reply: FastifyReply, { status, body }: ErrorAnswer): FastifyReply {
  return reply.code(status).send(body);
}

export const internalFault: ErrorAnswer = {
  status: 500,
  body: { error: 'internal', message: 'the node failed to answer; its log says why' },
};

export const wrongContentType = badRequest('content-type', 'content-type must be application/json');

/** The answer for an error that somebody can mend; null for a fault of this program. */
export function errorAnswer(error: Error): ErrorAnswer | null {
  if (error instanceof ConfigError) return badRequest(error.key, error.message);
  if (error instanceof PeerError) return dialFailed(error);
  if (error instanceof NodeError) return nodeAnswer(error);
  const { code, statusCode = 500 } = error as FastifyError;
  if (statusCode >= 500) return null;
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return wrongContentType;
  if (code === 'FST_ERR_BAD_URL' || code === 'FST_ERR_MAX_PARAM_LENGTH') return badRequest('path', error.message);
  if (statusCode === 413) return { status: 413, body: { error: 'too_large', message: error.message, field: 'body' } };
  return { status: statusCode, body: { error: 'bad_request', message: error.message, field: 'body' } };
}

/** The answer for bytes that are no HTTP request, or not in time. */
export function unreadableAnswer(code: string | undefined): ErrorAnswer {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return { status: 408, body: { error: 'timeout', message: 'the request did not arrive in time' } };
  }
  if (code === 'HPE_HEADER_OVERFLOW') {
    return { status: 431, body: { error: 'too_large', message: 'the headers are too large', field: 'headers' } };
  }
  return { status: 400, body: { error: 'bad_request', message: 'this is no HTTP request', field: 'request' } };
}

/** A peer that is connected already, or is ourselves, is a fault of the call; all else lies behind us. */
function dialFailed({ message, code, codeName }: PeerError): ErrorAnswer {
  const isConflict = code === ErrorCode.DuplicateConnection || code === ErrorCode.SelfConnection;
  return { status: isConflict ? 409 : 502, body: { error: 'dial_failed', message, code, name: codeName } };
}

function nodeAnswer({ code, message }: NodeError): ErrorAnswer | null {
  // What can be wrong with a payload has been looked at before the node is asked.
  if (code === 'ERR_PAW_MESSAGE') return badRequest('type', message);
  if (code === 'ERR_PAW_RELOAD') return { status: 409, body: { error: 'conflict', message } };
  const passes = code === 'ERR_PAW_DIAL_QUEUE_FULL' || code === 'ERR_PAW_CLOSED' || code === 'ERR_PAW_SEND_QUEUE_FULL';
  return passes ? { status: 503, body: { error: 'unavailable', message } } : null;
}
