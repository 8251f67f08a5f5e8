/**
 * Which messages this node has seen. Worker thread: one worker's view of the seen table that all share. Takes the hash
 * of a message, tells new ones from duplicates, and counts.
 */
import { type Clock, toSharedMs } from '../shared/clock.js';
import type { Arena } from '../shared/memory/arena.js';
import { addCounter } from '../shared/memory/counters.js';
import { type SeenHold, SeenTable } from '../shared/memory/seen-table.js';
import { MessageHash } from '../shared/wire/message-hash.js';
import type { PeerStream } from './peer-stream.js';

export interface TakenHash {
  readonly high: number;
  readonly low: number;
}

export class Gossip {
  readonly seen: SeenTable;
  /** What the inbound frame in hand holds; the pipeline lets go of it beside its Progress. */
  inHand: SeenHold | null = null;
  readonly #hash: MessageHash;
  readonly #words: Int32Array;
  readonly #clock: Clock;
  readonly #duplicates: number;

  constructor(parts: { arena: Arena; worker: number; clock: Clock; key: Uint8Array }) {
    const { arena, worker } = parts;
    this.seen = new SeenTable(arena, worker);
    this.#hash = new MessageHash(parts.key);
    this.#words = arena.words;
    this.#clock = parts.clock;
    this.#duplicates = arena.layout.workerCounter(worker, 'gossipDuplicates');
  }

  /** Takes the hash of the stream's next message, or takes up what `wait` kept of it. */
  take(stream: PeerStream, type: Uint8Array, payload: Uint8Array): void {
    const kept = stream.waitingHash;
    if (kept === null) {
      this.#hash.take(type, payload);
      return;
    }
    this.#hash.high = kept.high;
    this.#hash.low = kept.low;
  }

  /** The message whose hash was taken must wait. */
  wait(stream: PeerStream): void {
    stream.waitingHash = { high: this.#hash.high, low: this.#hash.low };
  }

  /** Whether the message whose hash was taken has been seen. */
  isSeen(): boolean {
    return this.seen.has(this.#hash.high, this.#hash.low, this.#nowMs);
  }

  /** Remembers the frame in hand, whose hash was taken. @returns whether it is new */
  admit(): boolean {
    this.inHand = this.seen.add(this.#hash.high, this.#hash.low, this.#nowMs);
    return this.inHand !== null;
  }

  /** Hands the hold of the frame in hand over to whoever is done with its message later. */
  handOver(): SeenHold {
    const hold = this.inHand!;
    this.inHand = null;
    return hold;
  }

  countDuplicate(): void {
    addCounter(this.#words, this.#duplicates, 1);
  }

  /** Remembers a message that is about to be passed on by its handler. @returns its hold, or null if it was before */
  claim(type: Uint8Array, payload: Uint8Array): SeenHold | null {
    this.#hash.take(type, payload);
    return this.seen.add(this.#hash.high, this.#hash.low, this.#nowMs);
  }

  /** Remembers a message for good: one of our own, or one that no handler may ever see again. */
  remember(type: Uint8Array, payload: Uint8Array): void {
    this.#hash.take(type, payload);
    this.seen.remember(this.#hash.high, this.#hash.low, this.#nowMs);
  }

  get #nowMs(): number {
    return toSharedMs(this.#clock.nowMs());
  }
}
