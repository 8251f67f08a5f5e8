/**
 * Takes decoded frames to whoever they are for: the protocol's own control messages, handlers, subscribers. Worker
 * thread. A handler is a trust boundary: what it throws is counted and logged, and the next frame goes on.
 */
import { type ErrorCode, NodeError } from '../shared/errors.js';
import type { Handler, Message } from '../shared/handler.js';
import { MAX_PEX_BYTES, MAX_PONG_BYTES } from '../shared/limits.js';
import type { Arena } from '../shared/memory/arena.js';
import { QUEUED_UNIT_BYTES, Slot } from '../shared/memory/arena-layout.js';
import { addCounter } from '../shared/memory/counters.js';
import { Claim } from '../shared/memory/memory-budget.js';
import { RecordKind } from '../shared/memory/outbound-ring.js';
import { EntryWord, entryPeerId, openEntries, SegmentWord, segmentType } from '../shared/memory/queue-segment.js';
import type { SeenHold } from '../shared/memory/seen-table.js';
import { decodeValue, encodingFault } from '../shared/wire/msgpack.js';
import type { Aside, AsideStore } from './aside-store.js';
import { Context, InlineMessage, type Sender } from './context.js';
import type { FrameDecoder } from './frame-decoder.js';
import type { Gossip } from './gossip.js';
import type { QueuedMessage } from './handler-queue.js';
import { Control, newRoute, type Route } from './handler-registry.js';
import { isPromise } from './is-promise.js';
import type { SendType } from './outbox.js';
import type { Origin, PeerStream } from './peer-stream.js';
import type { QueueEntry, QueueLog } from './queue-log.js';
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
      value = queue === null ? this.#decode(frame) : this.#check(frame);
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
    if (queue !== null) this.#enqueue(stream, frame, null);
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
      value = queue === null ? this.#decode(frame) : this.#check(frame);
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
      this.#enqueue(stream, frame, gossip.handOver());
      return Dispatched.Done;
    }
    if (handler === null) this.#sender.relay(stream, type, payload);
    else this.#inlineOne(stream, frame, value);
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
    this.#message.close();
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
      return typeof result !== 'object' || this.#isThrough(message.type, result);
    } catch (error) {
      this.#onError(message.type, error);
      return false;
    }
  }

  /** One message of an inline type; one of a gossip type is passed on if its handler returns without an error. */
  #inlineOne(stream: PeerStream, frame: FrameDecoder<Route>, value: unknown): void {
    this.begin(stream, frame.type);
    this.#message.value = value;
    const isWell = this.inline(frame.source, frame.payloadOffset, frame.payloadBytes);
    if (isWell && frame.type.route.gossip) this.#context.settle();
    this.end();
    this.#types.ran(frame.type);
  }

  /** An inline handler may return anything but a promise: its payload would be gone before that settles. */
  #isThrough(type: string, result: unknown): boolean {
    if (!isPromise(result)) return true;
    const fail = (error: unknown) => this.#onError(type, error);
    fail(new NodeError('ERR_PAW_HANDLER', `the handler of '${type}' is inline and returned a promise`));
    result.then(undefined, fail);
    return false;
  }

  /** Copies a message into its type's queue. `hold` is that of a gossip type; it ends with the handler. */
  #enqueue(stream: PeerStream, frame: FrameDecoder<Route>, hold: SeenHold | null): void {
    const { type, source, payloadOffset, payloadBytes } = frame;
    const queue = type.route.queue!;
    let isTaken = false;
    const dropped = queue.offer(payloadBytes, () => {
      isTaken = true;
      const entry = queue.log.append(stream, source, payloadOffset, payloadBytes, hold);
      return this.#queued(type, entry, stream);
    });
    if (!isTaken && hold !== null) this.#gossip.seen.forget(hold);
    if (dropped > 0) addCounter(this.#arena.words, this.#queueDropped, dropped);
  }

  /** A value is decoded when its handler is called: what waits in a queue takes the bytes that were counted for it. */
  #queued(type: TypeEntry<Route>, entry: QueueEntry, origin: Origin): QueuedMessage {
    const { gossip, policy } = type.route;
    const handler = type.route.handler!;
    const { payload } = entry;
    const fields = { type: type.name, payload, payloadBytes: payload.length, peerId: origin.peerId };
    const message: Message & { value: unknown } = { ...fields, value: undefined };
    const context = new Context(this.#sender, message);
    context.point(origin, type);
    const units = Math.ceil(payload.length / QUEUED_UNIT_BYTES);
    this.#addQueued(origin, units);
    const released = () => this.#addQueued(origin, -units);
    const handle = () => {
      if (policy?.codec === 'msgpack') message.value = decodeOwn(payload);
      return gossip ? settleAfter(handler(message, context), context) : handler(message, context);
    };
    return { entry, run: handle, released };
  }

  /** So many units more of a connection's messages wait or run in handler queues, or fewer. */
  #addQueued({ slot, generation }: Origin, units: number): void {
    const { words, layout } = this.#arena;
    const control = layout.slot(slot);
    if (words[control + Slot.Generation] !== generation || words[control + Slot.Released] === generation) return;
    words[control + Slot.QueuedUnits] += units;
  }

  /**
   * Takes over what waited in the queues of a worker that died, in order. Once all handlers are known, before the first turn.
   * @param segments by ID, of which `store` is told
   * @returns how many messages were at work when it died
   */
  adoptQueues(segments: ReadonlyMap<number, SharedArrayBuffer>, store: AsideStore): number {
    const left = new Map<QueueLog, { memory: Aside; sequence: number; type: TypeEntry<Route> }[]>();
    for (const [id, buffer] of segments) {
      const memory = store.adopt(id, buffer);
      const words = new Int32Array(buffer);
      const entries = openEntries(words).length;
      const type = entries === 0 ? null : this.#types.declare(segmentType(words), newRoute);
      const log = type?.route.queue?.log;
      if (type === null || log === undefined) {
        // Nobody here handles the type any more.
        words[SegmentWord.Tail] = 0;
        if (entries > 0) addCounter(this.#arena.words, this.#queueDropped, entries);
        store.give(memory);
        continue;
      }
      const segment = { memory, sequence: words[SegmentWord.Sequence], type };
      left.set(log, [...(left.get(log) ?? []), segment]);
    }
    let suspects = 0;
    for (const [log, ofLog] of left) {
      ofLog.sort((a, b) => a.sequence - b.sequence);
      const { type } = ofLog[0];
      const entries = ofLog.flatMap(({ memory }) => log.adopt(memory));
      suspects += entries.filter(({ isSuspect }) => isSuspect).length;
      type.route.queue!.adopt(entries.map((entry) => this.#adopted(type, entry)));
    }
    return suspects;
  }

  #adopted(type: TypeEntry<Route>, entry: QueueEntry): QueuedMessage {
    const { words } = entry.segment;
    const peerIdBytes = entryPeerId(words, entry.at);
    const peerId = Buffer.from(peerIdBytes.subarray(0, words[entry.at + EntryWord.PeerIdLength])).toString();
    const slot = words[entry.at + EntryWord.Slot];
    const generation = words[entry.at + EntryWord.Generation];
    return this.#queued(type, entry, { slot, generation, peerId, peerIdBytes });
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

  /** Whether a payload that will be decoded later will then decode. */
  #check(frame: FrameDecoder<Route>): typeof payloadInvalid | undefined {
    return encodingFault(payloadOf(frame)) === null ? undefined : payloadInvalid;
  }
}

/** A queued handler of a gossip type: what it takes well is passed on. */
function settleAfter(result: unknown, context: Context): unknown {
  if (isPromise(result)) return result.then(() => context.settle());
  context.settle();
  return undefined;
}

/** What was found to decode when it was queued. */
function decodeOwn(payload: Buffer): unknown {
  const decoded = decodeValue(payload);
  if (!decoded.ok) throw new Error(`queued value does not decode: ${decoded.why}`);
  return decoded.value;
}

/** Where a frame's payload lies. */
function payloadOf(frame: FrameDecoder<Route>): Uint8Array<SharedArrayBuffer> {
  return frame.source.subarray(frame.payloadOffset, frame.payloadOffset + frame.payloadBytes);
}
