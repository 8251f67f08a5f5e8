/**
 * The frame decoder of the workers, and the one of the light client: any bytes, in any pieces, through rings of any size
 * and cursors of any age; short of memory, and with workers that are replaced between two pieces. Held against
 * `reference/frames.ts`: the same frames and faults, in the same order, at the same place.
 *
 * An input: [u8 which ring, cursor, memory, filler, replacement][u8 n][n lengths of pieces][if filler: u16 place, u8
 * size][stream]. Lengths are taken in turn again and again; with none all arrives at once.
 */
import { StreamDecoder } from '../../../src/main/net/stream-decoder.js';
import type { Arena } from '../../../src/shared/memory/arena.js';
import { Slot } from '../../../src/shared/memory/arena-layout.js';
import type { ByteRing } from '../../../src/shared/memory/byte-ring.js';
import type { MemoryBudget } from '../../../src/shared/memory/memory-budget.js';
import { AsideStore } from '../../../src/workers/aside-store.js';
import { FrameDecoder, Step } from '../../../src/workers/frame-decoder.js';
import { PeerStream } from '../../../src/workers/peer-stream.js';
import { TypeInterner } from '../../../src/workers/type-interner.js';
import { fill, MIB, makeArena, openSlot } from '../../unit/workers/stage.js';
import { framesOf, type Item } from '../reference/frames.js';
import { Choices, hex, must, mustEqual, shown, type Target, text } from '../target.js';

const RING_SIZES = [128, 256, 128, 1024, 512, 4096, 256, 65_536] as const;
/** Where the cursors stand at first: at the ends of the ring, and of the numbers that count its bytes. */
const CURSORS = [0, -7, 0x7fff_fff9, 117] as const;
/** Memory beside the arena for large frames, so little that they must wait for more. */
const TIGHT_BYTES = 80 * 1024;
/** What lies in the ring before a byte has arrived: read, it would be a frame that is too large. */
const STALE = 0xfb;
/** A stream comes in so many pieces at most, and then the rest at once: an input must not take long. */
const MAX_PIECES = 256;
/** Workers are replaced before each of the first pieces, and from then on before one of so many: each takes memory. */
const REPLACED_PIECES = 8;
/** Sizes of fillers: more and more coarse, and from here on units large enough to need other buffers. */
const COARSE_FROM = 224;
const COARSE_BYTES = 8192;

interface Plan {
  readonly ringBytes: number;
  readonly cursor: number;
  readonly isTight: boolean;
  readonly isReplaced: boolean;
  readonly lengths: readonly number[];
  readonly stream: Uint8Array;
}

/** Of a piece, from its byte. */
function lengthOf(byte: number): number {
  return byte < 192 ? byte + 1 : (byte - 190) * 128;
}

export function planOf(input: Uint8Array): Plan {
  const choices = new Choices(input);
  const mode = choices.byte();
  const lengths = [...choices.bytes(choices.byte() & 15)].map(lengthOf);
  const place = (mode & 64) === 0 ? -1 : choices.uint16();
  const size = place < 0 ? 0 : choices.byte();
  return {
    ringBytes: RING_SIZES[mode & 7],
    cursor: CURSORS[(mode >> 3) & 3],
    isTight: (mode & 32) !== 0,
    isReplaced: (mode & 128) !== 0,
    lengths,
    stream: place < 0 ? choices.rest() : filled(choices.rest(), place, size),
  };
}

/** Bytes with many more in between, which an input need not hold itself. */
function filled(bytes: Uint8Array, place: number, size: number): Uint8Array {
  const at = Math.min(place, bytes.length);
  const more = size < COARSE_FROM ? (size * size) >> 2 : (size - COARSE_FROM + 1) * COARSE_BYTES;
  const filler = new Uint8Array(more);
  for (let i = 0; i < more; i++) filler[i] = i * 167 + (i >> 8);
  return Buffer.concat([bytes.subarray(0, at), filler, bytes.subarray(at)]);
}

/** One per size of ring: what an input leaves behind is stale to the next, and never read. */
const arenas = new Map<number, { readonly arena: Arena; readonly budget: MemoryBudget }>();

function arenaOf(ringBytes: number): { readonly arena: Arena; readonly budget: MemoryBudget } {
  const known = arenas.get(ringBytes) ?? makeArena({ slots: 1, ringBytes });
  arenas.set(ringBytes, known);
  return known;
}

/** Fewer than an interner learns, less the most that one input can hold. */
const MAX_TYPES = 512;
let types = 0;
let interner: TypeInterner<null> | undefined;

/** Making one costs more than most inputs. It is the same to an input which types came before, as long as there is room. */
function internerWithRoom(): TypeInterner<null> {
  if (interner === undefined || types > MAX_TYPES) {
    types = 0;
    interner = new TypeInterner<null>(() => types++, null, new Uint8Array(8));
  }
  return interner;
}

/** One connection, and the workers that decode it one after the other. */
class Bench {
  readonly #arena: Arena;
  readonly #budget: MemoryBudget;
  readonly #ring: ByteRing;
  readonly #control: number;
  readonly #openBytes: number;
  readonly #buffers = new Map<number, SharedArrayBuffer>();
  readonly #wanted: readonly Item[];
  readonly #types = internerWithRoom();
  readonly #note: (what: number) => void;
  /** The step before. */
  #before = 0;
  #decoder!: FrameDecoder<null>;
  #stream!: PeerStream;
  #fed = 0;
  found = 0;
  closed = false;

  constructor({ ringBytes, cursor, isTight }: Plan, wanted: readonly Item[], note: (what: number) => void) {
    this.#note = note;
    const { arena, budget } = arenaOf(ringBytes);
    this.#arena = arena;
    this.#budget = budget;
    this.#wanted = wanted;
    const { words, layout } = arena;
    this.#control = layout.slot(0);
    this.#ring = openSlot(arena, 0);
    arena.bytes.fill(STALE, layout.ring(0), layout.ring(0) + ringBytes);
    for (const word of [Slot.WriteCursor, Slot.ReadCursor, Slot.Progress, Slot.Scanned]) {
      words[this.#control + word] = cursor;
    }
    budget.open(arena.buffer.byteLength + (isTight ? TIGHT_BYTES : 64 * MIB), arena);
    this.#openBytes = budget.usedBytes;
    this.#begin();
  }

  /** A worker, which keeps no buffer for later: what it gives up is seen in the budget. */
  #begin(): void {
    const announce = (id: number, buffer: SharedArrayBuffer | null) =>
      void (buffer === null ? this.#buffers.delete(id) : this.#buffers.set(id, buffer));
    const asides = new AsideStore(this.#budget, 0, announce);
    this.#decoder = new FrameDecoder(this.#arena, 0, asides, this.#types);
    this.#stream = new PeerStream(this.#arena, 0);
    this.#decoder.adopt(this.#stream, this.#buffers);
  }

  /** A worker died, another goes on where the control block says. */
  replaceWorker(): void {
    const { words } = this.#arena;
    words[this.#control + Slot.ReadCursor] = words[this.#control + Slot.Progress];
    const inUse = words[this.#control + Slot.AsideId];
    for (const id of this.#buffers.keys()) must(id === inUse, () => `buffer ${id} is nobody's`);
    this.#begin();
  }

  arrive(piece: Uint8Array): void {
    for (let done = 0; done < piece.length && !this.closed; ) {
      const took = fill(this.#ring, piece.subarray(done));
      done += took;
      this.#fed += took;
      const before = this.#stream.position;
      this.#decode();
      must(took > 0 || before !== this.#stream.position, () => 'the decoder stands still in front of a full ring');
    }
    this.#checkAllTold();
  }

  #decode(): void {
    const { words } = this.#arena;
    const stream = this.#stream;
    stream.end = words[this.#control + Slot.WriteCursor];
    for (let steps = 0; !this.closed; steps++) {
      must(steps < 1_000_000, () => 'the decoder makes no progress');
      const { position } = stream;
      const step = this.#decoder.next(stream);
      this.#noteStep(step, position);
      if (step === Step.NeedMore) break;
      if (step === Step.Starved) {
        must(this.#budget.budgetBytes < 40 * MIB, () => 'memory has no room for a frame although there is plenty');
        this.#budget.resize(this.#budget.budgetBytes + 48 * MIB);
        continue;
      }
      this.#take(step);
      words[this.#control + Slot.SkipRemaining] = stream.skip;
      words[this.#control + Slot.Progress] = stream.position;
    }
    words[this.#control + Slot.ReadCursor] = stream.position;
  }

  /** What was found behind what, in which ring, and where its bytes lay. */
  #noteStep(step: Step, position: number): void {
    const { capacity, aside, asideWhole, skip } = this.#stream;
    const end = (position & (capacity - 1)) + this.#decoder.wireBytes;
    const where = aside !== null ? (asideWhole ? 1 : 2) : end > capacity ? 3 : skip > 0 ? 4 : 0;
    const ring = Math.min(3, Math.log2(capacity) - 7);
    this.#note(((this.#before * 5 + step) * 5 + where) * 4 + ring);
    this.#before = step;
  }

  #take(step: Step): void {
    const number = this.found++;
    const wanted = this.#wanted[number];
    const kind = step === Step.Frame ? 'frame' : step === Step.Dropped ? 'drop' : 'close';
    must(kind === wanted?.kind, () => `item ${number} after ${this.#fed} bytes is ${kind}, must be ${wanted?.kind}`);
    must(wanted.from <= this.#fed, () => `item ${number} is told after ${this.#fed} bytes, before it can be known`);
    if (wanted.kind === 'frame') {
      const { source, payloadOffset, payloadBytes, type, wireBytes } = this.#decoder;
      must(type.name === wanted.type, () => `type of frame ${number} is ${type.name}, must be ${wanted.type}`);
      const payload = source.subarray(payloadOffset, payloadOffset + payloadBytes);
      must(Buffer.compare(payload, wanted.payload) === 0, () => `payload of frame ${number} is ${shown(payload)}`);
      mustEqual('bytes of a frame', wireBytes, 6 + type.bytes.length + payloadBytes);
    }
    if (wanted.kind !== 'close') this.#decoder.commit(this.#stream);
    this.closed = wanted.kind === 'close';
  }

  #checkAllTold(): void {
    const next = this.#wanted[this.found];
    must(next === undefined || next.by > this.#fed, () => `item ${this.found} is not told after ${this.#fed} bytes`);
  }

  /** Bytes of a frame that has begun. */
  get rest(): number {
    const { words } = this.#arena;
    const inRing = (words[this.#control + Slot.WriteCursor] - this.#stream.position) | 0;
    return inRing + (this.#stream.aside === null ? 0 : (this.#stream.position - this.#stream.asideStart) | 0);
  }

  /** The connection is over: nothing of it may stay in the budget. */
  end(): void {
    this.#decoder.forget(this.#stream);
    mustEqual('memory in use at the end', this.#budget.usedBytes, this.#openBytes);
    mustEqual('buffers at the end', this.#buffers.size, 0);
  }
}

/** The stream in pieces. */
function* piecesOf({ stream, lengths }: Plan): Generator<Uint8Array> {
  let at = 0;
  for (let i = 0; at < stream.length; i++) {
    const length = lengths.length === 0 || i === MAX_PIECES ? stream.length : lengths[i % lengths.length];
    yield stream.subarray(at, at + length);
    at += length;
  }
}

function runWorker(plan: Plan, note: (what: number) => void): void {
  const { items, begun } = framesOf(plan.stream);
  const bench = new Bench(plan, items, note);
  let pieces = 0;
  for (const piece of piecesOf(plan)) {
    if (bench.closed) break;
    if (plan.isReplaced && (pieces < REPLACED_PIECES || pieces % REPLACED_PIECES === 0)) bench.replaceWorker();
    pieces++;
    bench.arrive(piece);
  }
  const last = items.at(-1);
  const isGivenUp = bench.found === items.length && last !== undefined && last.by > plan.stream.length;
  if (begun !== null) mustEqual('bytes of a frame that has begun', bench.rest, isGivenUp ? 0 : restOf(plan, begun));
  bench.end();
}

function restOf({ stream }: Plan, begun: number): number {
  return Math.max(0, stream.length - begun);
}

function runClient(plan: Plan): void {
  const { items, begun } = framesOf(plan.stream);
  const decoder = new StreamDecoder();
  let fed = 0;
  let found = 0;
  for (const piece of piecesOf(plan)) {
    fed += piece.length;
    for (const item of decoder.push(piece)) {
      const wanted = items[found++];
      must(item.kind === wanted?.kind, () => `item ${found} of the client is ${item.kind}, must be ${wanted?.kind}`);
      must(wanted.from <= fed, () => `item ${found} of the client is told too early`);
      if (item.kind !== 'frame' || wanted.kind !== 'frame') continue;
      must(item.type === wanted.type, () => `type ${found} of the client is ${item.type}, must be ${wanted.type}`);
      must(
        Buffer.compare(item.payload, wanted.payload) === 0,
        () => `payload ${found} of the client is ${shown(item.payload)}`,
      );
    }
    const next = items[found];
    must(next === undefined || next.by > fed, () => `item ${found} is not told by the client after ${fed} bytes`);
  }
  if (begun !== null && items.at(-1)?.kind !== 'close') {
    const isGivenUp = found === items.length && items.length > 0 && items.at(-1)!.by > plan.stream.length;
    mustEqual('bytes that the client has of a frame', decoder.rest, isGivenUp ? 0 : restOf(plan, begun));
  }
}

const frame = '0000000a 0003 616263 0102030405';
const broken = ['00000000', '00000001ff', '00000002 0000', '00000005 0004 616263', '00000005 0003 61 07 62'];
const large = `00000100 0005 626c6f636b ${'5a'.repeat(249)}`;

const streams = {
  maxBytes: 2048,
  dictionary: [
    ...text('ping', 'pong', 'disconnect', 'pex/peers', 'tx', 'block', 'ü', '€', '😀', '\u0085'),
    ...hex(
      '00a00000',
      '00a00001',
      '00000002',
      '00000003',
      '0000ffff',
      '0002',
      '00ff',
      '0100',
      '0101',
      'c1bf',
      'eda080',
    ),
    ...hex('f4908080', 'e08080', frame, ...broken),
  ],
  beginnings: hex(
    `00 00 ${frame} ${frame}`,
    `00 02 00 03 ${frame} ${broken.join('')} ${frame}`,
    `08 03 00 10 02 ${large} ${frame} ${large}`,
    `90 01 05 ${large} ${frame}`,
    `e0 01 d0 000b e8 00012007 0005 626c6f636b ${frame}`,
    `00 01 04 ${frame} 00a00001 ${frame}`,
    `00 00 00000004 0002 c385 00000008 0006 c3a9e282ac41`,
  ),
};

export const decoder: Target = {
  ...streams,
  name: 'decoder',
  sources: [
    'src/workers/frame-decoder',
    'src/workers/aside-store',
    'src/workers/type-interner',
    'src/shared/wire/message-type',
  ],
  run: (input, note) => runWorker(planOf(input), note),
};

export const clientDecoder: Target = {
  ...streams,
  name: 'client-decoder',
  sources: ['src/main/net/stream-decoder', 'src/shared/wire/message-type'],
  run: (input) => runClient(planOf(input)),
};
