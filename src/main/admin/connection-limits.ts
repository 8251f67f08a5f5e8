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
  const owed = new WeakMap<Socket, number>();
  const owe = (socket: Socket, change: number) => owed.set(socket, (owed.get(socket) ?? 0) + change);
  server.on('request', ({ socket }, response) => {
    owe(socket, 1);
    response.on('close', () => owe(socket, -1));
  });
  // Node asks for idle connections, too. One to which we owe an answer is quiet because of us: a dial takes its time.
  server.setTimeout(limits.stalledTimeoutMs, (socket) => {
    const isWaiting = (owed.get(socket) ?? 0) > 0 && socket.writableLength === 0;
    if (!isWaiting) socket.destroy();
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
