/**
 * Takes decoded frames to whoever they are for: the protocol's own control messages, handlers, subscribers. Worker
 * thread. A handler is a trust boundary: what it throws is counted and logged, and the next frame goes on.
 */
import type { ErrorCode } from '../shared/errors.js';
import type { Handler, Message } from '../shared/handler.js';
import { MAX_PEX_BYTES, MAX_PONG_BYTES } from '../shared/limits.js';
import type { Arena } from '../shared/memory/arena.js';
import { inPhase } from '../shared/memory/copy-phase.js';
import { addCounter } from '../shared/memory/counters.js';
import { Claim } from '../shared/memory/memory-budget.js';
import { RecordKind } from '../shared/memory/outbound-ring.js';
import type { SeenHold } from '../shared/memory/seen-table.js';
import { decodeValue } from '../shared/wire/msgpack.js';
import { Context, InlineMessage, type Sender } from './context.js';
import type { FrameDecoder } from './frame-decoder.js';
import type { Gossip } from './gossip.js';
import { Control, type Route } from './handler-registry.js';
import type { SendType } from './outbox.js';
import type { PeerStream } from './peer-stream.js';
import type { TypeEntry, TypeInterner } from './type-interner.js';

/** What became of a frame. */
export const Dispatched = {
  Done: 0,
  /** Its type's queue is full: it stays in the ring. */
  Full: 1,
  /** Its payload does not decode as its type's codec says. */
  Invalid: 2,
  /** Done, and its hash is held until its connection's Progress has moved past it. */
  Held: 3,
} as const;
export type Dispatched = (typeof Dispatched)[keyof typeof Dispatched];

const payloadInvalid = Symbol('payload that does not decode');

export class Dispatcher {
  readonly #arena: Arena;
  readonly #sender: Sender;
  readonly #gossip: Gossip;
  readonly #types: TypeInterner<Route>;
  readonly #pong: SendType;
  readonly #message = new InlineMessage();
  readonly #context: Context;
  /** That of the messages in hand. */
  #handler!: Handler;
  readonly #onError: (type: string, error: unknown) => void;
  readonly #unhandled: number;
  /** Messages for nobody since `publishUnhandled`. */
  #unhandledMessages = 0;
  readonly #queueDropped: number;

  constructor(parts: {
    arena: Arena;
    worker: number;
    sender: Sender;
    types: TypeInterner<Route>;
    pong: SendType;
    onError: (type: string, error: unknown) => void;
  }) {
    this.#arena = parts.arena;
    this.#sender = parts.sender;
    this.#gossip = parts.sender.gossip;
    this.#types = parts.types;
    this.#pong = parts.pong;
    this.#context = new Context(parts.sender, this.#message);
    this.#onError = parts.onError;
    this.#unhandled = parts.arena.layout.workerCounter(parts.worker, 'unhandled');
    this.#queueDropped = parts.arena.layout.workerCounter(parts.worker, 'queueDropped');
  }

  /** Dispatches the frame that the decoder describes. */
  dispatch(stream: PeerStream, frame: FrameDecoder<Route>): Dispatched {
    const type = frame.type;
    const route = type.route;
    if (route.control !== Control.None) {
      this.control(stream, frame);
      return Dispatched.Done;
    }
    if (route.gossip) return this.#dispatchGossip(stream, frame);
    const { handler, queue } = route;
    if (queue?.isFull(frame.payloadBytes)) return Dispatched.Full;
    let value: unknown;
    if (route.policy?.codec === 'msgpack') {
      value = this.#decode(frame);
      if (value === payloadInvalid) {
        queue?.forgo();
        return Dispatched.Invalid;
      }
    }
    this.#types.count(type);
    stream.messages++;
    if (handler === null && !route.subscribed) {
      this.#unhandledMessages++;
      return Dispatched.Done;
    }
    if (route.subscribed) this.#deliver(stream, frame);
    if (queue !== null) this.#enqueue(stream, frame, value, null);
    else if (handler !== null) this.#inlineOne(stream, frame, value);
    return Dispatched.Done;
  }

  /** Counts the messages that were for nobody; after they have been counted as received. */
  publishUnhandled(): void {
    if (this.#unhandledMessages === 0) return;
    addCounter(this.#arena.words, this.#unhandled, this.#unhandledMessages);
    this.#unhandledMessages = 0;
  }

  /** A frame is given up unseen: if it is gossip, copies of it are no better. */
  skip(frame: FrameDecoder<Route>): void {
    if (frame.type.route.gossip) this.#gossip.remember(frame.type.bytes, payloadOf(frame));
  }

  /**
   * A message of a gossip type: on to its handler if it is new, and then to other peers. Its hash is held until the
   * frame is done, or until its queued handler is.
   */
  #dispatchGossip(stream: PeerStream, frame: FrameDecoder<Route>): Dispatched {
    const { type } = frame;
    const { handler, queue, policy, subscribed } = type.route;
    const gossip = this.#gossip;
    const payload = payloadOf(frame);
    gossip.take(stream, type.bytes, payload);
    if (queue?.isFull(frame.payloadBytes)) {
      if (gossip.isSeen()) return this.#duplicate(stream, type);
      gossip.wait(stream);
      return Dispatched.Full;
    }
    if (!gossip.admit()) {
      queue?.forgo();
      return this.#duplicate(stream, type);
    }
    let value: unknown;
    if (policy!.codec === 'msgpack') {
      value = this.#decode(frame);
      if (value === payloadInvalid) {
        queue?.forgo();
        // Whoever sends it again is at fault again.
        gossip.seen.forget(gossip.handOver());
        return Dispatched.Invalid;
      }
    }
    this.#types.count(type);
    stream.messages++;
    if (subscribed) this.#deliver(stream, frame);
    if (queue !== null) {
      this.#enqueue(stream, frame, value, gossip.handOver());
      return Dispatched.Done;
    }
    if (handler === null) this.#sender.relay(stream, type, payload);
    else if (this.#inlineOne(stream, frame, value)) this.#context.settle();
    return Dispatched.Held;
  }

  #duplicate(stream: PeerStream, type: TypeEntry<Route>): Dispatched {
    this.#types.count(type);
    stream.messages++;
    this.#gossip.countDuplicate();
    return Dispatched.Done;
  }

  /** Handles a control message, in its turn or ahead of the frames before it. */
  control(stream: PeerStream, frame: FrameDecoder<Route>): void {
    this.#types.count(frame.type);
    stream.messages++;
    const payload = payloadOf(frame);
    switch (frame.type.route.control) {
      case Control.Ping:
        this.#sender.outbox.reply(
          stream.slot,
          stream.generation,
          this.#pong,
          payload.subarray(0, MAX_PONG_BYTES),
          Claim.Control,
        );
        break;
      case Control.Pong:
        this.#sender.outbox.tell(RecordKind.Pong, stream.slot, stream.generation, [
          payload.subarray(0, MAX_PONG_BYTES),
        ]);
        break;
      case Control.Disconnect:
        // The first one is the cause; more would only keep the main thread busy.
        if (stream.saidGoodbye) break;
        stream.saidGoodbye = true;
        this.#sender.outbox.tell(RecordKind.Disconnect, stream.slot, stream.generation, [payload.subarray(0, 256)]);
        break;
      case Control.Pex:
        // One byte more than is ever read tells that there was more.
        this.#sender.outbox.tell(RecordKind.Pex, stream.slot, stream.generation, [
          payload.subarray(0, MAX_PEX_BYTES + 1),
        ]);
        break;
    }
  }

  /** Tells the main thread that a frame was dropped, and why. */
  violation(stream: PeerStream, code: ErrorCode): void {
    this.#sender.outbox.tell(RecordKind.Violation, stream.slot, stream.generation, [], code);
  }

  /** Messages of one inline type and one connection follow, until `end`. */
  begin(stream: PeerStream, type: TypeEntry<Route>): void {
    const message = this.#message;
    message.type = type.name;
    message.peerId = stream.peerId;
    message.value = undefined;
    this.#handler = type.route.handler!;
    this.#context.point(stream, type);
  }

  /** No message is in hand any more. */
  end(): void {
    this.#context.close();
  }

  /** Calls the handler on a payload. @returns whether it returned without an error */
  inline(source: Uint8Array<SharedArrayBuffer>, offset: number, bytes: number): boolean {
    const message = this.#message;
    message.point(source, offset, bytes);
    this.#context.renew();
    const handler = this.#handler;
    try {
      const result: unknown = handler(message, this.#context);
      if (result !== undefined && result instanceof Promise) this.#lateInline(message.type, result);
      return true;
    } catch (error) {
      this.#onError(message.type, error);
      return false;
    }
  }

  /** One message of an inline type. @returns whether its handler returned without an error */
  #inlineOne(stream: PeerStream, frame: FrameDecoder<Route>, value: unknown): boolean {
    this.begin(stream, frame.type);
    this.#message.value = value;
    const isWell = this.inline(frame.source, frame.payloadOffset, frame.payloadBytes);
    this.end();
    this.#types.ran(frame.type);
    return isWell;
  }

  /** An inline handler returned a promise: its payload is gone already, so all we can do is not to lose its error. */
  #lateInline(type: string, result: Promise<unknown>): void {
    result.catch((error: unknown) => this.#onError(type, error));
  }

  /** Copies a message into its type's queue. `hold` is that of a gossip type; it ends with the handler. */
  #enqueue(stream: PeerStream, frame: FrameDecoder<Route>, value: unknown, hold: SeenHold | null): void {
    const { type } = frame;
    const handler = type.route.handler!;
    const { seen } = this.#gossip;
    let isTaken = false;
    const { payloadBytes } = frame;
    const dropped = type.route.queue!.offer(payloadBytes, () => {
      isTaken = true;
      const payload = this.#copy(frame);
      const message = { type: type.name, payload, payloadBytes: payload.length, value, peerId: stream.peerId };
      const context = new Context(this.#sender, message);
      context.point(stream, type);
      stream.addQueued(payloadBytes);
      const released = () => stream.addQueued(-payloadBytes);
      if (hold === null) return { payload, run: () => handler(message, context), released };
      return {
        payload,
        run: () => this.#runGossip(handler, message, context, hold),
        dropped: () => seen.forget(hold),
        released,
      };
    });
    if (!isTaken && hold !== null) seen.forget(hold);
    if (dropped > 0) addCounter(this.#arena.words, this.#queueDropped, dropped);
  }

  async #runGossip(handler: Handler, message: Message, context: Context, hold: SeenHold): Promise<void> {
    try {
      await handler(message, context);
      context.settle();
    } finally {
      this.#sender.letGoSoon(hold);
    }
  }

  #deliver(stream: PeerStream, frame: FrameDecoder<Route>): void {
    const { bytes } = frame.type;
    const pieces = [Uint8Array.of(bytes.length), bytes, payloadOf(frame)];
    this.#sender.outbox.tell(RecordKind.Deliver, stream.slot, stream.generation, pieces);
  }

  #decode(frame: FrameDecoder<Route>): unknown {
    const decoded = decodeValue(payloadOf(frame));
    return decoded.ok ? decoded.value : payloadInvalid;
  }

  #copy(frame: FrameDecoder<Route>): Buffer {
    const { payloadBytes, source, payloadOffset } = frame;
    const start = inPhase(0, source.byteOffset + payloadOffset);
    const copy = Buffer.allocUnsafeSlow(start + payloadBytes).subarray(start);
    copy.set(payloadOf(frame));
    return copy;
  }
}

/** Where a frame's payload lies. */
function payloadOf(frame: FrameDecoder<Route>): Uint8Array<SharedArrayBuffer> {
  return frame.source.subarray(frame.payloadOffset, frame.payloadOffset + frame.payloadBytes);
}
