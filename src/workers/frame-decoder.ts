/**
 * Cuts the bytes in a connection's ring into frames, in place. Worker thread; no I/O, so tests drive it directly.
 *
 * A frame that lies in one piece is described where it lies. One that wraps round the end of the ring is copied into the
 * worker's scratch. One larger than half the ring is assembled aside as it arrives, so the ring never blocks on it. The
 * caller handles a frame, or tells that it was dropped, and then calls `commit`; until then nothing of it is given up, except
 * that bytes copied aside leave the ring. Then it stores Progress and SkipRemaining.
 */
import {
  FRAME_HEADER_BYTES,
  LENGTH_FIELD_BYTES,
  MAX_FRAME_LENGTH,
  MAX_TYPE_BYTES,
  TYPE_LENGTH_FIELD_BYTES,
} from '../shared/limits.js';
import type { Arena } from '../shared/memory/arena.js';
import { Slot } from '../shared/memory/arena-layout.js';
import { inPhase, MAX_PHASE_BYTES } from '../shared/memory/copy-phase.js';
import { readUint16BE, readUint32BE } from '../shared/wire/frame.js';
import type { Aside, AsideStore } from './aside-store.js';
import type { PeerStream } from './peer-stream.js';
import type { TypeEntry, TypeInterner } from './type-interner.js';

/** What `next` found. */
export const Step = {
  /** Nothing whole is there. */
  NeedMore: 0,
  /** A frame: the decoder's fields describe it. */
  Frame: 1,
  /** A frame is to be dropped as InvalidMessageFormat: `commit` steps over what is there of it. */
  Dropped: 2,
  /** MessageTooLarge: nothing more may be read from this peer. */
  TooLarge: 3,
  /** The memory budget has no room for the frame that has begun; try again later. */
  Starved: 4,
} as const;
export type Step = (typeof Step)[keyof typeof Step];

/** A large frame is given so many times the memory that has arrived of it, at most what it declares. */
const ASIDE_AHEAD = 4;

export class FrameDecoder<Route> {
  /** Where the frame's payload lies after `Step.Frame`. */
  source: Uint8Array<SharedArrayBuffer>;
  payloadOffset = 0;
  payloadBytes = 0;
  type: TypeEntry<Route>;
  /** Bytes of the frame on the wire; of one that is dropped, those that are there. */
  wireBytes = 0;
  readonly #arena: Arena;
  readonly #scratch: number;
  readonly #asides: AsideStore;
  readonly #types: TypeInterner<Route>;

  constructor(arena: Arena, worker: number, asides: AsideStore, types: TypeInterner<Route>) {
    this.#arena = arena;
    this.#scratch = arena.layout.scratch(worker);
    this.#asides = asides;
    this.#types = types;
    this.source = arena.bytes;
    this.type = types.overflow;
  }

  /** Looks for the next frame between `stream.position` and `stream.end`. */
  next(stream: PeerStream): Step {
    if (stream.skip > 0 && !this.#skipOn(stream)) return Step.NeedMore;
    if (stream.aside !== null) return this.#assemble(stream);
    const available = (stream.end - stream.position) | 0;
    if (available < LENGTH_FIELD_BYTES) return Step.NeedMore;
    const bytes = this.#arena.bytes;
    const start = stream.position & (stream.capacity - 1);
    // The header may wrap; then it is read from scratch like a frame that wraps.
    let at = stream.ring + start;
    if (start + FRAME_HEADER_BYTES > stream.capacity)
      at = this.#unwrap(stream, start, Math.min(available, FRAME_HEADER_BYTES));
    const length = readUint32BE(bytes, at);
    if (length > MAX_FRAME_LENGTH) return Step.TooLarge;
    if (length < TYPE_LENGTH_FIELD_BYTES) return this.#drop(stream, LENGTH_FIELD_BYTES + length);
    if (available < FRAME_HEADER_BYTES) return Step.NeedMore;
    const typeBytes = readUint16BE(bytes, at + LENGTH_FIELD_BYTES);
    const wireBytes = LENGTH_FIELD_BYTES + length;
    if (typeBytes === 0 || typeBytes > MAX_TYPE_BYTES || typeBytes > length - TYPE_LENGTH_FIELD_BYTES) {
      return this.#drop(stream, wireBytes);
    }
    if (available < wireBytes) return this.#incomplete(stream, start, available, typeBytes, wireBytes);
    at = stream.ring + start;
    if (start + wireBytes > stream.capacity) {
      // Only a frame of at most half the ring is left in it until it is whole.
      if (wireBytes > this.#arena.layout.scratchBytes) return this.#beginAside(stream, wireBytes);
      at = this.#unwrap(stream, start, wireBytes);
    }
    return this.#describe(bytes, at, typeBytes, wireBytes) ? Step.Frame : this.#drop(stream, wireBytes);
  }

  /**
   * Looks whether a whole, valid frame lies in the ring at `stream.position`, changing nothing but the decoder's fields.
   * Used to look ahead; whatever is not such a frame ends the look.
   */
  peek(stream: PeerStream): boolean {
    const available = (stream.end - stream.position) | 0;
    if (available < FRAME_HEADER_BYTES) return false;
    const bytes = this.#arena.bytes;
    const start = stream.position & (stream.capacity - 1);
    let at = stream.ring + start;
    if (start + FRAME_HEADER_BYTES > stream.capacity) at = this.#unwrap(stream, start, FRAME_HEADER_BYTES);
    const wireBytes = LENGTH_FIELD_BYTES + readUint32BE(bytes, at);
    const typeBytes = readUint16BE(bytes, at + LENGTH_FIELD_BYTES);
    if (typeBytes === 0 || typeBytes > MAX_TYPE_BYTES || FRAME_HEADER_BYTES + typeBytes > wireBytes) return false;
    if (available < wireBytes || wireBytes > stream.capacity / 2) return false;
    at = start + wireBytes > stream.capacity ? this.#unwrap(stream, start, wireBytes) : stream.ring + start;
    return this.#describe(bytes, at, typeBytes, wireBytes);
  }

  /** Done with the frame: the stream stands behind it. */
  commit(stream: PeerStream): void {
    if (stream.aside === null) {
      stream.position = (stream.position + this.wireBytes) | 0;
      return;
    }
    this.#endAside(stream);
  }

  /** Whether all of the frame that `Step.Starved` was about has arrived. */
  isWholeThere(stream: PeerStream): boolean {
    const filled = stream.aside === null ? 0 : (stream.position - stream.asideStart) | 0;
    const available = (stream.end - stream.position) | 0;
    return filled + available >= this.#wireBytes(stream, filled);
  }

  /** The connection is let go of, and its control block names no buffer any more: that of a frame not whole goes back. */
  forget(stream: PeerStream): void {
    const { aside } = stream;
    stream.aside = null;
    if (aside !== null) this.#asides.give(aside);
  }

  /** Takes over the frame that a worker which died was assembling. */
  adopt(stream: PeerStream, buffers: ReadonlyMap<number, SharedArrayBuffer>): void {
    const { words } = this.#arena;
    const id = words[stream.control + Slot.AsideId];
    if (id === 0) return;
    const buffer = buffers.get(id);
    if (buffer === undefined) throw new Error(`aside buffer ${id} is gone`);
    stream.aside = this.#asides.adopt(id, buffer);
    stream.asideStart = words[stream.control + Slot.AsideStart];
  }

  /** Points the decoder's fields at a whole frame. False if its type is not valid. */
  #describe(source: Uint8Array<SharedArrayBuffer>, at: number, typeBytes: number, wireBytes: number): boolean {
    const type = this.#types.lookup(source, at + FRAME_HEADER_BYTES, typeBytes);
    if (type === null) return false;
    this.source = source;
    this.type = type;
    this.wireBytes = wireBytes;
    this.payloadOffset = at + FRAME_HEADER_BYTES + typeBytes;
    this.payloadBytes = wireBytes - FRAME_HEADER_BYTES - typeBytes;
    return true;
  }

  /** A frame that has only begun: if it is large, and its type is there and valid, it moves aside. */
  #incomplete(stream: PeerStream, start: number, available: number, typeBytes: number, wireBytes: number): Step {
    if (wireBytes <= stream.capacity / 2) return Step.NeedMore;
    const head = FRAME_HEADER_BYTES + typeBytes;
    if (head <= stream.capacity / 2) {
      if (available < head) return Step.NeedMore;
      const at = start + head > stream.capacity ? this.#unwrap(stream, start, head) : stream.ring + start;
      if (this.#types.lookup(this.#arena.bytes, at + FRAME_HEADER_BYTES, typeBytes) === null)
        return this.#drop(stream, wireBytes);
    }
    return this.#beginAside(stream, wireBytes);
  }

  #beginAside(stream: PeerStream, wireBytes: number): Step {
    const aside = this.#takeAside((stream.end - stream.position) | 0, wireBytes);
    if (aside === null) return Step.Starved;
    const { words } = this.#arena;
    stream.asideStart = stream.position;
    stream.aside = aside;
    words[stream.control + Slot.AsideStart] = stream.asideStart;
    words[stream.control + Slot.AsideBytes] = aside.bytes.length;
    words[stream.control + Slot.AsideId] = aside.id;
    return this.#assemble(stream);
  }

  /** Memory for a frame of which so much has arrived: some ahead of that, but not what a peer has merely declared. */
  #takeAside(arrivedBytes: number, wireBytes: number): Aside | null {
    const wanted = Math.min(wireBytes, ASIDE_AHEAD * arrivedBytes);
    const needed = Math.min(wireBytes, arrivedBytes);
    return this.#asides.take(MAX_PHASE_BYTES + wanted) ?? this.#asides.take(MAX_PHASE_BYTES + needed);
  }

  /** Moves what has arrived of a large frame aside. Its bytes so far are those from `asideStart` to `position`. */
  #assemble(stream: PeerStream): Step {
    let aside = stream.aside!;
    const start = inPhase(0, stream.asideStart);
    let filled = (stream.position - stream.asideStart) | 0;
    const available = (stream.end - stream.position) | 0;
    const wireBytes = this.#wireBytes(stream, filled);
    const take = Math.min(available, wireBytes - filled);
    if (start + filled + take > aside.bytes.length) {
      const larger = this.#takeAside(filled + take, wireBytes);
      if (larger === null) return Step.Starved;
      this.#moveTo(stream, larger, start + filled);
      aside = larger;
    }
    this.#copyOut(stream, take, aside.bytes, start + filled);
    filled += take;
    stream.position = (stream.position + take) | 0;
    this.#arena.words[stream.control + Slot.Progress] = stream.position;
    stream.asideWhole = filled === wireBytes;
    if (!stream.asideWhole) return Step.NeedMore;
    const typeBytes = readUint16BE(aside.bytes, start + LENGTH_FIELD_BYTES);
    return this.#describe(aside.bytes, start, typeBytes, wireBytes) ? Step.Frame : Step.Dropped;
  }

  /** What the large frame in hand declares; `filled` bytes of it are aside. */
  #wireBytes(stream: PeerStream, filled: number): number {
    // The length field may itself be incomplete only before the first copy, which takes all that has arrived.
    if (filled < LENGTH_FIELD_BYTES) return this.#wireBytesAt(stream);
    return LENGTH_FIELD_BYTES + readUint32BE(stream.aside!.bytes, inPhase(0, stream.asideStart));
  }

  #wireBytesAt(stream: PeerStream): number {
    const start = stream.position & (stream.capacity - 1);
    const at =
      start + LENGTH_FIELD_BYTES > stream.capacity
        ? this.#unwrap(stream, start, LENGTH_FIELD_BYTES)
        : stream.ring + start;
    return LENGTH_FIELD_BYTES + readUint32BE(this.#arena.bytes, at);
  }

  /** Goes on in a larger buffer; the first `bytes` of the one so far are in use. */
  #moveTo(stream: PeerStream, larger: Aside, bytes: number): void {
    const aside = stream.aside!;
    larger.bytes.set(aside.bytes.subarray(0, bytes));
    const { words } = this.#arena;
    stream.aside = larger;
    words[stream.control + Slot.AsideBytes] = larger.bytes.length;
    // The old buffer is given up only after the control block names the new one.
    words[stream.control + Slot.AsideId] = larger.id;
    this.#asides.give(aside);
  }

  #endAside(stream: PeerStream): void {
    const aside = stream.aside!;
    const { words } = this.#arena;
    stream.aside = null;
    words[stream.control + Slot.AsideBytes] = 0;
    words[stream.control + Slot.AsideId] = 0;
    this.#asides.give(aside);
  }

  /** Gives up a frame of `wireBytes`: what is there with the commit, the rest as it comes. */
  #drop(stream: PeerStream, wireBytes: number): Step {
    this.wireBytes = Math.min(wireBytes, (stream.end - stream.position) | 0);
    stream.skip = wireBytes - this.wireBytes;
    return Step.Dropped;
  }

  /** Steps over further bytes of a dropped frame. @returns whether all of them have come */
  #skipOn(stream: PeerStream): boolean {
    const bytes = Math.min(stream.skip, (stream.end - stream.position) | 0);
    stream.skip -= bytes;
    stream.position = (stream.position + bytes) | 0;
    const { words } = this.#arena;
    words[stream.control + Slot.SkipRemaining] = stream.skip;
    words[stream.control + Slot.Progress] = stream.position;
    return stream.skip === 0;
  }

  /** Copies `length` bytes that wrap from ring offset `start` into scratch, in one piece. @returns where they are */
  #unwrap(stream: PeerStream, start: number, length: number): number {
    const bytes = this.#arena.bytes;
    const first = Math.min(length, stream.capacity - start);
    const at = inPhase(this.#scratch, stream.ring + start);
    bytes.copyWithin(at, stream.ring + start, stream.ring + start + first);
    bytes.copyWithin(at + first, stream.ring, stream.ring + length - first);
    return at;
  }

  #copyOut(stream: PeerStream, length: number, target: Uint8Array, offset: number): void {
    const bytes = this.#arena.bytes;
    const start = stream.position & (stream.capacity - 1);
    const first = Math.min(length, stream.capacity - start);
    target.set(bytes.subarray(stream.ring + start, stream.ring + start + first), offset);
    if (first < length) target.set(bytes.subarray(stream.ring, stream.ring + length - first), offset + first);
  }
}
