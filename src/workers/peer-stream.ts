/**
 * One connection as its worker sees it: where it reads, and what of a frame it holds. Worker thread. Everything that a
 * replacement worker needs stands in the slot's control block; this object is built from there.
 */
import { ID_BYTES } from '../shared/limits.js';
import type { Arena } from '../shared/memory/arena.js';
import { Slot } from '../shared/memory/arena-layout.js';
import type { Aside } from './aside-store.js';
import type { TakenHash } from './gossip.js';

/** Nothing that the ring held when it turned ready is left to be done. */
export const NOT_READY = -1;

/** Whom a message came from, who may have left since. */
export interface Origin {
  readonly slot: number;
  readonly generation: number;
  readonly peerId: string;
  /** The same, zero-padded. */
  readonly peerIdBytes: Uint8Array;
}

export class PeerStream implements Origin {
  readonly slot: number;
  readonly generation: number;
  /** First word of the slot's control block. */
  readonly control: number;
  /** First byte of the ring, and its capacity. */
  readonly ring: number;
  readonly capacity: number;
  readonly peerId: string;
  readonly peerIdLength: number;
  /** The same, zero-padded. */
  readonly peerIdBytes: Uint8Array;
  /** Cursor of the next byte to look at. */
  position: number;
  /** Read cursor as last published. */
  published: number;
  /** Write cursor as last loaded. */
  end: number;
  /** Bytes of a dropped frame still to come. */
  skip: number;
  /** A frame larger than the ring, being assembled. */
  aside: Aside | null = null;
  /** Cursor at which that frame began. */
  asideStart = 0;
  /** All of that frame has arrived. */
  asideWhole = false;
  /** Has said that it disconnects: once is enough. */
  saidGoodbye = false;
  /** After a frame that is too large nothing more is read (rulings 1). */
  latched: boolean;
  /** Stands in the pipeline's run list. */
  scheduled = false;
  /** Waits for room in a handler queue. */
  waiting = false;
  /** Hash of the message that waits for that, so that it is not taken at each try. */
  waitingHash: TakenHash | null = null;
  /** When the ring turned ready, in milliseconds, and where what stood in it ended when this was noticed. */
  readyMs = NOT_READY;
  readyEnd = 0;
  /** Messages since counters were last published. */
  messages = 0;
  dropped = 0;

  constructor(arena: Arena, slot: number) {
    const { words, layout } = arena;
    const control = layout.slot(slot);
    this.slot = slot;
    this.control = control;
    this.generation = words[control + Slot.Generation];
    this.ring = layout.ring(slot);
    this.capacity = layout.geometry.ringBytes;
    const idAt = (control + Slot.PeerId) * 4;
    const id = arena.bytes.subarray(idAt, idAt + words[control + Slot.PeerIdLength]);
    this.peerId = Buffer.from(id).toString();
    this.peerIdLength = id.length;
    this.peerIdBytes = new Uint8Array(ID_BYTES);
    this.peerIdBytes.set(id);
    this.position = words[control + Slot.Progress];
    this.published = words[control + Slot.ReadCursor];
    this.end = this.position;
    this.skip = words[control + Slot.SkipRemaining];
    this.latched = words[control + Slot.Latched] === 1;
  }
}
