/**
 * The shapes that an application's handler module is written against. A module's default export maps message types to
 * handlers; it is loaded in every worker.
 */
import type { PolicyDeclaration } from './policy.js';

/** A message as a handler gets it. Inline handlers get one object that is reused: read it before returning. */
export interface Message {
  readonly type: string;
  /**
   * Bytes of the payload. A view that is valid only until the handler returns or, if it is queued, its promise settles.
   * Don't write into it: a message is passed on as it stands here.
   */
  readonly payload: Buffer;
  /** Length of the payload in bytes, without making a view of it. */
  readonly payloadBytes: number;
  /** Decoded payload of a type declared with `codec: 'msgpack'`, undefined for others. */
  readonly value: unknown;
  /** Node ID of the sender. Version 1 of the protocol does not prove it. */
  readonly peerId: string;
}

/** Who is left out of a broadcast. */
export interface BroadcastOptions {
  /** Node IDs that must not get it. */
  readonly exclude?: string | readonly string[];
}

/**
 * Structured logging from a handler; lines reach the node's log with the worker's index on them. Fields are cut to size,
 * and what may hold a secret or a payload is left out: errors keep their kind and place, not their text.
 */
export interface HandlerLog {
  /** For whoever looks for a fault in the handler. */
  debug(message: string, fields?: Record<string, unknown>): void;
  /** For the operator, who may want to know. */
  info(message: string, fields?: Record<string, unknown>): void;
  /** For the operator, who may have to act. */
  warn(message: string, fields?: Record<string, unknown>): void;
  /** For the operator, who has to. */
  error(message: string, fields?: Record<string, unknown>): void;
}

/**
 * What a handler can do. A payload is bytes, or a value for a type declared with `codec: 'msgpack'`; it is copied
 * before the call returns. Wrong use (a bad type or node ID, a payload of another kind, a value that does not encode, a
 * frame over 10 MB) throws NodeError ERR_PAW_MESSAGE, and nothing is sent.
 */
export interface HandlerContext {
  /** Index of this worker. */
  readonly worker: number;
  /**
   * Sends to the peer that the message came from. False when its send queue is full or it is gone: nothing was sent. An
   * inline handler calls it before it returns; later it throws.
   */
  reply(type: string, payload: unknown): boolean;
  /** Sends to a peer by node ID, at any time. The main thread drops it, counted, if the peer is gone or its queue is full. */
  send(peerId: string, type: string, payload: unknown): void;
  /** Sends to all connected peers. A peer whose send queue is full is passed over and counted. */
  broadcast(type: string, payload: unknown, options?: BroadcastOptions): void;
  /**
   * Passes the message in hand on to other peers now, as many as its type's `fanout` says, never back to its sender.
   * For any type, at most once for a message within 5 minutes: false if it was passed on before, or was penalised. A
   * type declared with `gossip` needs no call. An inline handler calls it before it returns; later it throws.
   */
  relay(): boolean;
  /**
   * Holds the message against its sender: it costs reputation, `reason` goes to history, and the message is not passed
   * on. An inline handler calls it before it returns; later it throws.
   */
  penalize(reason: string): void;
  /**
   * Hands a value to the main thread, where the node emits `published`: what a type with `codec: 'msgpack'` takes, and up to 10 MiB.
   * @throws NodeError ERR_PAW_MESSAGE if it is too large, too deep, or holds what msgpack has no plain form for
   */
  publish(value: unknown): void;
  readonly log: HandlerLog;
}

/**
 * Handles a message, in a worker. What it returns matters only if that is a promise: then it is not through until the
 * promise settles. What it throws, or rejects with, is logged without its text, and counted.
 */
export type Handler = (message: Message, context: HandlerContext) => unknown;

/** A handler with its policy beside it. */
export interface DeclaredHandler extends PolicyDeclaration {
  readonly handler: Handler;
}

/**
 * Default export of a handler module. A handler that does not say its `mode` is `queued` if it is an async function, or
 * returns a promise for the first message that a worker gives it, which is always a copy; else it is `inline`.
 */
export type HandlerModule = Readonly<Record<string, Handler | DeclaredHandler>>;
