/**
 * Owns what a devnet node sends and when: the pace, the sizes, and how much may be under way. Main thread of a node
 * process; clock, randomness and sending are passed in.
 */
import { type DevnetMessageType, encodeMessage, MESSAGE_HEADER_BYTES } from './wire-message.js';

const KiB = 1024;
const MiB = 1024 * KiB;

/** Payload sizes of transactions. */
const TX_BYTES = { least: 250, most: 500 } as const;
/** Payload sizes of blocks; the least is above what one read or record of a node holds, the most larger than its ring. */
const BLOCK_BYTES = { least: 200 * KiB, most: MiB } as const;
const BLOCK_EVERY_MS = 2000;

/** A node that is late by more than this makes up for no more than this. */
const MOST_BACKLOG_MS = 1000;
/** After the end, how long messages that were due before it may still go out. */
const OVERTIME_MS = 500;
/** Messages sent in a row before the event loop has its turn. */
const BURST = 64;
const LONGEST_PAUSE_MS = 20;
const WINDOW_PAUSE_MS = 5;

/** Most bytes that wait for one node at another. The node's own limit is passed the same number. */
export const SEND_QUEUE_BYTES = 8 * MiB;
/** What of the send queue the devnet fills on purpose; the rest is for frame headers and keep-alive. */
const WINDOW_TOTAL_BYTES = 6.5 * MiB;
export const MAX_NODES = 32;

/**
 * Bytes that one origin may have on the way to the slowest node. A node passes over a peer whose send queue is full,
 * which might be a loss; so what all origins have on the way together stays below the send queue.
 */
export function windowBytes(nodes: number): number {
  return Math.floor(WINDOW_TOTAL_BYTES / (nodes - 1));
}

if (WINDOW_TOTAL_BYTES >= SEND_QUEUE_BYTES) throw new RangeError('the windows together must fit the send queue');
if (windowBytes(MAX_NODES) < BLOCK_BYTES.least) throw new RangeError('a block must fit into the window');

/** How fast one of `nodes` origins sends, so that all of them together send `ratePerSecond`, evenly interleaved. */
export interface Pace {
  readonly origin: number;
  readonly nodes: number;
  readonly ratePerSecond: number;
  /** 0: until stopped. */
  readonly durationMs: number;
}

/** Says how many messages are due. Message k of an origin is due (k * nodes + origin) / rate after the start. */
export class Pacer {
  readonly #stepMs: number;
  #startMs: number;
  readonly #endMs: number;
  #taken = 0;

  constructor(pace: Pace, startMs: number) {
    this.#stepMs = (1000 * pace.nodes) / pace.ratePerSecond;
    this.#startMs = startMs + (pace.origin * 1000) / pace.ratePerSecond;
    this.#endMs = pace.durationMs === 0 ? Number.POSITIVE_INFINITY : startMs + pace.durationMs;
  }

  /** Messages that are due and not taken. What fell behind by more than a second is let go. */
  due(nowMs: number): number {
    const late = Math.min(nowMs, this.#endMs) - this.nextDueMs;
    if (late > MOST_BACKLOG_MS + this.#stepMs) this.#startMs += late - MOST_BACKLOG_MS;
    // Rounded to nanoseconds, so that a message due at the very end is not sent for an error in the last digit.
    const elapsedMs = Math.round((Math.min(nowMs, this.#endMs) - this.#startMs) * 1e6) / 1e6;
    return Math.max(0, Math.ceil(elapsedMs / this.#stepMs) - this.#taken);
  }

  take(): void {
    this.#taken++;
  }

  get nextDueMs(): number {
    return this.#startMs + this.#taken * this.#stepMs;
  }

  /** Whether the time is over and nothing is due any more, or what is due is too late. */
  isOver(nowMs: number): boolean {
    return this.isTooLate(nowMs) || (nowMs >= this.#endMs && this.due(nowMs) === 0);
  }

  isTooLate(nowMs: number): boolean {
    return nowMs > this.#endMs + OVERTIME_MS;
  }
}

/** What is on the way: sent, but not known to have arrived everywhere. */
export class SendWindow {
  readonly #limitBytes: number;
  readonly #sizes: number[] = [];
  #firstSequence = 0;
  #inFlightBytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  get inFlightBytes(): number {
    return this.#inFlightBytes;
  }

  /** A message may go if it fits, or if nothing is on the way. */
  hasRoom(bytes: number): boolean {
    return this.#inFlightBytes === 0 || this.#inFlightBytes + bytes <= this.#limitBytes;
  }

  sent(bytes: number): void {
    this.#sizes.push(bytes);
    this.#inFlightBytes += bytes;
  }

  /** Every message below `sequence` has arrived everywhere, or never will. */
  passed(sequence: number): void {
    const done = Math.min(sequence - this.#firstSequence, this.#sizes.length);
    if (done <= 0) return;
    for (const bytes of this.#sizes.splice(0, done)) this.#inFlightBytes -= bytes;
    this.#firstSequence += done;
  }
}

/** What to send next. */
export interface Plan {
  readonly type: DevnetMessageType;
  readonly payloadBytes: number;
}

/** Chooses types and sizes. Blocks come every two seconds, the origins one after the other. */
export class Planner {
  readonly #random: () => number;
  readonly #mostBlockBytes: number;
  #nextBlockMs: number;

  /** @param random uniform from 0 to 1, 1 excluded */
  constructor(random: () => number, pace: Pace, startMs: number) {
    this.#random = random;
    this.#mostBlockBytes = Math.max(BLOCK_BYTES.least, Math.min(BLOCK_BYTES.most, windowBytes(pace.nodes)));
    this.#nextBlockMs = startMs + (pace.origin / pace.nodes) * BLOCK_EVERY_MS;
  }

  next(nowMs: number): Plan {
    if (nowMs < this.#nextBlockMs) return { type: 'tx', payloadBytes: this.#between(TX_BYTES.least, TX_BYTES.most) };
    this.#nextBlockMs += Math.max(1, Math.ceil((nowMs - this.#nextBlockMs) / BLOCK_EVERY_MS)) * BLOCK_EVERY_MS;
    return { type: 'block', payloadBytes: this.#between(BLOCK_BYTES.least, this.#mostBlockBytes) };
  }

  /** Bytes for a body of `bytes`, cut somewhere out of `pool`. */
  body(pool: Buffer, bytes: number): Buffer {
    const at = Math.floor(this.#random() * (pool.length - bytes));
    return pool.subarray(at, at + bytes);
  }

  #between(least: number, most: number): number {
    return least + Math.floor(this.#random() * (most - least + 1));
  }
}

/** Random bytes that bodies are cut out of. */
export function bodyPool(random: () => number): Buffer {
  const words = new Uint32Array((2 * BLOCK_BYTES.most) / 4);
  for (let i = 0; i < words.length; i++) words[i] = Math.floor(random() * 2 ** 32);
  return Buffer.from(words.buffer);
}

/** What the generator needs of the world. */
export interface TrafficWorld {
  nowMs(): number;
  wallMs(): number;
  random(): number;
  /** Lets the event loop go on; 0 is one turn. */
  pause(ms: number): Promise<void>;
  send(type: DevnetMessageType, payload: Buffer): void;
  isStopped(): boolean;
}

/** What was sent so far. The generator is the only writer. */
export interface SentCount {
  messages: number;
  bytes: number;
}

/** Sends until the time is over or the world is stopped. `window` is told of arrivals from outside. */
export async function generate(world: TrafficWorld, pace: Pace, window: SendWindow, sent: SentCount): Promise<void> {
  const startMs = world.nowMs();
  const pacer = new Pacer(pace, startMs);
  const planner = new Planner(world.random, pace, startMs);
  const pool = bodyPool(world.random);
  const isOver = () => world.isStopped() || pacer.isOver(world.nowMs());
  const isTooLate = () => world.isStopped() || pacer.isTooLate(world.nowMs());
  while (!isOver()) {
    const due = Math.min(pacer.due(world.nowMs()), BURST);
    for (let i = 0; i < due && !isTooLate(); i++) {
      const { type, payloadBytes } = planner.next(world.nowMs());
      while (!window.hasRoom(payloadBytes) && !isTooLate()) await world.pause(WINDOW_PAUSE_MS);
      if (isTooLate()) return;
      const header = { origin: pace.origin, sequence: sent.messages, sentMs: world.wallMs() };
      const payload = encodeMessage(header, planner.body(pool, payloadBytes - MESSAGE_HEADER_BYTES));
      pacer.take();
      window.sent(payload.length);
      sent.messages++;
      sent.bytes += payload.length;
      world.send(type, payload);
    }
    const idleMs = due === 0 ? Math.max(1, pacer.nextDueMs - world.nowMs()) : 0;
    await world.pause(Math.min(LONGEST_PAUSE_MS, idleMs));
  }
}
