/**
 * Owns the layout of the memory in which messages wait for their queued handlers: shared, so that they outlive the thread
 * that copied them there. A segment holds messages of one type in the order in which they came; it is given back when all
 * of them are done. One thread writes; the main thread and a replacement read and write when that thread has ended.
 *
 *   header   bytes in use (header included, 0 for a segment that is free), sequence number among the segments of the
 *            type, bytes of the type's name, the name
 *   entries  EntryWord words and the payload, padded to 8 bytes. One that is being written lies behind the bytes in use.
 *
 * Crash safety. An entry becomes visible by the one store of `Tail`, before its connection's Progress moves past its frame.
 * So `isOfUnfinishedFrame` tells an entry whose frame will be dispatched again. What a handler caused is in the outbound
 * ring, and kept there, before its entry turns Done.
 */
import { ID_BYTES, MAX_TYPE_BYTES } from '../limits.js';
import type { Arena } from './arena.js';
import { Slot } from './arena-layout.js';
import { MAX_PHASE_BYTES } from './copy-phase.js';

const ALIGN = 8;

/** Words of a segment's header. */
export const SegmentWord = { Tail: 0, Sequence: 1, TypeBytes: 2, Type: 3 } as const;
export const SEGMENT_HEADER_BYTES = alignEntry(4 * SegmentWord.Type + MAX_TYPE_BYTES);

export const EntryState = {
  Waiting: 1,
  /** Its handler has been called and has not returned: whatever brings the thread down now is its doing. */
  Starting: 2,
  /** Its handler has returned a promise that has not settled. */
  Running: 3,
  Done: 4,
  /** It waits again: its handler was at work when a worker died, and nobody knows whose doing that was. */
  Suspected: 5,
} as const;
export type EntryState = (typeof EntryState)[keyof typeof EntryState];

/** Words of an entry, from its first. */
export const EntryWord = {
  /** From here to the next entry. */
  Bytes: 0,
  State: 1,
  /** Deaths of a worker that may be its doing. */
  Deaths: 2,
  /** The connection that it came from. */
  Slot: 3,
  Generation: 4,
  /** Cursor at which its frame began, and the buffer that the frame was assembled in, 0 for none. */
  Start: 5,
  AsideId: 6,
  /** Its entry in the seen table, as in SeenHold; 0 for none. */
  HoldAt: 7,
  HoldMark: 8,
  /** Byte offset of the payload in the segment, and its length. */
  PayloadAt: 9,
  PayloadBytes: 10,
  PeerIdLength: 11,
  /** Zero-padded. */
  PeerId: 12,
} as const;
const ENTRY_HEADER_BYTES = 4 * EntryWord.PeerId + ID_BYTES;

export function alignEntry(bytes: number): number {
  return (bytes + ALIGN - 1) & -ALIGN;
}

/** First byte behind an entry's header. */
export function payloadStart(entryAt: number): number {
  return entryAt + ENTRY_HEADER_BYTES;
}

/** Most bytes that an entry with so large a payload takes. */
export function entryBytesMax(payloadBytes: number): number {
  return alignEntry(ENTRY_HEADER_BYTES + MAX_PHASE_BYTES + payloadBytes);
}

/** First words of the entries of a segment that are not done, oldest first. */
export function openEntries(words: Int32Array): number[] {
  const open: number[] = [];
  const end = words[SegmentWord.Tail];
  for (let at = SEGMENT_HEADER_BYTES; at < end; at += words[at / 4 + EntryWord.Bytes]) {
    if (words[at / 4 + EntryWord.State] !== EntryState.Done) open.push(at / 4);
  }
  return open;
}

/** The marks by which messages that wait hold their hashes in the seen table, by their words. */
export function heldBy(segments: Iterable<SharedArrayBuffer>): Map<number, number> {
  const held = new Map<number, number>();
  for (const segment of segments) {
    const words = new Int32Array(segment);
    for (const at of openEntries(words)) held.set(words[at + EntryWord.HoldAt], words[at + EntryWord.HoldMark]);
  }
  return held;
}

/** The message type of a segment in use. */
export function segmentType(words: Int32Array): string {
  const start = words.byteOffset + 4 * SegmentWord.Type;
  return Buffer.from(words.buffer, start, words[SegmentWord.TypeBytes]).toString();
}

/** The node ID of the peer that an entry came from, zero-padded; a copy. */
export function entryPeerId(words: Int32Array, entry: number): Uint8Array {
  const start = words.byteOffset + 4 * (entry + EntryWord.PeerId);
  return new Uint8Array(words.buffer, start, ID_BYTES).slice();
}

/**
 * Whether an entry's frame was in hand when its worker died, so that it is dispatched again. Only while no thread runs for
 * the worker, before the connection's words are touched.
 */
export function isOfUnfinishedFrame(entryWords: Int32Array, entry: number, { words, layout }: Arena): boolean {
  const control = layout.slot(entryWords[entry + EntryWord.Slot]);
  const generation = entryWords[entry + EntryWord.Generation];
  if (words[control + Slot.Generation] !== generation || words[control + Slot.Released] === generation) return false;
  const start = entryWords[entry + EntryWord.Start];
  const asideId = entryWords[entry + EntryWord.AsideId];
  if (words[control + Slot.AsideId] !== asideId) return false;
  return words[control + (asideId === 0 ? Slot.Progress : Slot.AsideStart)] === start;
}
