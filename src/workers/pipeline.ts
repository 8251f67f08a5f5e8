/**
 * The worker's turn: takes connections that have bytes, one after the other, decodes, validates and dispatches their
 * frames in place, and publishes what that caused. Worker thread; no threads needed to test it.
 *
 * Fairness: a visit to one connection ends after VISIT_BYTES, or as soon as its handlers have burnt VISIT_MS. When
 * handlers are slow, control messages of all waiting connections are answered first (`#sweepControls`): ping, pong and
 * disconnect never wait behind application handlers, neither slow ones nor full queues.
 *
 * Order of publication (architecture, "what may never happen" 4): a frame's effects are in the outbound ring before its
 * connection's Progress moves past it. Both are plain stores with no safepoint in between, so a thread that dies leaves
 * them agreeing: at most the one frame in hand is dispatched again. The hash of a gossip message in hand is let go of
 * between the two (`#letGo`), so that the message counts as new exactly as long as it may be dispatched again.
 */
import type { Clock } from '../shared/clock.js';
import { toSharedMs } from '../shared/clock.js';
import { ErrorCode } from '../shared/errors.js';
import { FRAME_HEADER_BYTES, LENGTH_FIELD_BYTES } from '../shared/limits.js';
import type { Arena } from '../shared/memory/arena.js';
import { Slot, SlotState, Worker, type WorkerCounter } from '../shared/memory/arena-layout.js';
import { addCounter } from '../shared/memory/counters.js';
import { addDuration } from '../shared/memory/histogram.js';
import { type OutboundWriter, RecordKind } from '../shared/memory/outbound-ring.js';
import { ReadyQueue } from '../shared/memory/ready-queue.js';
import type { TypeTable } from '../shared/memory/type-table.js';
import { Dispatched, type Dispatcher } from './dispatcher.js';
import { type FrameDecoder, Step } from './frame-decoder.js';
import type { Gossip } from './gossip.js';
import { Control, type Route, TRUSTED, unknownRoute } from './handler-registry.js';
import { LagWindow } from './lag-window.js';
import type { Outbox } from './outbox.js';
import { NOT_READY, PeerStream } from './peer-stream.js';
import type { TypeInterner } from './type-interner.js';

const VISIT_BYTES = 256 * 1024;
const VISIT_MS = 2;
/** Frames that one look ahead for control messages passes over, of all waiting connections together. */
const SWEEP_FRAMES = 2048;
/** And of each at least: however many wait, whoever sends little is seen through. */
const SCAN_FRAMES_MIN = 16;
/** The clock is looked at after so many of them: not every frame is as quick to pass over, and one ends after the time of a visit. */
const SCAN_STRIDE = 64;
/** After so long a turn leaves the connections that it has not come to for the next: others need the event loop, too. */
const TURN_MS = 5;
/** The clock is looked at after this many frames, and after each frame of a type whose handler is not known as quick. */
const STRIDE = 32;

/** How a visit ended. */
type Visit = 'idle' | 'more' | 'waiting' | 'released';

export class Pipeline {
  readonly #arena: Arena;
  readonly #clock: Clock;
  readonly #block: number;
  readonly #ready: ReadyQueue;
  readonly #ring: OutboundWriter;
  readonly #outbox: Outbox;
  readonly #gossip: Gossip;
  readonly #types: TypeInterner<Route>;
  readonly #table: TypeTable;
  readonly #decoder: FrameDecoder<Route>;
  readonly #dispatcher: Dispatcher;
  readonly #takeCommands: () => void;
  readonly #raiseMain: () => void;
  readonly #asides: ReadonlyMap<number, SharedArrayBuffer>;
  readonly #counter: (name: WorkerCounter) => number;
  readonly #streams: (PeerStream | null)[];
  readonly #lag: LagWindow;
  /** Words of histograms. */
  readonly #lags: number;
  readonly #residences: number;
  #run: PeerStream[] = [];
  #waiting: PeerStream[] = [];
  /** Handlers burn visits' time: others may be waiting with control messages. */
  #slow = false;
  /** Visits in a row that took too long. */
  #slowVisits = 0;
  #inTurn = false;
  /** The visit's connection gets no more bytes. */
  #isClosing = false;
  /** The visit ended for want of memory. */
  #isStarved = false;
  #handledBytes = 0;
  /** Frames that looks ahead have passed over since one of them looked at the clock. */
  #passedOver = 0;
  /** When the visit that is over ended. */
  #visitEndMs = 0;

  constructor(parts: {
    arena: Arena;
    worker: number;
    clock: Clock;
    ring: OutboundWriter;
    outbox: Outbox;
    gossip: Gossip;
    types: TypeInterner<Route>;
    table: TypeTable;
    decoder: FrameDecoder<Route>;
    dispatcher: Dispatcher;
    /** Carries out what the main thread has told this worker. Asked for each visit, between its look at the ring and its first frame. */
    takeCommands: () => void;
    raiseMain: () => void;
    /** Buffers of half-assembled frames that a worker before this one left. */
    asides: ReadonlyMap<number, SharedArrayBuffer>;
  }) {
    const { arena, worker } = parts;
    this.#arena = arena;
    this.#clock = parts.clock;
    this.#block = arena.layout.worker(worker);
    this.#ready = new ReadyQueue(arena, worker);
    this.#ring = parts.ring;
    this.#outbox = parts.outbox;
    this.#gossip = parts.gossip;
    this.#types = parts.types;
    this.#table = parts.table;
    this.#decoder = parts.decoder;
    this.#dispatcher = parts.dispatcher;
    this.#takeCommands = parts.takeCommands;
    this.#raiseMain = parts.raiseMain;
    this.#asides = parts.asides;
    this.#counter = (name) => arena.layout.workerCounter(worker, name);
    this.#streams = new Array(arena.layout.geometry.slots).fill(null);
    this.#lag = new LagWindow(arena.words, this.#block + Worker.LagUs);
    this.#lags = arena.layout.workerHistogram(worker, 'lag');
    this.#residences = arena.layout.workerHistogram(worker, 'residence');
  }

  /** Whether there is something to do without waiting. */
  get hasWork(): boolean {
    return this.#run.length > 0 || !this.#ready.isEmpty;
  }

  /** Bytes of frames that are done since this was last asked. */
  takeHandledBytes(): number {
    const bytes = this.#handledBytes;
    this.#handledBytes = 0;
    return bytes;
  }

  /** Whether connections wait for room in a queue or in the memory budget. */
  get hasWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  get inTurn(): boolean {
    return this.#inTurn;
  }

  /** Visits every connection that has bytes, once, or as many as there is time for. */
  turn(): void {
    this.#inTurn = true;
    const startMs = this.#clock.nowMs();
    this.#beat(startMs);
    this.#takeReady();
    const run = this.#run;
    this.#run = [];
    for (let i = 0; i < run.length; i++) {
      const stream = run[i];
      stream.scheduled = false;
      const visit = this.#visit(stream);
      if (visit === 'more') this.#schedule(stream);
      else if (visit === 'waiting' && !stream.waiting) {
        stream.waiting = true;
        this.#waiting.push(stream);
      }
      if (this.#slow) this.#sweepControls(run, i + 1);
      this.flush();
      if (this.#visitEndMs - startMs >= TURN_MS) {
        this.#run = [...run.slice(i + 1), ...this.#run];
        break;
      }
    }
    this.#inTurn = false;
  }

  /** Shows that this worker gets on: with each look at the clock, since slow handlers of many peers make a long turn. */
  #beat(nowMs: number): void {
    this.#arena.words[this.#block + Worker.HeartbeatMs] = toSharedMs(nowMs);
  }

  /** Publishes what has been sent, and wakes the main thread if it sleeps. */
  flush(): void {
    if (this.#ring.publish()) this.#raiseMain();
  }

  /** There may be room again in queues or budget: connections that waited for it get another visit. */
  retryWaiting(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    const { length } = waiting;
    for (let i = 1; i <= length; i++) {
      // Another one first each time: there may be room for no more than one.
      const stream = waiting[i % length];
      stream.waiting = false;
      this.#schedule(stream);
    }
  }

  #schedule(stream: PeerStream): void {
    if (stream.scheduled) return;
    stream.scheduled = true;
    this.#run.push(stream);
  }

  /** Moves connections from the ready queue to the run list. */
  #takeReady(): void {
    const { words, layout } = this.#arena;
    const nowMs = this.#clock.nowMs();
    const nowUs = Math.trunc(nowMs * 1000) | 0;
    while (this.#ready.pop()) {
      const slot = this.#ready.slot;
      const control = layout.slot(slot);
      const waitedUs = (nowUs - words[control + Slot.ReadyAtUs]) | 0;
      this.#lag.add(nowUs, waitedUs);
      addDuration(words, this.#lags, waitedUs);
      const stream = this.#stream(slot, control, this.#ready.generation);
      if (stream === null) continue;
      if (stream.readyMs === NOT_READY) {
        stream.readyMs = nowMs - waitedUs / 1000;
        stream.readyEnd = Atomics.load(words, control + Slot.WriteCursor);
      }
      this.#schedule(stream);
    }
    this.#lag.roll(nowUs);
  }

  /** The stream of a connection that was ready; null if this worker has let go of it, and its slot may be another's. */
  #stream(slot: number, control: number, generation: number): PeerStream | null {
    const { words } = this.#arena;
    const known = this.#streams[slot];
    if (known !== null && known.generation === generation) return known;
    if (words[control + Slot.Released] === generation) return null;
    const stream = new PeerStream(this.#arena, slot);
    this.#decoder.adopt(stream, this.#asides);
    this.#streams[slot] = stream;
    return stream;
  }

  #visit(stream: PeerStream): Visit {
    const { words } = this.#arena;
    const control = stream.control;
    if (this.#streams[stream.slot] !== stream) return 'released';
    // The state is loaded before the cursor: who sees Closing sees every byte that came before it.
    const state = Atomics.load(words, control + Slot.State);
    stream.end = Atomics.load(words, control + Slot.WriteCursor);
    // A turn may last: what was told before these bytes came, a new subscription, say, is in force for them.
    this.#takeCommands();
    if (state === SlotState.Aborted || (stream.latched && state !== SlotState.Open)) return this.#release(stream);
    if (stream.latched) {
      this.#discardAll(stream);
      return 'idle';
    }
    const { position } = stream;
    const starvedMs = words[control + Slot.StarvedSinceMs];
    this.#isClosing = state === SlotState.Closing;
    this.#isStarved = false;
    const visit = this.#frames(stream);
    const hasMoved = stream.position !== position;
    this.#handledBytes += (stream.position - position) | 0;
    if (!this.#isStarved) words[control + Slot.StarvedSinceMs] = 0;
    else if (hasMoved || starvedMs === 0) words[control + Slot.StarvedSinceMs] = toSharedMs(this.#visitEndMs);
    if (stream.readyMs !== NOT_READY && (visit === 'idle' || ((stream.position - stream.readyEnd) | 0) >= 0)) {
      addDuration(words, this.#residences, (this.#visitEndMs - stream.readyMs) * 1000);
      stream.readyMs = NOT_READY;
    }
    this.#publish(stream, visit);
    return visit === 'idle' && state === SlotState.Closing ? this.#release(stream) : visit;
  }

  /** Decodes and dispatches until nothing whole is left, something must wait, or the connection has had its share. */
  #frames(stream: PeerStream): Visit {
    const decoder = this.#decoder;
    const shareEnd = stream.position + VISIT_BYTES;
    const startMs = this.#clock.nowMs();
    let strideStartMs = startMs;
    let left = STRIDE;
    this.#slow = false;
    for (;;) {
      let ended: Visit | null = null;
      left -= this.#burst(stream, left);
      if (((stream.position - stream.published) | 0) > stream.capacity >> 2) this.#publishCursor(stream);
      if (left > 0) {
        ended = this.#next(stream);
        if (ended === null) {
          left--;
          if (left > 0 && decoder.type.route.trust === TRUSTED) continue;
        }
      }
      const nowMs = this.#clock.nowMs();
      this.#beat(nowMs);
      if (left < STRIDE) {
        this.#countTime(nowMs - strideStartMs, STRIDE - left);
        this.#judge(nowMs - strideStartMs, STRIDE - left);
      }
      const isLong = nowMs - startMs > VISIT_MS;
      if (ended !== null || isLong || ((stream.position - shareEnd) | 0) >= 0) {
        this.#slowVisits = isLong ? this.#slowVisits + 1 : 0;
        if (this.#slowVisits > 1) this.#slow = true;
        this.#visitEndMs = nowMs;
        return ended ?? 'more';
      }
      strideStartMs = nowMs;
      left = STRIDE;
    }
  }

  /** Decodes and dispatches one frame, whatever it is. @returns how the visit ends with it; null if it goes on */
  #next(stream: PeerStream): Visit | null {
    const { words } = this.#arena;
    const control = stream.control;
    switch (this.#decoder.next(stream)) {
      case Step.NeedMore:
        return 'idle';
      case Step.Starved:
        // Of a connection that is closed nothing more comes: a frame that is not whole never will be.
        if (this.#isClosing && !this.#decoder.isWholeThere(stream)) return 'idle';
        this.#isStarved = true;
        return 'waiting';
      case Step.TooLarge:
        this.#drop(stream, ErrorCode.MessageTooLarge);
        stream.latched = true;
        this.#ring.markProgress();
        words[control + Slot.Latched] = 1;
        this.#discardAll(stream);
        return 'idle';
      case Step.Dropped:
        this.#drop(stream, ErrorCode.InvalidMessageFormat);
        this.#commit(stream);
        break;
      case Step.Frame: {
        words[this.#block + Worker.InHand] = stream.slot + 1;
        const done = this.#frame(stream);
        if (done === Dispatched.Full) {
          words[this.#block + Worker.InHand] = 0;
          // Asked before the look ahead, which is at other types.
          this.#isStarved = this.#decoder.type.route.queue!.lacksMemory;
          this.#scanControls(stream, SWEEP_FRAMES);
          return 'waiting';
        }
        if (done === Dispatched.Held) this.#letGo(stream);
        break;
      }
    }
    this.#ring.markProgress();
    words[control + Slot.SkipRemaining] = stream.skip;
    words[control + Slot.Progress] = stream.position;
    words[this.#block + Worker.InHand] = 0;
    // Only now: from here on the message is its queue's, and what it does to this thread is not put down to a frame.
    this.#decoder.type.route.queue?.start();
    return null;
  }

  /**
   * The way of most frames: whole and in one piece, of the same type as the frame before, whose handler is inline, takes
   * bytes, and is known as quick. Does for each what the long way does, and leaves whatever is different to that: one
   * loop over local names, since at millions of frames a second every look into an object shows (`npm run bench ingest`).
   * It has no branch that is rare: one that is first taken when this is compiled already throws the compiled code away,
   * and where V8 has entered the loop from slow code before, it goes on doing so for good.
   * @returns how many frames it has dispatched, at most `most` and a quarter of the ring
   */
  #burst(stream: PeerStream, most: number): number {
    const { type } = this.#decoder;
    if (!isPlain(type.route) || stream.skip > 0 || stream.aside !== null) return 0;
    const { bytes, view, words } = this.#arena;
    const { control, capacity, position } = stream;
    if (words[control + Slot.SkipArmed] === 1) return 0;
    const dispatcher = this.#dispatcher;
    const ring = this.#ring;
    const typeBytes = type.bytes;
    const typeLength = typeBytes.length;
    const progress = control + Slot.Progress;
    const inHand = this.#block + Worker.InHand;
    const who = stream.slot + 1;
    const start = position & (capacity - 1);
    const base = stream.ring + start;
    const limit = Math.min((stream.end - position) | 0, capacity - start);
    const share = Math.min(limit, capacity >> 2);
    const head = FRAME_HEADER_BYTES + typeLength;
    // The length of the type and its first byte, read at once.
    const lead = (typeLength << 8) | typeBytes[0];
    let at = 0;
    let count = 0;
    dispatcher.begin(stream, type);
    while (count < most && at < share && limit - at >= head) {
      const frame = base + at;
      const wireBytes = LENGTH_FIELD_BYTES + view.getUint32(frame);
      if (wireBytes > limit - at || wireBytes < head) break;
      if ((view.getUint32(frame + LENGTH_FIELD_BYTES - 1) << 8) >>> 8 !== lead) break;
      let i = 1;
      while (i < typeLength && bytes[frame + FRAME_HEADER_BYTES + i] === typeBytes[i]) i++;
      if (i < typeLength) break;
      words[inHand] = who;
      dispatcher.inline(bytes, frame + head, wireBytes - head);
      at += wireBytes;
      count++;
      ring.markProgress();
      words[progress] = (position + at) | 0;
    }
    words[inHand] = 0;
    dispatcher.end();
    stream.position = (position + at) | 0;
    if (count > 0) {
      this.#types.count(type, count);
      this.#types.ran(type, count);
    }
    stream.messages += count;
    return count;
  }

  /**
   * Keeps what the gossip message in hand has caused, and lets go of its hash. Written out, because every call would be
   * a safepoint between stores that must agree.
   */
  #letGo(stream: PeerStream): void {
    const { words } = this.#arena;
    const progress = stream.control + Slot.Progress;
    const held = this.#block + Worker.SeenHeld;
    const { position } = stream;
    const hold = this.#gossip.inHand;
    this.#gossip.inHand = null;
    this.#ring.markProgress();
    if (hold !== null && hold.at !== 0) {
      Atomics.compareExchange(words, hold.at, hold.mark, 0);
      words[progress] = position;
      words[held]--;
    }
  }

  /**
   * Counts how long inline handlers took that ran since the last look at the clock: each an equal share of the time, since
   * nobody looked in between.
   */
  #countTime(tookMs: number, frames: number): void {
    const { untimed, untimedCount } = this.#types;
    const shareUs = (tookMs * 1000) / frames;
    for (let i = 0; i < untimedCount; i++) {
      const entry = untimed[i];
      this.#table.addHandled(entry.number, shareUs, entry.untimed);
      entry.untimed = 0;
    }
    this.#types.untimedCount = 0;
  }

  /**
   * Learns how quick handlers are from the time that the `frames` since the last look took. Where cores are short a thread
   * is now and then off its core for longer than a visit may take. So one long look at several frames, the last of a
   * trusted type, only makes all types suspects, whose next frame is looked at by itself or behind trusted ones. What is
   * long then is slow; so is a second long visit in a row.
   */
  #judge(tookMs: number, frames: number): void {
    const { route } = this.#decoder.type;
    if (tookMs <= VISIT_MS) {
      if (route.trust < TRUSTED) route.trust++;
      return;
    }
    const isSuspicion = frames > 1 && route.trust === TRUSTED;
    if (!isSuspicion) this.#slow = true;
    for (const entry of this.#types.touched) {
      const { route: touched } = entry;
      if (touched !== unknownRoute) touched.trust = isSuspicion ? Math.min(touched.trust, TRUSTED - 1) : 0;
    }
  }

  /** Dispatches the frame that the decoder found, unless it is to be passed over, and commits it. */
  #frame(stream: PeerStream): Dispatched {
    const { words } = this.#arena;
    const decoder = this.#decoder;
    const control = stream.control;
    if (words[control + Slot.SkipArmed] === 1 && words[control + Slot.SkipAt] === stream.position) {
      this.#drop(stream, ErrorCode.WorkerPoisoned);
      this.#dispatcher.skip(decoder);
      words[control + Slot.SkipArmed] = 0;
      this.#commit(stream);
      return Dispatched.Done;
    }
    const isControl = decoder.type.route.control !== Control.None;
    const scannedAlready = isControl && ((words[control + Slot.Scanned] - stream.position) | 0) > 0;
    const done = scannedAlready ? Dispatched.Done : this.#dispatcher.dispatch(stream, decoder);
    if (done === Dispatched.Full) return done;
    if (done === Dispatched.Invalid) this.#drop(stream, ErrorCode.InvalidMessageFormat);
    this.#commit(stream);
    return done === Dispatched.Held ? done : Dispatched.Done;
  }

  #commit(stream: PeerStream): void {
    if (stream.aside !== null) this.#keepAside(stream);
    // A frame that has waited may have been done another way than it began to: its type's routes have changed meanwhile.
    stream.waitingHash = null;
    this.#decoder.commit(stream);
  }

  /** A frame that was assembled aside is done for good once its buffer goes back: what it caused must be kept by then. */
  #keepAside(stream: PeerStream): void {
    if (this.#gossip.inHand === null) this.#ring.markProgress();
    else this.#letGo(stream);
  }

  #drop(stream: PeerStream, code: ErrorCode): void {
    stream.dropped++;
    const name =
      code === ErrorCode.MessageTooLarge
        ? 'droppedTooLarge'
        : code === ErrorCode.WorkerPoisoned
          ? 'droppedPoisoned'
          : 'droppedInvalid';
    addCounter(this.#arena.words, this.#counter(name), 1);
    this.#dispatcher.violation(stream, code);
  }

  /** Publishes a connection's cursor and counters after a visit. */
  #publish(stream: PeerStream, visit: Visit): void {
    const { words } = this.#arena;
    const control = stream.control;
    // Control messages that were answered ahead count as well.
    const gotMessages = stream.messages > 0;
    this.#publishCursor(stream);
    if (((words[control + Slot.Scanned] - stream.position) | 0) < 0) words[control + Slot.Scanned] = stream.position;
    if (gotMessages) {
      const messages = stream.messages;
      stream.messages = 0;
      // The sum comes last: who sees it finds the messages under their types and peers, too.
      this.#publishTypes(stream);
      addCounter(words, control + Slot.MessagesReceived, messages);
      addCounter(words, this.#counter('messagesReceived'), messages);
      this.#dispatcher.publishUnhandled();
    }
    if (stream.dropped > 0) {
      addCounter(words, control + Slot.FramesDropped, stream.dropped);
      stream.dropped = 0;
    }
    const begun = visit === 'idle' && (stream.end !== stream.position || stream.aside !== null || stream.skip > 0);
    if (!begun) words[control + Slot.PartialSinceMs] = 0;
    else if (gotMessages || words[control + Slot.PartialSinceMs] === 0) {
      words[control + Slot.PartialSinceMs] = toSharedMs(this.#clock.nowMs());
    }
  }

  #publishTypes(stream: PeerStream): void {
    const { touched } = this.#types;
    for (const entry of touched) {
      this.#table.addReceived(entry.number, entry.received);
      entry.received = 0;
      const { control } = entry.route;
      if (control !== Control.Ping && control !== Control.Pong) {
        this.#arena.words[stream.control + Slot.LastFrameMs] = toSharedMs(this.#clock.nowMs());
      }
    }
    touched.length = 0;
  }

  /** Gives consumed bytes back to the ring, and the socket its reading if it waits for half of the ring. */
  #publishCursor(stream: PeerStream): void {
    const { words } = this.#arena;
    const control = stream.control;
    if (stream.published === stream.position) return;
    stream.published = stream.position;
    Atomics.store(words, control + Slot.ReadCursor, stream.position);
    if (Atomics.load(words, control + Slot.ReadPaused) === 0) return;
    const used = (Atomics.load(words, control + Slot.WriteCursor) - stream.position) | 0;
    if (used > stream.capacity / 2) return;
    if (Atomics.compareExchange(words, control + Slot.ReadPaused, 1, 0) === 1) {
      this.#outbox.tell(RecordKind.Resume, stream.slot, stream.generation);
    }
  }

  /** After MessageTooLarge: whatever else arrives is thrown away until the main thread has closed the socket. */
  #discardAll(stream: PeerStream): void {
    stream.position = stream.end;
    this.#arena.words[stream.control + Slot.Progress] = stream.position;
    this.#publishCursor(stream);
  }

  /** Lets go of a connection: from now on the main thread may give the slot to another. */
  #release(stream: PeerStream): Visit {
    const { words } = this.#arena;
    this.#streams[stream.slot] = null;
    // Written out, because every call would be a safepoint between stores that must agree.
    words[stream.control + Slot.AsideBytes] = 0;
    words[stream.control + Slot.AsideId] = 0;
    words[stream.control + Slot.StarvedSinceMs] = 0;
    Atomics.store(words, stream.control + Slot.Released, stream.generation);
    this.#decoder.forget(stream);
    this.#outbox.tell(RecordKind.Released, stream.slot, stream.generation);
    return 'released';
  }

  /**
   * Handlers are slow: answers the control messages of every connection that waits for its visit. Each is looked through
   * for its share of frames only, since whoever floods us with frames has many; the next look goes on behind them.
   */
  #sweepControls(run: readonly PeerStream[], from: number): void {
    this.#takeReady();
    const waiting = run.length - from + this.#run.length + this.#waiting.length;
    const most = Math.max(SCAN_FRAMES_MIN, Math.trunc(SWEEP_FRAMES / waiting));
    for (let i = from; i < run.length; i++) this.#scanControls(run[i], most);
    for (const stream of this.#run) this.#scanControls(stream, most);
    for (const stream of this.#waiting) this.#scanControls(stream, most);
  }

  /**
   * Handles control messages in a connection's ring ahead of the frames before them, without consuming anything. Each is
   * handled once: `Scanned` remembers how far this went, and `#frame` passes over them in their turn.
   */
  #scanControls(stream: PeerStream, most: number): void {
    if (stream.latched || stream.skip > 0 || this.#streams[stream.slot] !== stream) return;
    // A large frame that is not whole has everything that has arrived behind it; a whole one that waits has left the ring.
    if (stream.aside !== null && !stream.asideWhole) return;
    const { words } = this.#arena;
    const decoder = this.#decoder;
    const position = stream.position;
    stream.end = Atomics.load(words, stream.control + Slot.WriteCursor);
    const ahead = (words[stream.control + Slot.Scanned] - position) | 0;
    if (ahead > 0) stream.position = (position + ahead) | 0;
    let sinceMs = Number.POSITIVE_INFINITY;
    for (let frames = 0; frames < most && decoder.peek(stream); frames++) {
      if (decoder.type.route.control !== Control.None) this.#dispatcher.control(stream, decoder);
      stream.position = (stream.position + decoder.wireBytes) | 0;
      this.#ring.markProgress();
      words[stream.control + Slot.Scanned] = stream.position;
      if (++this.#passedOver < SCAN_STRIDE) continue;
      this.#passedOver = 0;
      const nowMs = this.#clock.nowMs();
      this.#beat(nowMs);
      sinceMs = Math.min(sinceMs, nowMs);
      if (nowMs - sinceMs > VISIT_MS) break;
    }
    stream.position = position;
  }
}

/** Whether nothing is to be done with messages of a type but to call its handler, which is quick. */
function isPlain({ control, gossip, subscribed, handler, queue, policy, trust }: Route): boolean {
  if (handler === null || queue !== null || gossip || subscribed || trust < TRUSTED) return false;
  return control === Control.None && policy?.codec !== 'msgpack';
}
