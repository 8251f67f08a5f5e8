import { describe, expect, it } from 'vitest';
import type { AddressBook, AddressRecord, KnownAddress } from '../../../src/main/discovery/address-book.js';
import { BookTable } from '../../../src/main/discovery/book-table.js';
import { netGroupOf } from '../../../src/main/peers/net-group.js';
import { type ConnectedPeer, selectDials } from '../../../src/main/peers/peer-selection.js';
import { address, DAY_MS, from, newBook, randomOf, START_MS } from './book-fixtures.js';

const MIN_OUTBOUND = 10;
const ROUNDS = 3000;
/** A PEX message every 5 s (rulings 7); more of it than the 2 addresses a second that are taken from one peer. */
const ROUND_MS = 5000;
const TOLD_PER_ROUND = 100;
const FEELER_EVERY_ROUNDS = 24;

const isEvil = ({ ip }: { ip: string }) => ip.startsWith('66.');
const keyOf = ({ id, ip, port }: KnownAddress) => `${id}@${ip}:${port}`;

/** 2,000 nodes in 200 /16s, told by peers of 60 of them; 300 of them were reached. Every seventh is gone. */
function honestBook(secret: Uint8Array, random: () => number): { book: AddressBook; isAlive(ip: string): boolean } {
  const book = newBook({ secret, random });
  const nodes = Array.from({ length: 2000 }, (_, i) =>
    address(`${70 + (i % 100)}.${i % 200 < 100 ? 1 : 2}.${i >> 8}.${i & 255}`),
  );
  for (const [i, node] of nodes.entries()) book.add(node, from(nodes[i % 60]!.ip), START_MS, START_MS);
  for (const node of nodes.slice(0, 300)) book.good(node, 'pex', START_MS - DAY_MS);
  const gone = new Set(nodes.filter((_, i) => i % 7 === 0).map(({ ip }) => ip));
  return { book, isAlive: (ip) => !gone.has(ip) };
}

interface Siege {
  readonly book: AddressBook;
  readonly secret: Uint8Array;
  /** Honest addresses in tried at the start that answer. */
  readonly answering: readonly AddressRecord[];
  readonly honestBefore: number;
  /** Most evil outbound peers at once, and most of one netgroup. */
  evilMost: number;
  groupMost: number;
}

/**
 * An attacker with 1,000 addresses in a number of /16s feeds as fast as he may. The node keeps up its outbound peers,
 * each of which leaves after a while, and feels for addresses; his always answer. @param jumpMs of the clock, to and fro
 */
function besiege(seed: number, groups: number, jumpMs = 0): Siege {
  const random = randomOf(seed);
  const secret = Buffer.from(Array.from({ length: 32 }, () => Math.floor(random() * 256)));
  const { book, isAlive } = honestBook(secret, random);
  const evil = Array.from({ length: 1000 }, (_, i) => address(`66.${i % groups}.${i >> 8}.${i & 255}`));
  const before = book.list();
  const answering = before.filter(({ bucket, ip }) => bucket === 'tried' && isAlive(ip));
  const siege = { book, secret, answering, honestBefore: before.length, evilMost: 0, groupMost: 0 };
  let outbound: ConnectedPeer[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const nowMs = START_MS + round * ROUND_MS + (Math.floor(round / 300) % 2) * jumpMs;
    const teller = from(evil[round % evil.length]!.ip);
    for (let i = 0; i < TOLD_PER_ROUND; i++) {
      book.add(evil[Math.floor(random() * evil.length)]!, teller, nowMs + DAY_MS, nowMs);
    }
    // Honest peers leave now and then, his never do: the worst that can be.
    outbound = outbound.filter((peer) => isEvil(peer) || random() > 0.01);
    const { dials } = selectDials({
      book,
      connected: outbound,
      dialling: [],
      outbound: outbound.length,
      minOutbound: MIN_OUTBOUND,
      maxOutbound: 50,
      anchors: [],
      isWanted: () => true,
      nowMs,
      beside: round % FEELER_EVERY_ROUNDS === 0 ? 'feeler' : null,
      feelsInbound: true,
    });
    for (const { address: dialled, purpose } of dials) {
      book.attempt(dialled, nowMs);
      if (!isAlive(dialled.ip)) book.failed(dialled, nowMs);
      else {
        book.good(dialled, 'pex', nowMs);
        if (purpose !== 'feeler') outbound.push({ ...dialled, direction: 'outbound', isHeard: true });
      }
    }
    book.resolveTests(nowMs);
    const perGroup = new Map<string, number>();
    for (const { ip, port } of outbound)
      perGroup.set(netGroupOf(ip, port), (perGroup.get(netGroupOf(ip, port)) ?? 0) + 1);
    siege.evilMost = Math.max(siege.evilMost, outbound.filter(isEvil).length);
    siege.groupMost = Math.max(siege.groupMost, ...perGroup.values());
  }
  return siege;
}

/** Buckets in which evil addresses stand. */
function evilBuckets({ book, secret }: Siege) {
  const tables = { new: new BookTable(secret, 'new', 256, 32), tried: new BookTable(secret, 'tried', 64, 8) };
  const buckets = { new: new Set<number>(), tried: new Set<number>() };
  for (const record of book.list().filter(isEvil)) {
    const group = netGroupOf(record.ip, record.port);
    const [share, spread] = record.bucket === 'new' ? [record.sourceGroup, group] : [group, keyOf(record)];
    buckets[record.bucket].add(Math.floor(tables[record.bucket].placeOf(share, spread, keyOf(record)) / 64));
  }
  return { new: buckets.new.size, tried: buckets.tried.size };
}

/** His share of what the book would have us dial, were everybody due and no netgroup taken. */
function drawnShare(book: AddressBook): number {
  const query = { want: 'any', excludeGroups: new Set<string>(), isUsable: () => true } as const;
  const nowMs = START_MS + 2 * ROUNDS * ROUND_MS;
  const drawn = Array.from({ length: 4000 }, () => book.candidate({ ...query, nowMs })!);
  return drawn.filter(isEvil).length / drawn.length;
}

describe('an attacker with 1,000 addresses who feeds as fast as he may for hours, and whose peers never leave', () => {
  it.each([
    ['one /16', 20261123, 1, 0],
    ['one /16 while the clock jumps by 40 days to and fro', 20261124, 1, 40 * DAY_MS],
    ['ten /16s', 20261125, 10, 0],
    ['ten /16s while the clock jumps by 40 days to and fro', 20261126, 10, 40 * DAY_MS],
  ])(
    'gets from %s (seed %i) no more than his share',
    (_, seed, groups, jumpMs) => {
      const siege = besiege(seed, groups, jumpMs);
      const list = siege.book.list();
      const buckets = evilBuckets(siege);
      // As a source: 32 of 256 buckets. But as few as his netgroups are, since these choose among the 32.
      expect(buckets.new).toBeLessThanOrEqual(32 * groups);
      expect(buckets.new).toBeLessThanOrEqual(groups * groups);
      expect(buckets.tried).toBeLessThanOrEqual(8 * groups);
      // Nobody who answers has left tried for him, however often he was reached.
      const bucketsNow = siege.answering.map(({ id }) => siege.book.find(id)?.bucket);
      expect(bucketsNow).toEqual(siege.answering.map(() => 'tried'));
      expect(siege.answering.length).toBeGreaterThan(200);
      // In new he displaces only what stands in his own buckets, and only what is worth nothing.
      const honestNow = list.filter((one) => !isEvil(one)).length;
      expect(honestNow).toBeGreaterThan(siege.honestBefore * 0.97);
      expect(siege.groupMost).toBe(1);
      // Whoever never leaves may fill a place with each netgroup in time; but it takes him long.
      expect(siege.evilMost).toBeLessThanOrEqual(groups);
      expect(drawnShare(siege.book)).toBeLessThan(list.filter(isEvil).length / list.length / 2);
    },
    60_000,
  );
});
