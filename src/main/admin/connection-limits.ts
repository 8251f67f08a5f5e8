/**
 * Owns what callers of the admin HTTP can hold: how many connections, how slowly they may ask, and how long they may
 * leave an answer unread. Main thread.
 */
import { type Server, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { unreadableAnswer } from './error-answer.js';

export interface ConnectionLimits {
  readonly connectionsMax: number;
  /** For a request to arrive whole, from its connection's first moment. */
  readonly requestTimeoutMs: number;
  /** Between two requests. */
  readonly idleTimeoutMs: number;
  /** For the next bytes of an answer to be taken. */
  readonly stalledTimeoutMs: number;
}

/** An admin address has few callers. */
export const adminLimits: ConnectionLimits = {
  connectionsMax: 64,
  requestTimeoutMs: 10_000,
  idleTimeoutMs: 5000,
  stalledTimeoutMs: 30_000,
};

/** How often Node looks for requests that are late. Its own 30 s would let a slow caller hold a place three times as long. */
export const LATE_CHECK_MS = 1000;

/** Holds a server, made with {@link LATE_CHECK_MS} or less, to limits. */
export function limitConnections(server: Server, limits: ConnectionLimits): void {
  server.maxConnections = limits.connectionsMax;
  server.requestTimeout = limits.requestTimeoutMs;
  server.headersTimeout = limits.requestTimeoutMs;
  server.keepAliveTimeout = limits.idleTimeoutMs;
  // Not every quiet connection: the answer of a dial takes as long as the dial.
  server.setTimeout(limits.stalledTimeoutMs, (socket) => {
    if (socket.writableLength > 0) socket.destroy();
  });
}

/** Answers bytes that are no request, or came too late, and closes. */
export function answerUnreadable(error: NodeJS.ErrnoException, socket: Socket): void {
  if (socket.writable && error.code !== 'ECONNRESET') {
    const { status, body } = unreadableAnswer(error.code);
    const text = JSON.stringify(body);
    const head = [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      'content-type: application/json; charset=utf-8',
      `content-length: ${Buffer.byteLength(text)}`,
      'connection: close',
    ];
    socket.write(`${head.join('\r\n')}\r\n\r\n${text}`);
  }
  socket.destroy();
}
