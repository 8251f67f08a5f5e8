/**
 * What a handler gets in its hands: the message, and a context to act through. Worker thread. Inline handlers share one
 * message and one context that are pointed at the frame in hand, so that nothing is allocated per frame; queued
 * handlers get their own.
 */
import { NodeError } from '../shared/errors.js';
import type { BroadcastOptions, HandlerContext, HandlerLog, Message } from '../shared/handler.js';
import { ID_BYTES, MAX_REASON_BYTES } from '../shared/limits.js';
import { viewOf } from '../shared/memory/buffer-view.js';
import { RecordKind } from '../shared/memory/outbound-ring.js';
import type { SeenHold } from '../shared/memory/seen-table.js';
import { cutText } from '../shared/wire/disconnect.js';
import { isPeerId } from '../shared/wire/handshake.js';
import { encodeType, isControlType } from '../shared/wire/message-type.js';
import { encodeValue } from '../shared/wire/msgpack.js';
import type { Gossip } from './gossip.js';
import { newRoute, type Route } from './handler-registry.js';
import type { Outbox } from './outbox.js';
import type { Origin } from './peer-stream.js';
import type { TypeEntry, TypeInterner } from './type-interner.js';

/** Where the payload lies of a message that is no longer in hand. */
const GONE = new Uint8Array(new SharedArrayBuffer(0));

/**
 * The message of inline handlers. Its payload is a view that is made when somebody asks for it; whoever asks later is told
 * so, and never gets what somebody else has sent meanwhile.
 */
export class InlineMessage implements Message {
  type = '';
  value: unknown;
  peerId = '';
  payloadBytes = 0;
  #source: Uint8Array<SharedArrayBuffer> = GONE;
  #offset = 0;
  #view: Buffer | null = null;
  /** What `#memoryOf` lies in: it costs to ask, and is mostly the same. */
  #memory!: SharedArrayBuffer;
  #memoryOf: Uint8Array | null = null;

  point(source: Uint8Array<SharedArrayBuffer>, offset: number, length: number): void {
    this.#source = source;
    this.#offset = offset;
    this.#view = null;
    this.payloadBytes = length;
  }

  /** No message is in hand any more. */
  close(): void {
    this.type = '';
    this.peerId = '';
    this.value = undefined;
    this.payloadBytes = 0;
    this.#source = GONE;
    this.#view = null;
  }

  get payload(): Buffer {
    if (this.#view !== null) return this.#view;
    if (this.#source === GONE) throw messageGone();
    if (this.#memoryOf !== this.#source) {
      this.#memoryOf = this.#source;
      this.#memory = this.#source.buffer;
    }
    this.#view = viewOf(this.#memory, this.#offset, this.payloadBytes);
    return this.#view;
  }
}

/** How contexts reach the outbound ring and the application's types. One per worker. */
export class Sender {
  readonly worker: number;
  readonly log: HandlerLog;
  readonly outbox: Outbox;
  readonly gossip: Gossip;
  readonly #types: TypeInterner<Route>;
  readonly #encodeOpaque: (value: unknown) => Uint8Array;
  readonly #afterSend: () => void;
  readonly #entries = new Map<string, TypeEntry<Route>>();
  /** The last one that was asked for: handlers mostly answer with one type. */
  #lastType = '';
  #lastEntry: TypeEntry<Route> | null = null;
  #lastIds: { key: string; bytes: Uint8Array } = { key: '', bytes: new Uint8Array(0) };

  constructor(parts: {
    worker: number;
    log: HandlerLog;
    outbox: Outbox;
    gossip: Gossip;
    types: TypeInterner<Route>;
    encodeOpaque: (value: unknown) => Uint8Array;
    /** Called after each send, so that what is sent outside a turn gets published. */
    afterSend: () => void;
  }) {
    this.worker = parts.worker;
    this.log = parts.log;
    this.outbox = parts.outbox;
    this.gossip = parts.gossip;
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
    const bytes = this.#encode(entry, payload);
    // Remembered first: its echo is a duplicate.
    if (entry.route.gossip) this.gossip.remember(entry.bytes, bytes);
    this.outbox.broadcast(ids, entry, bytes);
    this.#afterSend();
  }

  /** Passes a stream's message on. @returns false if it was before, which for gossip types the caller knows */
  relay(origin: Origin, entry: TypeEntry<Route>, payload: Uint8Array): boolean {
    const { route } = entry;
    const hold = route.gossip ? null : this.gossip.claim(entry.bytes, payload);
    if (!route.gossip && hold === null) return false;
    this.outbox.relay(origin.peerIdBytes, route.fanout, entry, payload);
    this.#afterSend();
    if (hold !== null) this.letGoSoon(hold);
    return true;
  }

  /** Lets go of a message once what has been sent for it is published, be that in this turn or behind it. */
  letGoSoon(hold: SeenHold): void {
    queueMicrotask(() => this.gossip.seen.letGo(hold));
  }

  penalize(origin: Origin, reason: string): void {
    const text = cutText(reason, MAX_REASON_BYTES);
    this.outbox.tell(RecordKind.Penalize, origin.slot, origin.generation, [text]);
    this.#afterSend();
  }

  publish(value: unknown): void {
    this.outbox.tell(RecordKind.Publish, 0, 0, [wellUsed(this.#encodeOpaque, value)]);
    this.#afterSend();
  }

  #entry(type: string): TypeEntry<Route> {
    if (this.#lastEntry !== null && type === this.#lastType) return this.#lastEntry;
    let entry = this.#entries.get(type);
    if (entry === undefined) {
      wellUsed(requireType, type);
      entry = this.#types.declare(type, newRoute);
      this.#entries.set(type, entry);
    }
    this.#lastType = type;
    this.#lastEntry = entry;
    return entry;
  }

  #encode(entry: TypeEntry<Route>, payload: unknown): Uint8Array {
    if (entry.route.policy?.codec === 'msgpack') return wellUsed(encodeValue, payload);
    if (payload instanceof Uint8Array) return payload;
    const message = `payload of '${entry.name}' must be a Uint8Array; values need codec 'msgpack'`;
    throw new NodeError('ERR_PAW_MESSAGE', message);
  }

  /** Node IDs zero-padded to 32 bytes each. The last list is kept, so that runs to one target can be joined. */
  #ids(ids: readonly string[]): Uint8Array {
    const key = wellUsed(joined, ids);
    // As many, too: what is no ID may hold the separator, or be nothing at all.
    if (key === this.#lastIds.key && ids.length * ID_BYTES === this.#lastIds.bytes.length) return this.#lastIds.bytes;
    const bytes = wellUsed(encodeIds, ids);
    this.#lastIds = { key, bytes };
    return bytes;
  }
}

/**
 * What `make` makes of what a handler gave.
 * @throws NodeError ERR_PAW_MESSAGE for what it can't be made of, as `node.send` does
 */
function wellUsed<Given, Made>(make: (given: Given) => Made, given: Given): Made {
  try {
    return make(given);
  } catch (cause) {
    throw new NodeError('ERR_PAW_MESSAGE', (cause as Error).message, { cause });
  }
}

function requireType(type: string): void {
  encodeType(type);
  if (isControlType(type)) throw new TypeError(`'${type}' belongs to the protocol`);
}

function joined(ids: readonly string[]): string {
  return ids.join('\0');
}

function encodeIds(ids: readonly string[]): Uint8Array {
  const bytes = new Uint8Array(ids.length * ID_BYTES);
  ids.forEach((id, i) => {
    if (!isPeerId(id)) throw new TypeError(`${JSON.stringify(id)} is not a node ID: 1 to ${ID_BYTES} bytes of text`);
    bytes.set(Buffer.from(id), i * ID_BYTES);
  });
  return bytes;
}

/**
 * A handler's context, pointed at the message in its hands and the connection that it came from. What it may do with
 * that message and that connection ends with an inline handler (`close`); all else it may do later, too.
 */
export class Context implements HandlerContext {
  readonly #sender: Sender;
  readonly #message: Message;
  #origin!: Origin;
  #type!: TypeEntry<Route>;
  #hasMessage = false;
  /** Not passed on yet, and not held against its sender. */
  #mayRelay = false;

  constructor(sender: Sender, message: Message) {
    this.#sender = sender;
    this.#message = message;
  }

  point(origin: Origin, type: TypeEntry<Route>): void {
    this.#origin = origin;
    this.#type = type;
    this.#hasMessage = true;
    this.#mayRelay = true;
  }

  /** The next message of the same stream and type is in hand. */
  renew(): void {
    this.#mayRelay = true;
  }

  /** The handler took the message well: one of a gossip type is passed on, if the handler has not said otherwise. */
  settle(): void {
    if (this.#mayRelay) this.#relay();
  }

  /** The handler is through. */
  close(): void {
    this.#hasMessage = false;
  }

  get worker(): number {
    return this.#sender.worker;
  }

  get log(): HandlerLog {
    return this.#sender.log;
  }

  reply(type: string, payload: unknown): boolean {
    this.#requireMessage();
    return this.#sender.reply(this.#origin.slot, this.#origin.generation, type, payload);
  }

  send(peerId: string, type: string, payload: unknown): void {
    this.#sender.send(peerId, type, payload);
  }

  broadcast(type: string, payload: unknown, options?: BroadcastOptions): void {
    this.#sender.broadcast(type, payload, options?.exclude);
  }

  relay(): boolean {
    this.#requireMessage();
    return this.#mayRelay && this.#relay();
  }

  penalize(reason: string): void {
    this.#requireMessage();
    this.#mayRelay = false;
    this.#sender.penalize(this.#origin, reason);
  }

  publish(value: unknown): void {
    this.#sender.publish(value);
  }

  #relay(): boolean {
    this.#mayRelay = false;
    return this.#sender.relay(this.#origin, this.#type, this.#message.payload);
  }

  /** The context of inline handlers has another message by now, or none: that must not suffer. */
  #requireMessage(): void {
    if (!this.#hasMessage) throw messageGone();
  }
}

function messageGone(): NodeError {
  const message = "the message is no longer in hand: its handler is inline and has returned; mode 'queued' keeps it";
  return new NodeError('ERR_PAW_HANDLER', message);
}
