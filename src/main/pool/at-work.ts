/**
 * Which message a worker is at, read from what it keeps in shared memory for its replacement, so that whoever looks for a
 * handler that hangs or kills its thread is told where. Main thread; for a worker that is dead, or that has not got on
 * for a while: the words of one that works change under the reader.
 */
import { FRAME_HEADER_BYTES, LENGTH_FIELD_BYTES, MAX_TYPE_BYTES } from '../../shared/limits.js';
import type { Arena } from '../../shared/memory/arena.js';
import { Slot, Worker } from '../../shared/memory/arena-layout.js';
import { inPhase } from '../../shared/memory/copy-phase.js';
import { EntryState, EntryWord, openEntries, segmentType } from '../../shared/memory/queue-segment.js';

/** A message whose handler has been called and has not returned. */
export interface MessageInHand {
  readonly type: string;
  /** The connection that it came from. */
  readonly slot: number;
  readonly generation: number;
}

/** Shared buffers of the worker, by their IDs. */
interface Buffers {
  readonly asides: ReadonlyMap<number, SharedArrayBuffer>;
  readonly segments: ReadonlyMap<number, SharedArrayBuffer>;
}

/** The message in hand: that of the frame which is dispatched, or one whose queued handler is being called. */
export function messageInHand(arena: Arena, worker: number, { asides, segments }: Buffers): MessageInHand | null {
  const { words, layout } = arena;
  const slot = Atomics.load(words, layout.worker(worker) + Worker.InHand) - 1;
  if (slot >= 0) {
    const generation = words[layout.slot(slot) + Slot.Generation];
    return { type: typeOfFrame(arena, slot, asides), slot, generation };
  }
  for (const { words: entry, at, type } of entriesIn(segments, EntryState.Starting)) {
    return { type, slot: entry[at + EntryWord.Slot], generation: entry[at + EntryWord.Generation] };
  }
  return null;
}

/** Types of messages whose queued handlers have returned promises that have not settled. */
export function typesWaitedFor({ segments }: Pick<Buffers, 'segments'>): ReadonlySet<string> {
  return new Set([...entriesIn(segments, EntryState.Running)].map(({ type }) => type));
}

function* entriesIn(segments: ReadonlyMap<number, SharedArrayBuffer>, state: EntryState) {
  for (const segment of segments.values()) {
    const words = new Int32Array(segment);
    for (const at of openEntries(words)) {
      if (words[at + EntryWord.State] === state) yield { words, at, type: segmentType(words) };
    }
  }
}

/** The type of the frame that begins at a connection's Progress, or that has been assembled aside. */
function typeOfFrame({ words, bytes, layout }: Arena, slot: number, asides: Buffers['asides']): string {
  const control = layout.slot(slot);
  const aside = asides.get(words[control + Slot.AsideId]);
  const asideBytes = aside === undefined ? null : new Uint8Array(aside);
  const asideAt = inPhase(0, words[control + Slot.AsideStart]);
  const ring = layout.ring(slot);
  const wrap = layout.geometry.ringBytes - 1;
  const byteAt = (offset: number) =>
    asideBytes?.[asideAt + offset] ?? bytes[ring + ((words[control + Slot.Progress] + offset) & wrap)];
  const length = (byteAt(LENGTH_FIELD_BYTES) << 8) | byteAt(LENGTH_FIELD_BYTES + 1);
  const type = Uint8Array.from({ length: Math.min(length, MAX_TYPE_BYTES) }, (_, i) => byteAt(FRAME_HEADER_BYTES + i));
  return Buffer.from(type).toString();
}
