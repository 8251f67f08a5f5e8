/**
 * What a handler gets in its hands: the message, and a context to act through. Worker thread. Inline handlers share one
 * message and one context that are pointed at the frame in hand, so that nothing is allocated per frame; queued
 * handlers get their own.
 */
import type { BroadcastOptions, HandlerContext, HandlerLog, Message } from '../shared/handler.js';
import { ID_BYTES } from '../shared/limits.js';
import { RecordKind } from '../shared/memory/outbound-ring.js';
import { encodeType } from '../shared/wire/message-type.js';
import { encodeValue } from '../shared/wire/msgpack.js';
import { newRoute, type Route } from './handler-registry.js';
import type { Outbox } from './outbox.js';
import type { TypeEntry, TypeInterner } from './type-interner.js';

/** The message of inline handlers. Its payload is a view that is made when somebody asks for it. */
export class InlineMessage implements Message {
  type = '';
  value: unknown;
  peerId = '';
  payloadBytes = 0;
  #source!: Uint8Array<SharedArrayBuffer>;
  #offset = 0;
  #view: Buffer | null = null;

  point(source: Uint8Array<SharedArrayBuffer>, offset: number, length: number): void {
    this.#source = source;
    this.#offset = offset;
    this.#view = null;
    this.payloadBytes = length;
  }

  get payload(): Buffer {
    this.#view ??= Buffer.from(this.#source.buffer, this.#source.byteOffset + this.#offset, this.payloadBytes);
    return this.#view as Buffer;
  }
}

/** How contexts reach the outbound ring and the application's types. One per worker. */
export class Sender {
  readonly worker: number;
  readonly log: HandlerLog;
  readonly outbox: Outbox;
  readonly #types: TypeInterner<Route>;
  readonly #encodeOpaque: (value: unknown) => Uint8Array;
  readonly #afterSend: () => void;
  readonly #entries = new Map<string, TypeEntry<Route>>();
  #lastIds: { key: string; bytes: Uint8Array } = { key: '', bytes: new Uint8Array(0) };

  constructor(parts: {
    worker: number;
    log: HandlerLog;
    outbox: Outbox;
    types: TypeInterner<Route>;
    encodeOpaque: (value: unknown) => Uint8Array;
    /** Called after each send, so that what is sent outside a turn gets published. */
    afterSend: () => void;
  }) {
    this.worker = parts.worker;
    this.log = parts.log;
    this.outbox = parts.outbox;
    this.#types = parts.types;
    this.#encodeOpaque = parts.encodeOpaque;
    this.#afterSend = parts.afterSend;
  }

  reply(slot: number, generation: number, type: string, payload: unknown): boolean {
    const entry = this.#entry(type);
    const sent = this.outbox.reply(slot, generation, entry, this.#encode(entry, payload));
    this.#afterSend();
    return sent;
  }

  send(peerId: string, type: string, payload: unknown): void {
    const entry = this.#entry(type);
    this.outbox.sendTo(this.#ids([peerId]), entry, this.#encode(entry, payload));
    this.#afterSend();
  }

  broadcast(type: string, payload: unknown, exclude: string | readonly string[] | undefined): void {
    const entry = this.#entry(type);
    const ids = exclude === undefined || exclude.length === 0 ? null : this.#ids([exclude].flat());
    this.outbox.broadcast(ids, entry, this.#encode(entry, payload));
    this.#afterSend();
  }

  publish(value: unknown): void {
    this.outbox.tell(RecordKind.Publish, 0, 0, [this.#encodeOpaque(value)]);
    this.#afterSend();
  }

  #entry(type: string): TypeEntry<Route> {
    let entry = this.#entries.get(type);
    if (entry === undefined) {
      encodeType(type);
      entry = this.#types.declare(type, newRoute);
      this.#entries.set(type, entry);
    }
    return entry;
  }

  #encode(entry: TypeEntry<Route>, payload: unknown): Uint8Array {
    if (entry.route.policy?.codec === 'msgpack') return encodeValue(payload);
    if (payload instanceof Uint8Array) return payload;
    throw new TypeError(`payload of '${entry.name}' must be a Uint8Array; values need codec 'msgpack'`);
  }

  /** Node IDs zero-padded to 32 bytes each. The last list is kept, so that runs to one target can be joined. */
  #ids(ids: readonly string[]): Uint8Array {
    const key = ids.join('\0');
    if (key === this.#lastIds.key) return this.#lastIds.bytes;
    const bytes = new Uint8Array(ids.length * ID_BYTES);
    ids.forEach((id, i) => {
      const encoded = Buffer.from(id);
      if (encoded.length === 0 || encoded.length > ID_BYTES) throw new RangeError(`node ID ${JSON.stringify(id)}`);
      bytes.set(encoded, i * ID_BYTES);
    });
    this.#lastIds = { key, bytes };
    return bytes;
  }
}

/** A handler's context, pointed at the connection that its message came from. */
export class Context implements HandlerContext {
  readonly #sender: Sender;
  #slot: number;
  #generation: number;

  constructor(sender: Sender, slot = -1, generation = -1) {
    this.#sender = sender;
    this.#slot = slot;
    this.#generation = generation;
  }

  point(slot: number, generation: number): void {
    this.#slot = slot;
    this.#generation = generation;
  }

  get worker(): number {
    return this.#sender.worker;
  }

  get log(): HandlerLog {
    return this.#sender.log;
  }

  reply(type: string, payload: unknown): boolean {
    return this.#sender.reply(this.#slot, this.#generation, type, payload);
  }

  send(peerId: string, type: string, payload: unknown): boolean {
    this.#sender.send(peerId, type, payload);
    return true;
  }

  broadcast(type: string, payload: unknown, options?: BroadcastOptions): void {
    this.#sender.broadcast(type, payload, options?.exclude);
  }

  publish(value: unknown): void {
    this.#sender.publish(value);
  }
}
