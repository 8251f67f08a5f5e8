/**
 * Takes decoded frames to whoever they are for: the protocol's own control messages, handlers, subscribers. Worker
 * thread. A handler is a trust boundary: what it throws is counted and logged, and the next frame goes on.
 */
import type { ErrorCode } from '../shared/errors.js';
import { MAX_PONG_BYTES } from '../shared/limits.js';
import type { Arena } from '../shared/memory/arena.js';
import { addCounter } from '../shared/memory/counters.js';
import { RecordKind } from '../shared/memory/outbound-ring.js';
import { decodeValue } from '../shared/wire/msgpack.js';
import { Context, InlineMessage, type Sender } from './context.js';
import type { FrameDecoder } from './frame-decoder.js';
import { Control, type Route } from './handler-registry.js';
import type { SendType } from './outbox.js';
import type { PeerStream } from './peer-stream.js';
import type { TypeInterner } from './type-interner.js';

/** What became of a frame. */
export const Dispatched = {
  Done: 0,
  /** Its type's queue is full: it stays in the ring. */
  Full: 1,
  /** Its payload does not decode as its type's codec says. */
  Invalid: 2,
} as const;
export type Dispatched = (typeof Dispatched)[keyof typeof Dispatched];

const payloadInvalid = Symbol('payload that does not decode');

export class Dispatcher {
  readonly #arena: Arena;
  readonly #sender: Sender;
  readonly #types: TypeInterner<Route>;
  readonly #pong: SendType;
  readonly #message = new InlineMessage();
  readonly #context: Context;
  readonly #onError: (type: string, error: unknown) => void;
  readonly #unhandled: number;
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
    this.#types = parts.types;
    this.#pong = parts.pong;
    this.#context = new Context(parts.sender);
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
      addCounter(this.#arena.words, this.#unhandled, 1);
      return Dispatched.Done;
    }
    if (route.subscribed) this.#deliver(stream, frame);
    if (queue !== null) this.#enqueue(stream, frame, value);
    else if (handler !== null) this.#inline(stream, frame, value);
    return Dispatched.Done;
  }

  /** Handles a control message, in its turn or ahead of the frames before it. */
  control(stream: PeerStream, frame: FrameDecoder<Route>): void {
    this.#types.count(frame.type);
    stream.messages++;
    const payload = frame.source.subarray(frame.payloadOffset, frame.payloadOffset + frame.payloadBytes);
    switch (frame.type.route.control) {
      case Control.Ping:
        this.#sender.outbox.reply(stream.slot, stream.generation, this.#pong, payload.subarray(0, MAX_PONG_BYTES));
        break;
      case Control.Pong:
        this.#sender.outbox.tell(RecordKind.Pong, stream.slot, stream.generation, [
          payload.subarray(0, MAX_PONG_BYTES),
        ]);
        break;
      case Control.Disconnect:
        this.#sender.outbox.tell(RecordKind.Disconnect, stream.slot, stream.generation, [payload.subarray(0, 256)]);
        break;
    }
  }

  /** Tells the main thread that a frame was dropped, and why. */
  violation(stream: PeerStream, code: ErrorCode): void {
    this.#sender.outbox.tell(RecordKind.Violation, stream.slot, stream.generation, [], code);
  }

  #inline(stream: PeerStream, frame: FrameDecoder<Route>, value: unknown): void {
    const message = this.#message;
    message.type = frame.type.name;
    message.peerId = stream.peerId;
    message.value = value;
    message.point(frame.source, frame.payloadOffset, frame.payloadBytes);
    this.#context.point(stream.slot, stream.generation);
    try {
      const result: unknown = frame.type.route.handler!(message, this.#context);
      if (result instanceof Promise) this.#lateInline(frame.type.name, result);
    } catch (error) {
      this.#onError(frame.type.name, error);
    }
  }

  /** An inline handler returned a promise: its payload is gone already, so all we can do is not to lose its error. */
  #lateInline(type: string, result: Promise<unknown>): void {
    result.catch((error: unknown) => this.#onError(type, error));
  }

  #enqueue(stream: PeerStream, frame: FrameDecoder<Route>, value: unknown): void {
    const { handler, queue } = frame.type.route;
    const { slot, generation, peerId } = stream;
    const type = frame.type.name;
    const dropped = queue!.offer(frame.payloadBytes, () => {
      const payload = this.#copy(frame);
      const message = { type, payload, payloadBytes: payload.length, value, peerId };
      return { payload, run: () => handler!(message, new Context(this.#sender, slot, generation)) };
    });
    if (dropped > 0) addCounter(this.#arena.words, this.#queueDropped, dropped);
  }

  #deliver(stream: PeerStream, frame: FrameDecoder<Route>): void {
    const { bytes } = frame.type;
    const payload = frame.source.subarray(frame.payloadOffset, frame.payloadOffset + frame.payloadBytes);
    const head = Uint8Array.of(bytes.length);
    this.#sender.outbox.tell(RecordKind.Deliver, stream.slot, stream.generation, [head, bytes, payload]);
  }

  #decode(frame: FrameDecoder<Route>): unknown {
    const decoded = decodeValue(frame.source.subarray(frame.payloadOffset, frame.payloadOffset + frame.payloadBytes));
    return decoded.ok ? decoded.value : payloadInvalid;
  }

  #copy(frame: FrameDecoder<Route>): Buffer {
    const copy = Buffer.allocUnsafeSlow(frame.payloadBytes);
    copy.set(frame.source.subarray(frame.payloadOffset, frame.payloadOffset + frame.payloadBytes));
    return copy;
  }
}
