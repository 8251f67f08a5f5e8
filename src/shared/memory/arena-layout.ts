/**
 * Owns every offset in the arena, the one SharedArrayBuffer through which the threads talk. Nobody else does
 * arithmetic on where something lies. All sections start on a 128-byte boundary (two cache lines, because processors
 * prefetch lines in pairs), and words written by different threads never share one.
 *
 *   header            geometry, memory budget, main thread's signal
 *   main counters     written by the main thread, and its histograms
 *   worker blocks     one per worker: signal, ready-queue cursors, outbound cursors, state, counters, histograms
 *   type tables       one per worker and one for the main thread: names, received, sent, histograms of handler time
 *   slots             one per connection: control block of SLOT_WORDS words
 *   ready queues      one per worker: (slot, generation) pairs
 *   rings             one per slot, `ringBytes` each
 *   outbound rings    one per worker, `outboundBytes` each
 *   scratch           one per worker, `ringBytes / 2`: where a frame that wraps round its ring is made contiguous
 *   seen locks        one per stripe, each on lines of its own
 *   seen table        hashes of messages, see seen-table.ts
 */
import { MAX_TYPE_LABELS } from '../limits.js';
import { COUNTER_WORDS } from './counters.js';
import { HISTOGRAM_WORDS } from './histogram.js';

const PAIR_BYTES = 128;
const PAIR_WORDS = PAIR_BYTES / 4;

export interface Geometry {
  readonly slots: number;
  /** Power of two. */
  readonly ringBytes: number;
  readonly workers: number;
  /** Power of two. */
  readonly outboundBytes: number;
  /** Messages that the seen table remembers. Power of two, at least SEEN_WAYS. */
  readonly seenEntries: number;
}

/** The seen table: bytes of an entry, entries of a bucket, locks. */
export const SEEN_ENTRY_BYTES = 16;
export const SEEN_WAYS = 16;
export const SEEN_STRIPES = 128;
/** Words from one lock to the next. */
export const SEEN_STRIPE_WORDS = PAIR_WORDS;

/** Words of the header. */
export const Header = {
  Slots: 0,
  RingBytes: 1,
  Workers: 2,
  OutboundBytes: 3,
  SeenEntries: 4,
  /** Use of the memory budget in KiB, so that 31 bits hold terabytes; and how far each claim may bring it, the last the whole. */
  BudgetUsedKib: PAIR_WORDS,
  BudgetLimitsKib: PAIR_WORDS + 1,
  /** Of that use, the send queues' part. Main thread. */
  SendQueuesKib: PAIR_WORDS + 7,
  /** Signal of the main thread: two words, see signal.ts. */
  MainSignal: 2 * PAIR_WORDS,
} as const;
const HEADER_WORDS = 3 * PAIR_WORDS;

/** Values of a slot's State word. */
export const SlotState = {
  Free: 0,
  /** The socket may still deliver bytes. */
  Open: 1,
  /** No more bytes will come; the worker dispatches the whole frames that are there, then lets go. */
  Closing: 2,
  /** Nothing more may be dispatched; the worker lets go at once. */
  Aborted: 3,
} as const;

/** Messages in handler queues are counted in these: rounded up, which is less than what lies around each. */
export const QUEUED_UNIT_BYTES = 64;

/** Words of a slot's control block, by who writes them. */
export const Slot = {
  // Main thread.
  State: 0,
  /** Counts the connections that this slot has had; a number that carries an older one is stale. */
  Generation: 1,
  /** Bytes that the kernel has put into the ring. Cursors count bytes since the connection began, modulo 2^32. */
  WriteCursor: 2,
  Worker: 3,
  /** Bytes waiting for this peer in its send queue. */
  SendQueued: 4,
  /** 1: the frame at SkipAt brought the worker down twice and is skipped. */
  SkipArmed: 5,
  SkipAt: 6,
  /** When the ring last turned ready, in microseconds modulo 2^32, for the worker's lag. */
  ReadyAtUs: 7,
  PeerIdLength: 8,
  PeerId: 9,
  BytesReceived: 20,
  BytesSent: 24,
  MessagesSent: 28,

  // Worker.
  /** Bytes that the ring may overwrite. Published once a batch. */
  ReadCursor: PAIR_WORDS,
  /** First byte of the first unfinished frame. A plain store after each frame: what a replacement worker starts from. */
  Progress: PAIR_WORDS + 1,
  /** Control frames that begin before this cursor have been handled already, ahead of the frames around them. */
  Scanned: PAIR_WORDS + 2,
  /** Aside buffer that a frame larger than the ring is assembled in, 0 for none, and the cursor where it began. */
  AsideId: PAIR_WORDS + 3,
  AsideStart: PAIR_WORDS + 4,
  /** Bytes of a dropped frame that have not arrived yet. */
  SkipRemaining: PAIR_WORDS + 5,
  /** Generation whose connection the worker has let go. */
  Released: PAIR_WORDS + 6,
  /** Since when a begun frame has been incomplete, shared milliseconds, 0 for none. */
  PartialSinceMs: PAIR_WORDS + 7,
  /** When the last frame other than ping and pong arrived, shared milliseconds. */
  LastFrameMs: PAIR_WORDS + 8,
  /** Since when the memory budget keeps the connection from going on, shared milliseconds, 0 for not at all. */
  StarvedSinceMs: PAIR_WORDS + 9,
  /** Bytes of the aside buffer. */
  AsideBytes: PAIR_WORDS + 10,
  /** Its messages that wait or run in handler queues, each a whole number of QUEUED_UNIT_BYTES: a word of bytes ends at 2 GiB. */
  QueuedUnits: PAIR_WORDS + 11,
  MessagesReceived: PAIR_WORDS + 12,
  FramesDropped: PAIR_WORDS + 16,
  /** 1: a frame was too large, and nothing more is read (rulings 1), not by a replacement worker either. */
  Latched: PAIR_WORDS + 20,

  // Both, by compare-and-exchange.
  /** 1: the slot stands in its worker's ready queue. */
  Queued: 2 * PAIR_WORDS,
  /** 1: the main thread stopped reading the socket until half of the ring is free. */
  ReadPaused: 2 * PAIR_WORDS + 1,
} as const;
export const SLOT_WORDS = 3 * PAIR_WORDS;

/** Words of a worker's block. */
export const Worker = {
  // Written by whoever owns the protocol of signal.ts.
  Signal: 0,
  // Main thread.
  ReadyTail: PAIR_WORDS,
  OutboundRead: PAIR_WORDS + 1,
  /** Counts commands posted on the worker's port; when it moves, the worker empties the port before it reads on. */
  CommandEpoch: PAIR_WORDS + 2,
  // Worker.
  ReadyHead: 2 * PAIR_WORDS,
  OutboundWrite: 2 * PAIR_WORDS + 1,
  /** Plain store after each frame: what of the outbound ring a replacement may publish. */
  OutboundProgress: 2 * PAIR_WORDS + 2,
  /** 1: the worker waits on OutboundRead for room. */
  OutboundWaiting: 2 * PAIR_WORDS + 3,
  /** Slot + 1 whose frame the worker has in hand, 0 for none. */
  InHand: 2 * PAIR_WORDS + 4,
  /** Shared milliseconds of the worker's last look at the clock, some frames apart. */
  HeartbeatMs: 2 * PAIR_WORDS + 5,
  /** Longest wait of a ready ring before its worker came, in the last full second, microseconds. */
  LagUs: 2 * PAIR_WORDS + 6,
  /** Messages waiting or running in handler queues of this worker. */
  QueuedMessages: 2 * PAIR_WORDS + 7,
  /** KiB of the memory budget that those messages hold. */
  QueuedKib: 2 * PAIR_WORDS + 8,
  /** Entries of the seen table that this worker holds, or more: what a replacement has to forget. */
  SeenHeld: 2 * PAIR_WORDS + 9,
  /** KiB of the memory budget that buffers of frames aside hold, free ones too. */
  AsideKib: 2 * PAIR_WORDS + 10,
  Counters: 3 * PAIR_WORDS,
} as const;

/** Counters that a worker keeps, in the order of their words. */
export const workerCounters = [
  'messagesReceived',
  'unhandled',
  'handlerErrors',
  'queueDropped',
  'droppedInvalid',
  'droppedTooLarge',
  'droppedPoisoned',
  'sendsRefused',
  'shedDirect',
  'gossipDuplicates',
  'gossipForgotten',
] as const;
export type WorkerCounter = (typeof workerCounters)[number];

/** Counters that the main thread keeps. */
export const mainCounters = [
  'bytesReceived',
  'bytesSent',
  'messagesSent',
  'connectionsInbound',
  'connectionsOutbound',
  'rejectedInbound',
  'dialsSucceeded',
  'dialsFailed',
  'dialsDropped',
  'feelers',
  'evictions',
  'sendsSkipped',
  'shedBroadcast',
  'shedDirect',
  'shedControl',
  'droppedUnread',
  'refusedNoFiles',
  'gossipRelayed',
  'gossipForgotten',
] as const;
export type MainCounter = (typeof mainCounters)[number];

/** Histograms that a worker keeps: how long ready rings waited for it, and how long until it was done with them. */
export const workerHistograms = ['lag', 'residence'] as const;
export type WorkerHistogram = (typeof workerHistograms)[number];

/** Histograms that the main thread keeps. */
export const mainHistograms = ['eventLoopDelay', 'roundTrip'] as const;
export type MainHistogram = (typeof mainHistograms)[number];

const WORKER_HISTOGRAMS = Worker.Counters + workerCounters.length * COUNTER_WORDS;
const WORKER_WORDS = alignWords(WORKER_HISTOGRAMS + workerHistograms.length * HISTOGRAM_WORDS);
const MAIN_HISTOGRAMS = mainCounters.length * COUNTER_WORDS;
const MAIN_COUNTER_WORDS = alignWords(MAIN_HISTOGRAMS + mainHistograms.length * HISTOGRAM_WORDS);

/** Type table: names (written by the thread that owns the table), received (same), sent (main thread), handled (owner). */
export const TYPE_NAME_BYTES = 256;
const TYPE_COUNT_WORDS = PAIR_WORDS;
const TYPE_NAMES_WORDS = (MAX_TYPE_LABELS * TYPE_NAME_BYTES) / 4;
const TYPE_COUNTERS_WORDS = MAX_TYPE_LABELS * COUNTER_WORDS;
const TYPE_HANDLED_WORDS = alignWords(MAX_TYPE_LABELS * HISTOGRAM_WORDS);
const TYPE_TABLE_WORDS = TYPE_COUNT_WORDS + TYPE_NAMES_WORDS + 2 * TYPE_COUNTERS_WORDS + TYPE_HANDLED_WORDS;

function alignWords(words: number): number {
  return Math.ceil(words / PAIR_WORDS) * PAIR_WORDS;
}

function nextPowerOfTwo(n: number): number {
  return 2 ** Math.ceil(Math.log2(n));
}

function isPowerOfTwo(n: number): boolean {
  return n > 0 && Number.isInteger(Math.log2(n));
}

/** Word and byte offsets of the sections for one geometry. */
export class ArenaLayout {
  readonly geometry: Geometry;
  /** Entries in each ready queue: a slot can stand in it twice, once with a stale generation. */
  readonly readyCapacity: number;
  /** Longest frame that a worker's scratch holds. */
  readonly scratchBytes: number;
  /** One scratch, with room to put a frame in phase. */
  readonly #scratchStride: number;
  readonly totalBytes: number;
  readonly #typeTables: number;
  readonly #slots: number;
  readonly #ready: number;
  /** Words of one ready queue. */
  readonly #readyWords: number;
  readonly #rings: number;
  readonly #outbound: number;
  readonly #scratch: number;
  readonly #seenLocks: number;
  /** First word of the seen table's entries. */
  readonly seenEntries: number;

  constructor(geometry: Geometry) {
    const { slots, ringBytes, workers, outboundBytes, seenEntries } = geometry;
    if (!Number.isInteger(slots) || slots < 1) throw new RangeError(`slots ${slots}`);
    if (!Number.isInteger(workers) || workers < 1) throw new RangeError(`workers ${workers}`);
    if (!isPowerOfTwo(ringBytes) || ringBytes < 128) throw new RangeError(`ringBytes ${ringBytes}`);
    if (!isPowerOfTwo(outboundBytes) || outboundBytes < 1024) throw new RangeError(`outboundBytes ${outboundBytes}`);
    if (!isPowerOfTwo(seenEntries) || seenEntries < SEEN_WAYS) throw new RangeError(`seenEntries ${seenEntries}`);
    this.geometry = geometry;
    this.readyCapacity = nextPowerOfTwo(2 * slots + 2);
    this.#readyWords = alignWords(2 * this.readyCapacity);
    this.scratchBytes = Math.max(PAIR_BYTES, ringBytes / 2);
    this.#scratchStride = this.scratchBytes + PAIR_BYTES;
    const tables = HEADER_WORDS + MAIN_COUNTER_WORDS + workers * WORKER_WORDS;
    this.#typeTables = tables;
    this.#slots = tables + (workers + 1) * TYPE_TABLE_WORDS;
    this.#ready = this.#slots + slots * SLOT_WORDS;
    this.#rings = 4 * (this.#ready + workers * this.#readyWords);
    this.#outbound = this.#rings + slots * ringBytes;
    this.#scratch = this.#outbound + workers * outboundBytes;
    this.#seenLocks = (this.#scratch + workers * this.#scratchStride) / 4;
    this.seenEntries = this.#seenLocks + SEEN_STRIPES * SEEN_STRIPE_WORDS;
    // Whole KiB, as the memory budget counts.
    this.totalBytes = Math.ceil((4 * this.seenEntries + seenEntries * SEEN_ENTRY_BYTES) / 1024) * 1024;
  }

  /** Word of the main thread's counter. */
  mainCounter(name: MainCounter): number {
    return HEADER_WORDS + mainCounters.indexOf(name) * COUNTER_WORDS;
  }

  mainHistogram(name: MainHistogram): number {
    return HEADER_WORDS + MAIN_HISTOGRAMS + mainHistograms.indexOf(name) * HISTOGRAM_WORDS;
  }

  /** First word of a worker's block. */
  worker(index: number): number {
    return HEADER_WORDS + MAIN_COUNTER_WORDS + index * WORKER_WORDS;
  }

  workerCounter(index: number, name: WorkerCounter): number {
    return this.worker(index) + Worker.Counters + workerCounters.indexOf(name) * COUNTER_WORDS;
  }

  workerHistogram(index: number, name: WorkerHistogram): number {
    return this.worker(index) + WORKER_HISTOGRAMS + workerHistograms.indexOf(name) * HISTOGRAM_WORDS;
  }

  /** First words of the parts of a type table; the main thread's table has index `workers`. */
  typeTable(index: number): { count: number; names: number; received: number; sent: number; handled: number } {
    const count = this.#typeTables + index * TYPE_TABLE_WORDS;
    const names = count + TYPE_COUNT_WORDS;
    const received = names + TYPE_NAMES_WORDS;
    const sent = received + TYPE_COUNTERS_WORDS;
    return { count, names, received, sent, handled: sent + TYPE_COUNTERS_WORDS };
  }

  /** First word of a slot's control block. */
  slot(slot: number): number {
    return this.#slots + slot * SLOT_WORDS;
  }

  /** First word of a worker's ready queue. */
  readyQueue(worker: number): number {
    return this.#ready + worker * this.#readyWords;
  }

  /** First byte of a slot's ring. */
  ring(slot: number): number {
    return this.#rings + slot * this.geometry.ringBytes;
  }

  /** First byte of a worker's outbound ring. */
  outboundRing(worker: number): number {
    return this.#outbound + worker * this.geometry.outboundBytes;
  }

  /** Bytes of the seen table and its locks. */
  get seenBytes(): number {
    return this.totalBytes - 4 * this.#seenLocks;
  }

  /** Lock of a stripe of the seen table. */
  seenLock(stripe: number): number {
    return this.#seenLocks + stripe * SEEN_STRIPE_WORDS;
  }

  /** First byte of a worker's scratch; MAX_PHASE_BYTES more than `scratchBytes` lie there. */
  scratch(worker: number): number {
    return this.#scratch + worker * this.#scratchStride;
  }
}

/** Bytes that an arena of this geometry takes. */
export function arenaBytes(geometry: Geometry): number {
  return new ArenaLayout(geometry).totalBytes;
}
