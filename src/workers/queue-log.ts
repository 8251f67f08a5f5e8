/**
 * Copies of the messages of one queued type, in shared memory that outlives this thread (`queue-segment.ts`). Worker
 * thread. A segment is filled from its start to its end and given back when all that it holds is done, so nothing is
 * searched for and nothing is moved; the last one is kept and filled anew.
 */
import type { Arena } from '../shared/memory/arena.js';
import { Worker } from '../shared/memory/arena-layout.js';
import { viewOf } from '../shared/memory/buffer-view.js';
import { inPhase } from '../shared/memory/copy-phase.js';
import {
  alignEntry,
  EntryState,
  EntryWord,
  entryBytesMax,
  openEntries,
  payloadStart,
  SEGMENT_HEADER_BYTES,
  SegmentWord,
} from '../shared/memory/queue-segment.js';
import type { SeenHold, SeenTable } from '../shared/memory/seen-table.js';
import type { Aside, AsideStore } from './aside-store.js';
import type { PeerStream } from './peer-stream.js';

/** Smallest segment, and how many messages such as the one that it is taken for are to find room in it, up to a size. */
const SEGMENT_BYTES = 64 * 1024;
const SEGMENT_MESSAGES = 16;
const SHARED_BYTES_MAX = 1024 * 1024;

interface Segment {
  readonly memory: Aside;
  readonly words: Int32Array<SharedArrayBuffer>;
  /** Bytes in use. */
  tail: number;
  /** Entries that are not done. */
  open: number;
}

/** A message's place. */
export class QueueEntry {
  readonly segment: Segment;
  /** Its first word. */
  readonly at: number;
  /** Its handler was at work when a worker died, and is to be called while no other is. */
  readonly isSuspect: boolean;

  constructor(segment: Segment, at: number, isSuspect: boolean) {
    this.segment = segment;
    this.at = at;
    this.isSuspect = isSuspect;
  }

  get payload(): Buffer {
    const { words } = this.segment;
    return viewOf(words.buffer, words[this.at + EntryWord.PayloadAt], words[this.at + EntryWord.PayloadBytes]);
  }

  mark(state: EntryState): void {
    this.segment.words[this.at + EntryWord.State] = state;
  }
}

/** What all logs of a worker share. */
export interface QueueLogParts {
  readonly arena: Arena;
  readonly worker: number;
  readonly store: AsideStore;
  readonly seen: SeenTable;
  /** Keeps what has been written into the outbound ring so far, whatever becomes of this thread. */
  readonly keep: () => void;
}

export class QueueLog {
  readonly #type: Uint8Array;
  readonly #store: AsideStore;
  readonly #seen: SeenTable;
  readonly #keep: () => void;
  readonly #words: Int32Array<SharedArrayBuffer>;
  /** Word that counts what this worker holds of the seen table. */
  readonly #held: number;
  /** The one that is being filled. */
  #last: Segment | null = null;
  #sequence = 0;

  constructor(type: Uint8Array, { arena, worker, store, seen, keep }: QueueLogParts) {
    this.#type = type;
    this.#store = store;
    this.#seen = seen;
    this.#keep = keep;
    this.#words = arena.words;
    this.#held = arena.layout.worker(worker) + Worker.SeenHeld;
  }

  /** Whether there is memory for a message; it is held for the next `append`, until `trim`. */
  hasRoom(payloadBytes: number): boolean {
    const bytes = entryBytesMax(payloadBytes);
    const last = this.#last;
    if (last !== null && last.tail + bytes <= last.memory.bytes.length) return true;
    const memory = this.#take(SEGMENT_HEADER_BYTES + bytes);
    if (memory === null) return false;
    if (last !== null && last.open === 0) this.#giveUp(last);
    const words = new Int32Array(memory.bytes.buffer);
    words[SegmentWord.Sequence] = ++this.#sequence;
    words[SegmentWord.TypeBytes] = this.#type.length;
    memory.bytes.set(this.#type, 4 * SegmentWord.Type);
    words[SegmentWord.Tail] = SEGMENT_HEADER_BYTES;
    this.#last = { memory, words, tail: SEGMENT_HEADER_BYTES, open: 0 };
    return true;
  }

  /** Holds no more memory for a large message that does not come. */
  trim(): void {
    const last = this.#last;
    if (last === null || last.open > 0 || last.memory.bytes.length <= SEGMENT_BYTES) return;
    this.#last = null;
    this.#giveUp(last);
  }

  /** Nothing more comes: the segment that is kept goes back. All that was in it is done. */
  close(): void {
    const last = this.#last;
    this.#last = null;
    if (last !== null) this.#giveUp(last);
  }

  /** Copies a message that `hasRoom` has found room for. */
  append(
    stream: PeerStream,
    source: Uint8Array<SharedArrayBuffer>,
    offset: number,
    length: number,
    hold: SeenHold | null,
  ): QueueEntry {
    const segment = this.#last!;
    const { words, tail } = segment;
    const at = tail / 4;
    const payloadAt = inPhase(payloadStart(tail), source.byteOffset + offset);
    const end = alignEntry(payloadAt + length);
    words[at + EntryWord.Bytes] = end - tail;
    words[at + EntryWord.State] = EntryState.Waiting;
    words[at + EntryWord.Deaths] = 0;
    words[at + EntryWord.Slot] = stream.slot;
    words[at + EntryWord.Generation] = stream.generation;
    words[at + EntryWord.Start] = stream.aside === null ? stream.position : stream.asideStart;
    words[at + EntryWord.AsideId] = stream.aside?.id ?? 0;
    words[at + EntryWord.HoldAt] = hold?.at ?? 0;
    words[at + EntryWord.HoldMark] = hold?.mark ?? 0;
    words[at + EntryWord.PayloadAt] = payloadAt;
    words[at + EntryWord.PayloadBytes] = length;
    words[at + EntryWord.PeerIdLength] = stream.peerIdLength;
    const { bytes } = segment.memory;
    bytes.set(stream.peerIdBytes, 4 * (at + EntryWord.PeerId));
    bytes.set(source.subarray(offset, offset + length), payloadAt);
    segment.tail = end;
    segment.open++;
    words[SegmentWord.Tail] = end;
    return new QueueEntry(segment, at, false);
  }

  /**
   * A message's handler is through: what it caused is kept, its hash is let go of, and it is done. Written out, because
   * every call would be a safepoint between stores that must agree.
   */
  finish({ segment, at }: QueueEntry): void {
    const { words } = segment;
    const arenaWords = this.#words;
    const held = this.#held;
    const holdAt = words[at + EntryWord.HoldAt];
    const mark = words[at + EntryWord.HoldMark];
    this.#keep();
    if (holdAt !== 0) {
      Atomics.compareExchange(arenaWords, holdAt, mark, 0);
      words[at + EntryWord.State] = EntryState.Done;
      arenaWords[held]--;
    } else {
      words[at + EntryWord.State] = EntryState.Done;
    }
    this.#leave(segment);
  }

  /** A message gives way to another and is not handled: the next copy of it is new. */
  drop(entry: QueueEntry): void {
    const { segment, at } = entry;
    const { words } = segment;
    const hold = { at: words[at + EntryWord.HoldAt], mark: words[at + EntryWord.HoldMark] };
    entry.mark(EntryState.Done);
    this.#seen.forget(hold);
    this.#leave(segment);
  }

  /** Takes over a segment of this type that a worker which died left. @returns its messages that are not done, in order */
  adopt(memory: Aside): QueueEntry[] {
    const words = new Int32Array(memory.bytes.buffer);
    const entries = openEntries(words);
    const segment = { memory, words, tail: words[SegmentWord.Tail], open: entries.length };
    this.#sequence = Math.max(this.#sequence, words[SegmentWord.Sequence]);
    return entries.map((at) => new QueueEntry(segment, at, words[at + EntryWord.State] === EntryState.Suspected));
  }

  /** Memory for one message at least, and if there is room for more like it. */
  #take(bytes: number): Aside | null {
    const shared = Math.max(SEGMENT_BYTES, Math.min(SEGMENT_MESSAGES * bytes, SHARED_BYTES_MAX));
    const memory = this.#store.take(Math.max(shared, bytes));
    if (memory !== null || shared <= bytes) return memory;
    return this.#store.take(Math.max(SEGMENT_BYTES, bytes));
  }

  #leave(segment: Segment): void {
    if (--segment.open > 0) return;
    if (segment !== this.#last) {
      this.#giveUp(segment);
    } else if (segment.memory.bytes.length > SEGMENT_BYTES) {
      this.trim();
    } else {
      segment.tail = SEGMENT_HEADER_BYTES;
      segment.words[SegmentWord.Tail] = SEGMENT_HEADER_BYTES;
    }
  }

  #giveUp({ words, memory }: Segment): void {
    words[SegmentWord.Tail] = 0;
    this.#store.give(memory);
  }
}
