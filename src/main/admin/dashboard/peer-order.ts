/**
 * Owns which peers the table shows and in which order. Pure; browser.
 */
import type { Direction, PeerInfo } from '../../api.js';
import type { PeerRates } from './rates.js';

/** A peer with what the table works out. */
export interface PeerRow extends PeerInfo, PeerRates {
  readonly ageSeconds: number;
}

/** What the table can be sorted by; the names are its columns. */
export const sortKeys = {
  id: (row) => row.id,
  address: (row) => row.address,
  direction: (row) => row.direction,
  state: (row) => row.state,
  rtt: (row) => row.rttMs,
  bytesIn: (row) => row.bytesIn,
  bytesOut: (row) => row.bytesOut,
  messagesIn: (row) => row.messagesIn,
  messagesOut: (row) => row.messagesOut,
  reputation: (row) => row.reputation,
  age: (row) => row.ageSeconds,
  worker: (row) => row.worker,
} as const satisfies Record<string, (row: PeerRow) => string | number | null>;

export type SortKey = keyof typeof sortKeys;

export interface Order {
  readonly key: SortKey;
  readonly descending: boolean;
}

const naturally = new Intl.Collator('en', { numeric: true });

function compare(a: string | number, b: string | number): number {
  return typeof a === 'string' || typeof b === 'string' ? naturally.compare(String(a), String(b)) : a - b;
}

/** Sorted, equals by ID. What is not known stands last either way. */
export function sorted(rows: readonly PeerRow[], { key, descending }: Order): PeerRow[] {
  const read: (row: PeerRow) => string | number | null = sortKeys[key];
  return rows.toSorted((one, other) => {
    const a = read(one);
    const b = read(other);
    if (a === null || b === null) return a === b ? byId(one, other) : a === null ? 1 : -1;
    return (descending ? compare(b, a) : compare(a, b)) || byId(one, other);
  });
}

function byId(one: PeerRow, other: PeerRow): number {
  return one.id < other.id ? -1 : 1;
}

export interface Filter {
  /** Words that ID, address or state must have, in any case. */
  readonly text: string;
  readonly direction: Direction | 'any';
}

export function filtered(rows: readonly PeerRow[], { text, direction }: Filter): readonly PeerRow[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return rows.filter((row) => {
    if (direction !== 'any' && row.direction !== direction) return false;
    const searched = `${row.id}\n${row.address}\n${row.state}`.toLowerCase();
    return words.every((word) => searched.includes(word));
  });
}

/** Rows in the order in which they stand already; newcomers at the end. */
export function heldOrder(rows: readonly PeerRow[], standing: readonly string[]): PeerRow[] {
  const place = new Map(standing.map((id, index) => [id, index]));
  return rows.toSorted((one, other) => (place.get(one.id) ?? place.size) - (place.get(other.id) ?? place.size));
}

/** An address without its port and brackets: what a ban takes. */
export function hostOf(address: string): string {
  return address.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
}
