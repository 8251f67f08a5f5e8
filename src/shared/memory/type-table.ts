/**
 * Message types by number, for counters and outbound records. Each thread has a table of its own that only it adds to;
 * the main thread reads all of them. Number 0 is `other`: types beyond the table's size, so that a peer that invents
 * types can't grow anything (rulings 9: at most 64 labels).
 */
import { MAX_TYPE_LABELS } from '../limits.js';
import type { Arena } from './arena.js';
import { TYPE_NAME_BYTES } from './arena-layout.js';
import { addCounter, COUNTER_WORDS, readCounter } from './counters.js';
import { addDuration, type Durations, HISTOGRAM_WORDS, readDurations } from './histogram.js';

export const OTHER_TYPES = 'other';

export class TypeTable {
  readonly #arena: Arena;
  readonly #at: { count: number; names: number; received: number; sent: number; handled: number };

  constructor(arena: Arena, index: number) {
    this.#arena = arena;
    this.#at = arena.layout.typeTable(index);
  }

  /** The number of a type, added if there is room, else 0. Owner only; rare, callers keep the answer. */
  intern(name: string): number {
    const known = this.names().indexOf(name);
    if (known > 0) return known;
    const number = this.#count + 1;
    if (number >= MAX_TYPE_LABELS) return 0;
    const bytes = Buffer.from(name);
    const at = this.#at.names * 4 + number * TYPE_NAME_BYTES;
    this.#arena.bytes[at] = bytes.length;
    this.#arena.bytes.set(bytes, at + 1);
    Atomics.store(this.#arena.words, this.#at.count, number);
    return number;
  }

  /** Names by number. */
  names(): string[] {
    const names = [OTHER_TYPES];
    for (let number = 1; number <= this.#count; number++) {
      const at = this.#at.names * 4 + number * TYPE_NAME_BYTES;
      names.push(Buffer.from(this.#arena.bytes.subarray(at + 1, at + 1 + this.#arena.bytes[at])).toString());
    }
    return names;
  }

  /** Counts received messages. Owner only. */
  addReceived(number: number, messages: number): void {
    addCounter(this.#arena.words, this.#at.received + number * COUNTER_WORDS, messages);
  }

  /** Counts sent messages. Main thread only. */
  addSent(number: number, messages: number): void {
    addCounter(this.#arena.words, this.#at.sent + number * COUNTER_WORDS, messages);
  }

  /** Counts handlers that took `us` microseconds each. Owner only. */
  addHandled(number: number, us: number, handlers: number): void {
    addDuration(this.#arena.words, this.#at.handled + number * HISTOGRAM_WORDS, us, handlers);
  }

  received(number: number): number {
    return readCounter(this.#arena.words, this.#at.received + number * COUNTER_WORDS);
  }

  sent(number: number): number {
    return readCounter(this.#arena.words, this.#at.sent + number * COUNTER_WORDS);
  }

  /** How long handlers of the type took. */
  handled(number: number): Durations {
    return readDurations(this.#arena.words, this.#at.handled + number * HISTOGRAM_WORDS);
  }

  get #count(): number {
    return Atomics.load(this.#arena.words, this.#at.count);
  }
}
