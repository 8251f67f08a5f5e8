import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  AddressBook,
  type AddressBookParts,
  type AddressRecord,
  type KnownAddress,
} from '../../../src/main/discovery/address-book.js';
import { netGroupOf } from '../../../src/main/peers/net-group.js';
import { selectDials } from '../../../src/main/peers/peer-selection.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const START_MS = 1_000 * DAY_MS;

/** Numbers that look random and repeat with the seed. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 2 ** 32;
  };
}

function newBook(parts: Partial<AddressBookParts> = {}): AddressBook {
  return new AddressBook({
    secret: Buffer.alloc(32, 7),
    strict: true,
    ownId: 'us',
    privateIds: new Set(),
    persistentIds: new Set(),
    random: randomOf(42),
    ...parts,
  });
}

function address(ip: string, id = `id-${ip}`, port = 26656): KnownAddress {
  return { id, ip, port };
}

function from(ip: string) {
  return { source: 'pex', fromIp: ip, fromPort: 26656 } as const;
}

function add(book: AddressBook, ip: string, teller = '9.9.9.9', nowMs = START_MS) {
  return book.add(address(ip), from(teller), nowMs, nowMs);
}

function anyCandidate(book: AddressBook, nowMs = START_MS, want: 'any' | 'new' | 'tried' = 'any') {
  return book.candidate({ nowMs, want, excludeGroups: new Set(), isUsable: () => true });
}

describe('an address that somebody tells', () => {
  it('stands in new, and in tried once we have reached it', () => {
    const book = newBook();
    expect(add(book, '8.8.4.4')).toBe('added');
    expect(add(book, '8.8.4.4')).toBe('known');
    expect(book.list()).toMatchObject([{ bucket: 'new', source: 'pex', sourceGroup: '9.9.0.0/16', attempts: 0 }]);
    expect(book.good(address('8.8.4.4'), 'manual', START_MS + 5)).toBe('tried');
    expect(book.list()).toMatchObject([{ bucket: 'tried', source: 'pex', lastSuccessMs: START_MS + 5 }]);
    expect(book.counts()).toEqual({ known: 1, new: 0, tried: 1 });
  });

  it.each([
    ['our own ID', address('8.8.4.4', 'us')],
    ['not routable', address('10.0.0.1')],
    ['an ID that no handshake can show', address('8.8.4.4', 'x'.repeat(33))],
    ['our own address', address('8.8.8.8')],
  ])('is refused where it is %s, and so is reaching it', (_, told) => {
    const book = newBook();
    book.setOwnAddresses([{ ip: '8.8.8.8', port: 26656 }]);
    expect(book.add(told, from('9.9.9.9'), START_MS, START_MS)).toBe('refused');
    expect(book.good(told, 'manual', START_MS)).toBe('refused');
    expect(book.list()).toEqual([]);
  });

  it('is removed when it turns out to be ours', () => {
    const book = newBook();
    add(book, '8.8.4.4');
    book.setOwnAddresses([{ ip: '8.8.4.4', port: 26656 }]);
    expect(book.counts().known).toBe(0);
  });

  it('does not become fresh because others say so, and never lies in the future', () => {
    const book = newBook();
    book.add(address('8.8.4.4'), from('9.9.9.9'), START_MS + 99 * DAY_MS, START_MS);
    const seenMs = () => book.list()[0]!.lastSeenMs;
    expect(seenMs()).toBe(START_MS - 2 * HOUR_MS);
    book.add(address('8.8.4.4'), from('9.9.9.9'), START_MS + DAY_MS, START_MS + DAY_MS);
    expect(seenMs()).toBe(START_MS - 2 * HOUR_MS);
    book.add(address('8.8.4.4'), from('8.8.4.4'), 0, START_MS + DAY_MS);
    expect(seenMs()).toBe(START_MS + DAY_MS);
  });

  it('does not push out what is known of its place until a dial has failed, and reaching it settles who is there', () => {
    const book = newBook();
    book.add(address('8.8.4.4', 'liar'), from('9.9.9.9'), START_MS, START_MS);
    expect(book.add(address('8.8.4.4', 'honest'), from('5.5.5.5'), START_MS, START_MS)).toBe('refused');
    book.good(address('8.8.4.4', 'honest'), 'manual', START_MS);
    expect(book.list()).toMatchObject([{ id: 'honest', bucket: 'tried' }]);
    expect(book.add(address('8.8.4.4', 'liar'), from('9.9.9.9'), START_MS, START_MS)).toBe('refused');
  });

  it('can’t fill the book by repeating one ID', () => {
    const book = newBook();
    for (let i = 1; i < 100; i++) book.add(address(`8.${i}.4.4`, 'same'), from(`9.${i}.1.1`), START_MS, START_MS);
    expect(book.counts().known).toBe(4);
  });

  it('leaves after ten dials in a row failed, unless it is a persistent peer or was reached within a week', () => {
    const book = newBook({ persistentIds: new Set(['id-8.8.4.4']) });
    book.good(address('7.7.7.7'), 'manual', START_MS);
    for (const ip of ['8.8.4.4', '8.9.4.4']) add(book, ip);
    for (let i = 0; i < 12; i++) {
      for (const ip of ['8.8.4.4', '8.9.4.4', '7.7.7.7']) book.failed(address(ip), START_MS + i);
    }
    expect(
      book
        .list()
        .map(({ ip }) => ip)
        .sort(),
    ).toEqual(['7.7.7.7', '8.8.4.4']);
    book.failed(address('7.7.7.7'), START_MS + 8 * DAY_MS);
    expect(book.list().map(({ ip }) => ip)).toEqual(['8.8.4.4']);
  });
});

describe('a candidate', () => {
  it('rests after a failed dial as rulings 5 say, and for a while after one that was not', () => {
    const book = newBook();
    add(book, '8.8.4.4');
    expect(anyCandidate(book)?.ip).toBe('8.8.4.4');
    for (const [attempts, seconds] of [1, 2, 3, 4].map((n) => [n, 2 ** n] as const)) {
      const nowMs = START_MS + attempts * HOUR_MS;
      book.failed(address('8.8.4.4'), nowMs);
      expect(anyCandidate(book, nowMs + seconds * 1000 - 1)).toBeNull();
      expect(anyCandidate(book, nowMs + seconds * 1200)?.attempts).toBe(attempts);
    }
    book.good(address('8.8.4.4'), 'pex', START_MS);
    expect(anyCandidate(book, START_MS + 9999)).toBeNull();
    expect(anyCandidate(book, START_MS + 20_000)).not.toBeNull();
  });

  it('rests for another time after each dial, so that two nodes don’t dial each other at the same time for ever', () => {
    const book = newBook();
    const rests = Array.from({ length: 20 }, (_, i) => {
      const nowMs = START_MS + i * HOUR_MS + i;
      book.good(address('8.8.4.4'), 'pex', nowMs);
      let restMs = 0;
      while (anyCandidate(book, nowMs + restMs) === null) restMs += 100;
      return restMs;
    });
    expect(Math.min(...rests)).toBeGreaterThanOrEqual(10_000);
    expect(Math.max(...rests)).toBeLessThanOrEqual(20_000);
    expect(new Set(rests).size).toBeGreaterThan(10);
  });

  it('is found when its clock was set back, and when it is the only one of many that may be dialled', () => {
    const book = newBook();
    for (let i = 1; i < 200; i++) add(book, `8.${i}.4.4`);
    book.failed(address('8.7.4.4'), START_MS + DAY_MS);
    const isUsable = ({ ip }: AddressRecord) => ip === '8.7.4.4';
    expect(book.candidate({ nowMs: START_MS, want: 'any', excludeGroups: new Set(), isUsable })?.ip).toBe('8.7.4.4');
    const excludeGroups = new Set(['8.7.0.0/16']);
    expect(book.candidate({ nowMs: START_MS, want: 'any', excludeGroups, isUsable })).toBeNull();
  });

  it('comes from the table that is asked for', () => {
    const book = newBook();
    add(book, '8.8.4.4');
    book.good(address('7.7.7.7'), 'manual', START_MS - HOUR_MS);
    expect(anyCandidate(book, START_MS, 'new')?.ip).toBe('8.8.4.4');
    expect(anyCandidate(book, START_MS, 'tried')?.ip).toBe('7.7.7.7');
  });
});

describe('what others are told', () => {
  it('is never a private peer, nor what is dead; a crawl gets only what we reached ourselves', () => {
    const book = newBook({ privateIds: new Set(['id-8.8.4.4', 'id-7.7.7.7']) });
    for (const ip of ['8.8.4.4', '8.9.4.4', '8.10.4.4']) add(book, ip);
    for (const ip of ['7.7.7.7', '7.8.7.7']) book.good(address(ip), 'manual', START_MS);
    for (let i = 0; i < 3; i++) book.failed(address('8.10.4.4'), START_MS + i);
    const nowMs = START_MS + HOUR_MS;
    expect(
      book
        .sample(25, nowMs)
        .map(({ ip }) => ip)
        .sort(),
    ).toEqual(['7.8.7.7', '8.9.4.4']);
    expect(book.reached(1000, nowMs).map(({ ip }) => ip)).toEqual(['7.8.7.7']);
    expect(book.sample(1, nowMs)).toHaveLength(1);
  });
});

describe('a place in tried', () => {
  /** Two addresses whose place is the same. */
  function rivals(book: AddressBook): [KnownAddress, KnownAddress] {
    const first = address('8.8.0.1');
    book.good(first, 'manual', START_MS);
    for (let i = 2; i < 60_000; i++) {
      const second = address(`8.8.${i >> 8}.${i & 255}`);
      if (book.good(second, 'manual', START_MS) === 'collision') return [first, second];
      // Nothing but the first may be in the way.
      book.disproved(second);
    }
    throw new Error('no collision');
  }

  it('is kept by who answers when it is tested', () => {
    const book = newBook();
    const [first, second] = rivals(book);
    const laterMs = START_MS + 5 * HOUR_MS;
    expect(book.toTest(laterMs)).toMatchObject(first);
    book.good(first, 'manual', laterMs);
    book.resolveTests(laterMs + 1);
    expect(book.toTest(laterMs + HOUR_MS)).toBeNull();
    expect(book.find(first.id)?.bucket).toBe('tried');
    expect(book.find(second.id)?.bucket).toBe('new');
  });

  it('is lost by who does not', () => {
    const book = newBook();
    const [first, second] = rivals(book);
    const laterMs = START_MS + 5 * HOUR_MS;
    book.resolveTests(laterMs - HOUR_MS * 2);
    expect(book.find(first.id)?.bucket).toBe('tried');
    const fresh = newBook();
    const [old, young] = rivals(fresh);
    fresh.resolveTests(START_MS + 1);
    expect(fresh.find(old.id)?.bucket).toBe('tried');
    expect(second).toEqual(young);
  });

  it('is lost by who fails the test', () => {
    const book = newBook();
    const first = address('8.8.0.1');
    book.good(first, 'manual', START_MS - 5 * HOUR_MS);
    let second: KnownAddress | null = null;
    for (let i = 2; second === null; i++) {
      const other = address(`8.8.${i >> 8}.${i & 255}`);
      if (book.good(other, 'manual', START_MS) === 'collision') second = other;
      else book.disproved(other);
    }
    book.failed(first, START_MS + 10);
    book.resolveTests(START_MS + 20);
    expect(book.find(first.id)?.bucket).toBe('tried');
    book.resolveTests(START_MS + 70_000);
    expect(book.find(second.id)?.bucket).toBe('tried');
    expect(book.find(first.id)?.bucket).not.toBe('tried');
  });
});

describe('a book', () => {
  it('is the same after a restart, and rubbish in the store does not matter', () => {
    const stored = new Map<string, AddressRecord>();
    const onChange = (key: string, record: AddressRecord | null) =>
      void (record === null ? stored.delete(key) : stored.set(key, record));
    const before = newBook({ onChange });
    const random = randomOf(3);
    for (let i = 0; i < 2000; i++) {
      const told = address(`${1 + Math.floor(random() * 9)}.${i % 200}.${i % 7}.${i % 250}`);
      if (random() < 0.3) before.good(told, 'manual', START_MS + i);
      else before.add(told, from(`${11 + (i % 50)}.1.1.1`), START_MS, START_MS);
      if (random() < 0.2) before.failed(told, START_MS + i);
    }
    const rubbish = [null, 5, {}, { id: 'x', ip: 'no', port: 1 }, { ...[...stored.values()][0]!, port: 0 }];
    const again = newBook();
    again.restore([...rubbish, ...stored.values()], START_MS);
    const byKey = (records: AddressRecord[]) => new Map(records.map((record) => [`${record.id}@${record.ip}`, record]));
    expect(byKey(again.list())).toEqual(
      new Map(
        [...byKey(before.list())].map(([key, r]) => [key, { ...r, lastSeenMs: Math.min(r.lastSeenMs, START_MS) }]),
      ),
    );
    expect(again.counts()).toEqual(before.counts());
    const third = newBook();
    third.restore(again.list(), START_MS);
    expect(third.counts()).toEqual(before.counts());
  });

  it('keeps its counts right whatever happens', () => {
    const ip = fc
      .tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 0, max: 3 }))
      .map(([a, b]) => `8.${a}.0.${b}`);
    const who = fc.record({ ip, id: fc.constantFrom('a', 'b', 'c') });
    const step = fc.record({
      who,
      act: fc.constantFrom('add', 'good', 'failed', 'attempt', 'disproved', 'resolve', 'own'),
      ms: fc.integer({ min: -DAY_MS, max: 40 * DAY_MS }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const stored = new Set<string>();
        const book = newBook({
          onChange: (key, record) => void (record === null ? stored.delete(key) : stored.add(key)),
        });
        let nowMs = START_MS;
        for (const { who: told, act, ms } of steps) {
          nowMs += ms;
          const one = { ...told, port: 26656 };
          if (act === 'add') book.add(one, from('9.9.9.9'), nowMs, nowMs);
          else if (act === 'good') book.good(one, 'manual', nowMs);
          else if (act === 'resolve') book.resolveTests(nowMs);
          else if (act === 'own') book.setOwnAddresses([one]);
          else book[act](one, nowMs);
          const list = book.list();
          expect(book.counts()).toEqual({
            known: list.length,
            new: list.filter(({ bucket }) => bucket === 'new').length,
            tried: list.filter(({ bucket }) => bucket === 'tried').length,
          });
          expect(new Set(list.map(({ id, ip: at, port }) => `${id}@${at}:${port}`))).toEqual(stored);
          expect(new Set(list.map(({ ip: at, port }) => `${at}:${port}`)).size).toBe(list.length);
        }
      }),
    );
  });
});

describe('an attacker with 1,000 addresses in one /16 who feeds as fast as he is let', () => {
  const seed = 20261123;
  const random = randomOf(seed);
  const secret = Buffer.from(Array.from({ length: 32 }, () => Math.floor(random() * 256)));
  const book = newBook({ secret, random });
  const honest = Array.from({ length: 2000 }, (_, i) =>
    address(`${20 + (i % 100)}.${Math.floor(i / 100)}.1.${i % 250}`),
  );
  const evil = Array.from({ length: 1000 }, (_, i) => address(`66.6.${i >> 8}.${i & 255}`));
  const isEvil = ({ ip }: { ip: string }) => ip.startsWith('66.6.');
  let honestBefore: AddressRecord[] = [];
  let triedBefore = 0;

  beforeAll(() => {
    for (const [i, one] of honest.entries()) book.add(one, from(`${20 + (i % 60)}.1.1.1`), START_MS, START_MS);
    for (const one of honest.slice(0, 300)) book.good(one, 'pex', START_MS);
    honestBefore = book.list().filter((one) => !isEvil(one));
    triedBefore = honestBefore.filter(({ bucket }) => bucket === 'tried').length;
    for (let round = 0; round < 400; round++) {
      const nowMs = START_MS + round * 5000;
      for (let i = 0; i < 200; i++) {
        const one = evil[Math.floor(random() * evil.length)]!;
        book.add(one, from(evil[round % evil.length]!.ip), nowMs, nowMs);
      }
      // He is reached, too, whenever we dial him.
      if (round % 2 === 0) book.good(evil[round % evil.length]!, 'pex', nowMs);
      book.resolveTests(nowMs);
    }
  });

  it(`has no more than his share of the book, and pushed nobody honest out of it (seed ${seed})`, () => {
    const list = book.list();
    const evilNew = list.filter((one) => isEvil(one) && one.bucket === 'new').length;
    const evilTried = list.filter((one) => isEvil(one) && one.bucket === 'tried').length;
    // One source group reaches 32 of 256 buckets of 64, but with one netgroup of addresses one of these 32; one
    // netgroup reaches 8 of 64 buckets of tried.
    expect(evilNew).toBeLessThanOrEqual(32 * 64);
    expect(evilNew).toBeLessThanOrEqual(64);
    expect(evilTried).toBeLessThanOrEqual(8 * 64);
    expect(list.filter((one) => !isEvil(one))).toHaveLength(honestBefore.length);
    expect(list.filter((one) => !isEvil(one) && one.bucket === 'tried')).toHaveLength(triedBefore);
  });

  it('gets at most one outbound slot, and is not drawn more often than his share', () => {
    let drawn = 0;
    for (let i = 0; i < 500; i++) {
      const nowMs = START_MS + 20_000_000 + i * 60_000;
      const { dials } = selectDials({
        book,
        connected: [],
        dialling: [],
        outbound: 0,
        minOutbound: 8,
        maxOutbound: 50,
        anchors: [],
        isWanted: () => true,
        nowMs,
        beside: null,
      });
      const groups = dials.map(({ address: { ip, port } }) => netGroupOf(ip, port));
      expect(dials).toHaveLength(8);
      expect(new Set(groups).size).toBe(8);
      const evils = dials.filter(({ address: one }) => isEvil(one)).length;
      expect(evils).toBeLessThanOrEqual(1);
      drawn += evils;
    }
    // 8 draws without replacement of netgroups: his one netgroup comes up now and then, not in every choice.
    expect(drawn).toBeLessThan(400);
  });
});
