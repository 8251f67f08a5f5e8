/**
 * Owns the last 10,000 things that were refused, dropped, banned or failed, with why (rulings 6). In memory; main
 * thread.
 */
import { errorCodeName } from '../../shared/errors.js';
import type { HistoryEntry, HistoryKind, HistoryQuery } from '../api.js';
import { harmless } from '../harmless-text.js';

export const HISTORY_ENTRIES = 10_000;
export const HISTORY_LIMIT_DEFAULT = 100;
const MAX_DETAIL_CHARS = 200;

/** What is kept of an event. */
export interface HistoryRecord {
  readonly timeMs: number;
  readonly kind: HistoryKind;
  readonly code: number;
  readonly peerId: string | null;
  readonly address: string | null;
  readonly detail: string;
}

export class History {
  readonly #capacity: number;
  readonly #records: HistoryRecord[] = [];
  /** Where the next record goes, once all places are taken. */
  #next = 0;

  constructor(capacity = HISTORY_ENTRIES) {
    this.#capacity = capacity;
  }

  /** Adds a record; the oldest makes room. Its detail, which peers may have written, is made harmless and a line at most. */
  add(record: HistoryRecord): void {
    const kept = { ...record, detail: harmless(cut(record.detail)) };
    if (this.#records.length < this.#capacity) this.#records.push(kept);
    else this.#records[this.#next] = kept;
    this.#next = (this.#next + 1) % this.#capacity;
  }

  /**
   * The newest records first, at most `limit` (100), of one code if given: those that there are when the first is asked
   * for. Each is made as it is asked for, since it takes longer to write them all than a loop should be held up.
   */
  *each({ limit = HISTORY_LIMIT_DEFAULT, code }: HistoryQuery): Generator<HistoryEntry> {
    const found: HistoryRecord[] = [];
    const { length } = this.#records;
    for (let age = 1; age <= length && found.length < limit; age++) {
      const record = this.#records[(this.#next - age + 2 * this.#capacity) % this.#capacity]!;
      if (code === undefined || record.code === code) found.push(record);
    }
    for (const record of found) yield entryOf(record);
  }
}

function entryOf({ timeMs, kind, code, peerId, address, detail }: HistoryRecord): HistoryEntry {
  return { time: new Date(timeMs).toISOString(), kind, code, name: errorCodeName(code), peerId, address, detail };
}

/** A copy: a slice would hold on to the whole text, and there are 10,000 of them. */
function cut(text: string): string {
  if (text.length <= MAX_DETAIL_CHARS) return text;
  return Buffer.from(text.slice(0, MAX_DETAIL_CHARS), 'utf16le').toString('utf16le');
}
