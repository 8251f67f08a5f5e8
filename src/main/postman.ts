/**
 * Messages that the main thread itself sends and gets: the library's `send`, `broadcast` and `subscribe`, and the
 * protocol's control messages. Main thread.
 */
import { types } from 'node:util';
import { NodeError } from '../shared/errors.js';
import { Claim } from '../shared/memory/memory-budget.js';
import type { Policy } from '../shared/policy.js';
import { frameBytes, payloadBytesMax, writeFrameHeader } from '../shared/wire/frame.js';
import { ControlType, encodeType, isControlType } from '../shared/wire/message-type.js';
import { decodeValue, encodeValue } from '../shared/wire/msgpack.js';
import type { BroadcastResult, SubscribedMessage } from './api.js';
import type { Connection } from './net/connection.js';
import type { ConnectionTable } from './net/connection-table.js';
import type { OutboundPump } from './net/outbound-pump.js';
import type { Statistics } from './statistics.js';

export type Subscriber = (message: SubscribedMessage) => void;

interface KnownType {
  readonly bytes: Uint8Array;
  /** Number in the main thread's type table. */
  readonly number: number;
}

export interface PostmanParts {
  readonly pump: OutboundPump;
  readonly table: ConnectionTable;
  readonly statistics: Statistics;
  readonly sendQueueBytes: number;
  /** The policy table, for codecs. */
  policies(): Readonly<Record<string, Policy>>;
  /** Remembers a message of a gossip type as seen: what comes back of it is a duplicate. */
  remember(type: Uint8Array, payload: Uint8Array): void;
  /** Tells the workers whether messages of a type are wanted here. */
  want(type: string, wanted: boolean): void;
  /** Gets what a subscriber throws. */
  onError(error: Error): void;
  onSent(connection: Connection, table: number, type: number, frames: number): void;
}

export class Postman {
  readonly #parts: PostmanParts;
  readonly #types = new Map<string, KnownType>();
  readonly #subscribers = new Map<string, Set<Subscriber>>();
  /** Sends that wait for room, in order, per connection. */
  readonly #waiting = new Map<Connection, Promise<void>>();

  constructor(parts: PostmanParts) {
    this.#parts = parts;
  }

  /**
   * Sends to one peer; settles once the message stands in its send queue, and waits while that is full.
   * @throws NodeError ERR_PAW_NOT_CONNECTED, ERR_PAW_SEND_QUEUE_FULL (memory budget), ERR_PAW_MESSAGE
   */
  async send(peerId: string, type: string, payload: unknown): Promise<void> {
    const known = this.#type(type);
    const bytes = this.#encode(type, payload);
    const connection = this.#parts.table.byId(peerId);
    if (connection === undefined) throw notConnected(peerId);
    const before = this.#waiting.get(connection);
    const { sendQueueBytes } = this.#parts;
    if (before === undefined && connection.writer.queuedBytes < sendQueueBytes) {
      this.#place(connection, known, bytes);
      return;
    }
    // A copy: the caller may use its memory for other things while this waits.
    const waiting = new Uint8Array(bytes);
    const turn = (before ?? Promise.resolve()).then(async () => {
      while (connection.writer.queuedBytes >= sendQueueBytes) await connection.writer.below(sendQueueBytes);
      if (connection.state === 'Connected') return;
      throw notConnected(peerId);
    });
    const sent = turn.then(() => this.#place(connection, known, waiting));
    const settled = sent.catch(() => undefined);
    this.#waiting.set(connection, settled);
    void settled.then(() => {
      if (this.#waiting.get(connection) === settled) this.#waiting.delete(connection);
    });
    return sent;
  }

  /**
   * Sends to all connected peers but the excluded; one whose send queue is full is passed over and counted. A message of
   * a gossip type goes to all as well, whatever its fanout, since nobody else has it yet; and it goes again if it is
   * broadcast again.
   */
  broadcast(type: string, payload: unknown, exclude: readonly string[]): BroadcastResult {
    this.#type(type);
    return this.broadcastBytes(type, this.#encode(type, payload), exclude);
  }

  /** The same for bytes that are encoded already, or are not what their type's codec makes. */
  broadcastBytes(type: string, bytes: Uint8Array, exclude: readonly string[]): BroadcastResult {
    const { table, pump, statistics, sendQueueBytes } = this.#parts;
    const known = this.#type(type);
    requireFrameSize(type, bytes);
    if (this.#parts.policies()[type]?.gossip) this.#parts.remember(known.bytes, bytes);
    const targets = [...table.connected()].filter((connection) => !exclude.includes(connection.peerId!));
    const open = targets.filter(
      (connection) => connection.writer.queuedBytes < sendQueueBytes && !this.#waiting.has(connection),
    );
    statistics.count('sendsSkipped', targets.length - open.length);
    let sent = 0;
    const length = frameBytes(known.bytes.length, bytes.length);
    const placed = pump.place(
      length,
      Claim.Broadcast,
      (target, offset) => write(target, offset, known, bytes),
      (chunk, start) => {
        for (const connection of open) {
          if (this.#queued(connection, known, chunk, start, length, Claim.Broadcast)) sent++;
        }
      },
    );
    if (!placed) {
      statistics.count('sendsSkipped', open.length);
      statistics.count('shedBroadcast', open.length);
    }
    return { sent, skipped: targets.length - sent };
  }

  /**
   * Queues a frame of the protocol's own. The last one, which says why we part, goes behind a full queue as well.
   * @returns false if there is no room for it
   */
  control(connection: Connection, type: string, payload: Uint8Array): boolean {
    const isFull = connection.writer.queuedBytes >= this.#parts.sendQueueBytes;
    if (isFull && type !== ControlType.disconnect) return false;
    const known = this.#types.get(type) ?? this.#know(type);
    return this.#tryPlace(connection, known, payload, Claim.Control);
  }

  /** Calls `subscriber` for each message of a type. @returns ends the subscription */
  subscribe(type: string, subscriber: Subscriber): () => void {
    this.#type(type);
    if (typeof subscriber !== 'function') {
      throw new NodeError('ERR_PAW_MESSAGE', `the subscriber of '${type}' is no function but ${typeof subscriber}`);
    }
    let subscribers = this.#subscribers.get(type);
    if (subscribers === undefined) {
      subscribers = new Set();
      this.#subscribers.set(type, subscribers);
      this.#parts.want(type, true);
    }
    const own: Subscriber = (message) => subscriber(message);
    subscribers.add(own);
    return () => {
      if (!subscribers.delete(own) || subscribers.size > 0) return;
      this.#subscribers.delete(type);
      this.#parts.want(type, false);
    };
  }

  /** A worker hands a message of a subscribed type over: [u8 type length][type][payload]. */
  deliver(connection: Connection, data: Buffer): void {
    const typeEnd = 1 + data[0];
    const type = data.toString('utf8', 1, typeEnd);
    const subscribers = this.#subscribers.get(type);
    if (subscribers === undefined) return;
    const hasValue = this.#parts.policies()[type]?.codec === 'msgpack';
    // Those of now: who subscribes while it is told has not asked for this one.
    for (const subscriber of [...subscribers]) {
      if (!subscribers.has(subscriber)) continue;
      // Each gets its own, to keep, change or transfer.
      const payload = Buffer.allocUnsafeSlow(data.length - typeEnd);
      data.copy(payload, 0, typeEnd);
      const decoded = hasValue ? decodeValue(payload) : null;
      this.#call(subscriber, {
        type,
        payload,
        value: decoded?.ok ? decoded.value : undefined,
        peerId: connection.peerId!,
      });
    }
  }

  /** Whatever the program throws or rejects with stays here. */
  #call(subscriber: Subscriber, message: SubscribedMessage): void {
    try {
      const result: unknown = subscriber(message);
      if (result instanceof Promise) result.catch((error: unknown) => this.#failed(error));
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    // Not `instanceof`, which asks a proxy, and that may throw.
    const isError = types.isNativeError(error);
    this.#parts.onError(isError ? error : new Error(`a subscriber threw no error but ${typeof error}`));
  }

  #place(connection: Connection, known: KnownType, payload: Uint8Array): void {
    if (this.#tryPlace(connection, known, payload, Claim.Direct)) return;
    if (connection.state !== 'Connected') throw notConnected(connection.peerId!);
    throw new NodeError('ERR_PAW_SEND_QUEUE_FULL', 'the memory budget has no room for this message');
  }

  #tryPlace(connection: Connection, known: KnownType, payload: Uint8Array, claim: Claim): boolean {
    const length = frameBytes(known.bytes.length, payload.length);
    let queued = false;
    const placed = this.#parts.pump.place(
      length,
      claim,
      (target, offset) => write(target, offset, known, payload),
      (chunk, start) => {
        queued = this.#queued(connection, known, chunk, start, length, claim);
      },
    );
    if (!placed) this.#parts.statistics.countShed(claim, 1);
    return queued;
  }

  #queued(
    connection: Connection,
    known: KnownType,
    chunk: Parameters<OutboundPump['queue']>[1],
    start: number,
    length: number,
    claim: Claim,
  ): boolean {
    const { pump, statistics, onSent } = this.#parts;
    if (!pump.queue(connection, chunk, start, length, 1, claim)) return false;
    onSent(connection, statistics.ownTableIndex, known.number, 1);
    return true;
  }

  /** An application's type. @throws NodeError ERR_PAW_MESSAGE for one that is not valid or the protocol's own */
  #type(type: string): KnownType {
    const known = this.#types.get(type);
    if (known !== undefined && !isControlType(type)) return known;
    if (isControlType(type)) throw new NodeError('ERR_PAW_MESSAGE', `'${type}' belongs to the protocol`);
    return this.#know(type);
  }

  #know(type: string): KnownType {
    let bytes: Uint8Array;
    try {
      bytes = encodeType(type);
    } catch (cause) {
      throw new NodeError('ERR_PAW_MESSAGE', (cause as Error).message, { cause });
    }
    const known = { bytes, number: this.#parts.statistics.ownTable.intern(type) };
    this.#types.set(type, known);
    return known;
  }

  #encode(type: string, payload: unknown): Uint8Array {
    const bytes = this.#payloadBytes(type, payload);
    requireFrameSize(type, bytes);
    return bytes;
  }

  #payloadBytes(type: string, payload: unknown): Uint8Array {
    if (this.#parts.policies()[type]?.codec === 'msgpack') {
      try {
        return encodeValue(payload);
      } catch (cause) {
        throw new NodeError('ERR_PAW_MESSAGE', `value of '${type}': ${(cause as Error).message}`, { cause });
      }
    }
    if (payload instanceof Uint8Array) return payload;
    throw new NodeError('ERR_PAW_MESSAGE', `payload of '${type}' must be a Uint8Array; values need codec 'msgpack'`);
  }
}

function requireFrameSize(type: string, bytes: Uint8Array): void {
  if (bytes.length <= payloadBytesMax(type)) return;
  throw new NodeError('ERR_PAW_MESSAGE', `message of ${bytes.length} bytes: a frame holds at most 10 MB`);
}

function write(target: Buffer, offset: number, known: KnownType, payload: Uint8Array): void {
  target.set(payload, writeFrameHeader(target, offset, known.bytes, payload.length));
}

function notConnected(peerId: string): NodeError {
  return new NodeError('ERR_PAW_NOT_CONNECTED', `no connected peer has the ID '${peerId}'`);
}
