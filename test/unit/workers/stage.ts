/** An arena with the parts of one worker, without threads: what the worker's tests play on. */
import type { Clock } from '../../../src/shared/clock.js';
import { Arena } from '../../../src/shared/memory/arena.js';
import { type Geometry, Slot, SlotState } from '../../../src/shared/memory/arena-layout.js';
import { ByteRing } from '../../../src/shared/memory/byte-ring.js';
import { MemoryBudget } from '../../../src/shared/memory/memory-budget.js';
import { AsideStore } from '../../../src/workers/aside-store.js';
import { FrameDecoder, Step } from '../../../src/workers/frame-decoder.js';
import { PeerStream } from '../../../src/workers/peer-stream.js';
import { TypeInterner } from '../../../src/workers/type-interner.js';
import { digest, type Found } from '../wire/vectors.js';

export const MIB = 2 ** 20;

export function makeArena(
  geometry: Partial<Geometry> = {},
  budgetBytes = 64 * MIB,
): { arena: Arena; budget: MemoryBudget } {
  const arena = Arena.create({
    slots: 4,
    ringBytes: 4096,
    workers: 1,
    outboundBytes: 64 * 1024,
    seenEntries: 1024,
    ...geometry,
  });
  const budget = new MemoryBudget(arena);
  budget.open(arena.buffer.byteLength + budgetBytes, arena);
  return { arena, budget };
}

/** Seats a connection in a slot, as the main thread does. */
export function openSlot(arena: Arena, slot: number, peerId = `peer-${slot}`, worker = 0): ByteRing {
  const control = arena.layout.slot(slot);
  const { words } = arena;
  for (let word = 0; word < 96; word++)
    if (word !== Slot.Generation && word !== Slot.Released) words[control + word] = 0;
  words[control + Slot.Generation]++;
  words[control + Slot.Worker] = worker;
  const id = Buffer.from(peerId);
  arena.bytes.set(id, (control + Slot.PeerId) * 4);
  words[control + Slot.PeerIdLength] = id.length;
  words[control + Slot.State] = SlotState.Open;
  return new ByteRing(arena, slot);
}

/** Writes what fits of `bytes` into a ring. @returns how much that was */
export function fill(ring: ByteRing, bytes: Uint8Array): number {
  let done = 0;
  while (done < bytes.length) {
    const region = ring.region(bytes.length - done);
    if (region.length === 0) break;
    region.set(bytes.subarray(done, done + region.length));
    ring.commit(region.length);
    done += region.length;
  }
  return done;
}

export class FakeClock implements Clock {
  ms = 1000;
  nowMs(): number {
    return this.ms;
  }
  wallMs(): number {
    return this.ms;
  }
}

/** A decoder on one slot of its own arena, fed piece by piece as a socket would. */
export class DecoderBench {
  readonly arena: Arena;
  readonly budget: MemoryBudget;
  readonly ring: ByteRing;
  readonly stream: PeerStream;
  readonly decoder: FrameDecoder<null>;
  readonly found: Found[] = [];
  closed = false;
  starved = 0;

  constructor(ringBytes: number, budgetBytes = 64 * MIB) {
    const { arena, budget } = makeArena({ ringBytes }, budgetBytes);
    this.arena = arena;
    this.budget = budget;
    this.ring = openSlot(arena, 0);
    this.stream = new PeerStream(arena, 0);
    const asides = new AsideStore(budget, 16 * MIB, () => undefined);
    this.decoder = new FrameDecoder(arena, 0, asides, new TypeInterner<null>(() => 0, null, new Uint8Array(8)));
  }

  /** Bytes of an unfinished frame, in the ring and aside. */
  get rest(): number {
    const { words } = this.arena;
    const inRing = (words[this.arena.layout.slot(0) + Slot.WriteCursor] - this.stream.position) | 0;
    return inRing + (this.stream.aside === null ? 0 : (this.stream.position - this.stream.asideStart) | 0);
  }

  /** Lets a piece arrive, as far and as often as the ring has room, and decodes. */
  arrive(piece: Uint8Array): void {
    for (let done = 0; done < piece.length && !this.closed; ) {
      const took = fill(this.ring, piece.subarray(done));
      done += took;
      const before = this.stream.position;
      this.decode();
      if (took === 0 && before === this.stream.position)
        throw new Error('the decoder is stuck in front of a full ring');
    }
  }

  decode(): void {
    const { words, layout } = this.arena;
    const control = layout.slot(0);
    this.stream.end = words[control + Slot.WriteCursor];
    for (let steps = 0; !this.closed; steps++) {
      if (steps > 1_000_000) throw new Error('the decoder makes no progress');
      const step = this.decoder.next(this.stream);
      if (step === Step.NeedMore) break;
      if (step === Step.Starved) {
        this.starved++;
        break;
      }
      this.#take(step);
      words[control + Slot.SkipRemaining] = this.stream.skip;
      words[control + Slot.Progress] = this.stream.position;
    }
    words[control + Slot.ReadCursor] = this.stream.position;
  }

  #take(step: number): void {
    if (step === Step.Dropped) {
      this.found.push({ drop: 0x05 });
      this.decoder.commit(this.stream);
    } else if (step === Step.TooLarge) {
      this.found.push({ close: 0x04 });
      this.closed = true;
    } else {
      const { decoder } = this;
      const payload = decoder.source.slice(decoder.payloadOffset, decoder.payloadOffset + decoder.payloadBytes);
      const type = Buffer.from(decoder.type.bytes).toString();
      this.found.push({ type, payload: digest(payload) });
      decoder.commit(this.stream);
    }
  }
}
