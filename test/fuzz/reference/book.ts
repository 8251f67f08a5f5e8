/**
 * What an empty address book takes of what one peer tells, address by address. Where an address stands is a keyed hash
 * and taken from the program: whether it may stand there is decided here.
 */
import { BookTable } from '../../../src/main/discovery/book-table.js';
import { netGroupOf } from '../../../src/main/peers/net-group.js';

const HOUR_MS = 3_600_000;
/** Nobody may fill the book with addresses of one ID. */
const ADDRESSES_OF_ID = 4;
/** What others say about when they saw an address is believed less by this. */
const HEARSAY_MS = 2 * HOUR_MS;
/** What nobody saw for so long gives its place away. */
const HORIZON_MS = 30 * 24 * HOUR_MS;

export interface Told {
  readonly id: string;
  readonly ip: string;
  readonly port: number;
  readonly lastSeenMs: number;
}

export interface TellerOfBook {
  readonly ip: string;
  /** The share of the book that it fills. */
  readonly group: string;
}

/** @returns how many were new, and which stand in the book in the end */
export function learn(told: readonly Told[], teller: TellerOfBook, secret: Uint8Array, nowMs: number) {
  const table = new BookTable(secret, 'new', 256, 32);
  let learned = 0;
  let book: (Told & { readonly place: number })[] = [];
  for (const { id, ip, port, lastSeenMs } of told) {
    const seenMs = Math.max(0, Math.min(lastSeenMs, nowMs) - HEARSAY_MS);
    const place = table.placeOf(teller.group, netGroupOf(ip, port), `${id}@${ip}:${port}`);
    const record = { id, ip, port, place, lastSeenMs: seenMs };
    const there = book.find((one) => one.ip === ip && one.port === port);
    if (there !== undefined) {
      // Only the address itself may say that it is alive.
      const isProof = there.id === id && ip === teller.ip;
      if (isProof) book = book.map((one) => (one === there ? { ...there, lastSeenMs: nowMs } : one));
      continue;
    }
    if (book.filter((one) => one.id === id).length >= ADDRESSES_OF_ID) continue;
    const occupant = book.find((one) => one.place === place);
    if (occupant !== undefined && nowMs - occupant.lastSeenMs <= HORIZON_MS) continue;
    book = [...book.filter((one) => one !== occupant), record];
    learned++;
  }
  return { learned, book: book.map(({ place: _, ...record }) => record) };
}
