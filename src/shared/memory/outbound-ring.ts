/**
 * Records from one worker (only producer) to the main thread (only consumer): frames to write and commands.
 *
 * A record is a header of eight words and data, padded to 32 bytes; it never wraps, a Pad record fills the end of the
 * ring instead.
 *
 *   word 0  bytes of the record, header and padding included
 *   word 1  kind, and << 8 the bytes between header and data, which put the data in phase with what it was copied from
 *   word 2  a: slot, or how many node IDs stand before the frames
 *   word 3  b: generation of the slot, or how many peers get the frames, 0 for all
 *   word 4  bytes of data
 *   word 5  number of the message type in the worker's type table
 *   word 6  frames in the data
 *   word 7  0, or for a part of a record too large for the ring: bytes of the whole data
 *
 * Adjacent frames of one type for one target share a record (a run), so that the main thread writes them at once.
 *
 * Crash safety. `tail` is private to the writer; after every inbound frame the writer stores it as OutboundProgress, a
 * plain store beside the connection's own Progress with no safepoint between them. If the thread dies, `recover`
 * publishes exactly what finished frames caused: a run that a half-done frame had extended is cut back.
 */
import { ID_BYTES, LENGTH_FIELD_BYTES } from '../limits.js';
import { readUint32BE } from '../wire/frame.js';
import type { Arena } from './arena.js';
import { Worker } from './arena-layout.js';
import { inPhase } from './copy-phase.js';

export const RECORD_ALIGN = 32;
export const RECORD_HEADER_BYTES = 32;
/** A node ID before the frames of a record, zero-padded. */
export const RECORD_ID_BYTES = ID_BYTES;

/** Kinds of records. Frames first: a kind under `Deliver` carries frames for sockets. */
export const RecordKind = {
  Pad: 0,
  /** Frames for the connection (a: slot, b: generation). */
  Send: 1,
  /** Frames for a peer by node ID: a = 1 and the ID before the frames. */
  SendTo: 2,
  /** Frames for all peers but the `a` node IDs before the frames. */
  Broadcast: 3,
  /** Frames to pass on to `b` peers, 0 for all, but not to whom they came from: a = 1 and its node ID before the frames. */
  Relay: 4,
  /** A message that the main thread subscribed to: [u8 type length][type][payload]. */
  Deliver: 5,
  /** A msgpack value for the node's `published` event. */
  Publish: 6,
  /** A pong came: its payload. */
  Pong: 7,
  /** The peer announced that it disconnects: the message's payload. */
  Disconnect: 8,
  /** A frame was dropped with code `type`; the connection stays, or is closed where the code says so. */
  Violation: 9,
  /** Half of the ring is free again: read on. */
  Resume: 10,
  /** The worker has let go of the connection. */
  Released: 11,
  /** A peer told addresses: the message's payload. */
  Pex: 12,
  /** A handler holds something against the peer: the reason as text. */
  Penalize: 13,
} as const;
export type RecordKind = (typeof RecordKind)[keyof typeof RecordKind];

const RUN_KINDS_END = RecordKind.Deliver;
/** How long a writer sleeps at most before it looks again; the reader notifies it as soon as there is room. */
const WAIT_MS = 100;

/** Word 1 of a record. */
const KIND_MASK = 0xff;
const GAP_SHIFT = 8;
/** From this size on it is worth a record of its own that a frame is copied in phase. */
const LARGE_BYTES = 2048;

function gapOf(word: number): number {
  return word >>> GAP_SHIFT;
}

function align(bytes: number): number {
  return (bytes + RECORD_ALIGN - 1) & -RECORD_ALIGN;
}

/** The producer. Worker thread. */
export class OutboundWriter {
  /** Largest data of one record; what is larger goes in parts. */
  readonly maxDataBytes: number;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #base: number;
  readonly #capacity: number;
  readonly #block: number;
  readonly #onFull: () => void;
  /** End of the last record's data; aligned unless a run is open. */
  #tail: number;
  /** Word of the open run's header, -1 for none. Only a run that is not published may grow. */
  #open = -1;
  /** OutboundRead as last loaded: since then only room has been made. */
  #seenRead: number;

  /** `onFull` is called when the ring is full, before the writer waits: it wakes the reader. */
  constructor(arena: Arena, worker: number, onFull: () => void) {
    this.#words = arena.words;
    this.#base = arena.layout.outboundRing(worker);
    this.#capacity = arena.layout.geometry.outboundBytes;
    this.#block = arena.layout.worker(worker);
    this.#onFull = onFull;
    this.maxDataBytes = this.#capacity / 4 - RECORD_HEADER_BYTES;
    this.#tail = this.#words[this.#block + Worker.OutboundWrite];
    this.#seenRead = this.#words[this.#block + Worker.OutboundRead];
  }

  /**
   * Makes a record and returns where its data goes, a byte offset in the arena. Waits while the ring is full: the
   * reader never waits for a worker, so this ends. The reader sees the record after `publish`.
   * @param source a byte offset that the data is to be in phase with
   */
  record(
    kind: RecordKind,
    a: number,
    b: number,
    dataBytes: number,
    type: number,
    frames: number,
    whole = 0,
    source = 0,
  ): number {
    if (dataBytes > this.maxDataBytes) throw new RangeError(`record of ${dataBytes} bytes`);
    this.#close();
    const headBytes = inPhase(RECORD_HEADER_BYTES, source);
    const bytes = align(headBytes + dataBytes);
    const offset = this.#room(bytes);
    const word = offset / 4;
    const words = this.#words;
    words[word] = bytes;
    words[word + 1] = kind | ((headBytes - RECORD_HEADER_BYTES) << GAP_SHIFT);
    words[word + 2] = a;
    words[word + 3] = b;
    words[word + 4] = dataBytes;
    words[word + 5] = type;
    words[word + 6] = frames;
    words[word + 7] = whole;
    const isRun = kind < RUN_KINDS_END && whole === 0;
    this.#tail = (this.#tail + (isRun ? headBytes + dataBytes : bytes)) | 0;
    if (isRun) this.#open = word;
    return offset + headBytes;
  }

  /**
   * Adds one more frame to the open run if that run has this kind, target and type and room behind it, and a large frame
   * would lie in phase with `source` there.
   * @returns where the frame goes, or -1
   */
  extend(kind: RecordKind, a: number, b: number, frameBytes: number, type: number, source: number): number {
    const word = this.#open;
    const words = this.#words;
    if (word === -1 || (words[word + 1] & KIND_MASK) !== kind || words[word + 2] !== a || words[word + 3] !== b)
      return -1;
    const dataBytes = words[word + 4] + frameBytes;
    if (words[word + 5] !== type || dataBytes > this.maxDataBytes) return -1;
    const tail = this.#tail;
    const offset = tail & (this.#capacity - 1);
    if (offset === 0 || offset + frameBytes > this.#capacity) return -1;
    if (frameBytes >= LARGE_BYTES && inPhase(offset, source) !== offset) return -1;
    if (!this.#hasRoom((align(tail + frameBytes) - tail) | 0)) return -1;
    words[word + 4] = dataBytes;
    words[word] = align(RECORD_HEADER_BYTES + gapOf(words[word + 1]) + dataBytes);
    words[word + 6]++;
    this.#tail = (this.#tail + frameBytes) | 0;
    return this.#base + offset;
  }

  /** Keeps what has been written so far even if this thread dies: call when an inbound frame is done. */
  markProgress(): void {
    this.#words[this.#block + Worker.OutboundProgress] = this.#tail;
  }

  /** Shows the reader everything written so far. @returns whether there was anything new */
  publish(): boolean {
    this.#close();
    const words = this.#words;
    words[this.#block + Worker.OutboundProgress] = this.#tail;
    if (words[this.#block + Worker.OutboundWrite] === this.#tail) return false;
    Atomics.store(words, this.#block + Worker.OutboundWrite, this.#tail);
    return true;
  }

  #close(): void {
    if (this.#open === -1) return;
    this.#open = -1;
    this.#tail = align(this.#tail);
  }

  #hasRoom(bytes: number): boolean {
    if (((this.#tail - this.#seenRead) | 0) + bytes <= this.#capacity) return true;
    this.#seenRead = Atomics.load(this.#words, this.#block + Worker.OutboundRead);
    return ((this.#tail - this.#seenRead) | 0) + bytes <= this.#capacity;
  }

  /** Waits until `bytes` fit without a wrap and returns their offset; fills the end of the ring with a pad if need be. */
  #room(bytes: number): number {
    const offset = this.#tail & (this.#capacity - 1);
    const toEnd = this.#capacity - offset;
    const pad = toEnd < bytes ? toEnd : 0;
    while (!this.#hasRoom(pad + bytes)) this.#waitForReader();
    if (pad > 0) {
      this.#words[(this.#base + offset) / 4] = pad;
      this.#words[(this.#base + offset) / 4 + 1] = RecordKind.Pad;
      this.#tail = (this.#tail + pad) | 0;
    }
    return this.#base + (this.#tail & (this.#capacity - 1));
  }

  /**
   * Waits for the cursor to move on from where it left no room. Not from where it stands by now: a reader that has
   * released meanwhile took the waiting flag back, and would not notify again.
   */
  #waitForReader(): void {
    const words = this.#words;
    const waiting = this.#block + Worker.OutboundWaiting;
    this.publish();
    Atomics.store(words, waiting, 1);
    this.#onFull();
    Atomics.wait(words, this.#block + Worker.OutboundRead, this.#seenRead, WAIT_MS);
    Atomics.store(words, waiting, 0);
  }
}

/** The consumer. Main thread. */
export class OutboundReader {
  kind: RecordKind = RecordKind.Pad;
  a = 0;
  b = 0;
  dataBytes = 0;
  /** Byte offset of the record's data in the arena. */
  dataOffset = 0;
  type = 0;
  frames = 0;
  whole = 0;
  readonly #arena: Arena;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #base: number;
  readonly #capacity: number;
  readonly #block: number;
  #head: number;

  constructor(arena: Arena, worker: number) {
    this.#arena = arena;
    this.#words = arena.words;
    this.#base = arena.layout.outboundRing(worker);
    this.#capacity = arena.layout.geometry.outboundBytes;
    this.#block = arena.layout.worker(worker);
    this.#head = this.#words[this.#block + Worker.OutboundRead];
  }

  get isEmpty(): boolean {
    return this.published === this.#head;
  }

  /** Cursor behind the last record that the writer has published. */
  get published(): number {
    return Atomics.load(this.#words, this.#block + Worker.OutboundWrite);
  }

  /** Cursor behind the last record stepped over. */
  get position(): number {
    return this.#head;
  }

  /** Steps to the next record; its fields are then in this object. Its memory stays valid until `release`. */
  next(): boolean {
    const words = this.#words;
    for (;;) {
      if (this.isEmpty) return false;
      const offset = this.#base + (this.#head & (this.#capacity - 1));
      const word = offset / 4;
      this.#head = (this.#head + words[word]) | 0;
      const gap = gapOf(words[word + 1]);
      this.kind = (words[word + 1] & KIND_MASK) as RecordKind;
      if (this.kind === RecordKind.Pad) continue;
      this.a = words[word + 2];
      this.b = words[word + 3];
      this.dataBytes = words[word + 4];
      this.dataOffset = offset + RECORD_HEADER_BYTES + gap;
      this.type = words[word + 5];
      this.frames = words[word + 6];
      this.whole = words[word + 7];
      return true;
    }
  }

  /** Gives the memory of all records stepped over back to the writer, and wakes it if it waits for room. */
  release(): void {
    const words = this.#words;
    Atomics.store(words, this.#block + Worker.OutboundRead, this.#head);
    if (Atomics.exchange(words, this.#block + Worker.OutboundWaiting, 0) === 1) {
      Atomics.notify(words, this.#block + Worker.OutboundRead);
    }
  }

  /**
   * After the writer died: publishes what its finished inbound frames had written, and nothing of the one in hand.
   * A run that reaches past that point is cut back to whole frames before it.
   */
  recover(): void {
    const words = this.#words;
    const progress = words[this.#block + Worker.OutboundProgress];
    let at = Atomics.load(words, this.#block + Worker.OutboundWrite);
    while (((progress - at) | 0) > 0) {
      const offset = this.#base + (at & (this.#capacity - 1));
      const word = offset / 4;
      const end = (at + words[word]) | 0;
      if (((end - progress) | 0) > 0) {
        const headBytes = RECORD_HEADER_BYTES + gapOf(words[word + 1]);
        const kind = words[word + 1] & KIND_MASK;
        const dataBytes = (progress - at - headBytes) | 0;
        words[word] = align(headBytes + dataBytes);
        words[word + 4] = dataBytes;
        words[word + 6] = this.#countFrames(offset + headBytes, dataBytes, kind, words[word + 2]);
      }
      at = (at + words[word]) | 0;
    }
    words[this.#block + Worker.OutboundProgress] = at;
    Atomics.store(words, this.#block + Worker.OutboundWrite, at);
    Atomics.store(words, this.#block + Worker.OutboundWaiting, 0);
  }

  #countFrames(offset: number, dataBytes: number, kind: number, ids: number): number {
    let at = kind === RecordKind.Send ? 0 : ids * RECORD_ID_BYTES;
    let frames = 0;
    for (; at < dataBytes; frames++) at += LENGTH_FIELD_BYTES + readUint32BE(this.#arena.bytes, offset + at);
    if (at !== dataBytes) throw new Error('outbound run is not whole frames');
    return frames;
  }
}
