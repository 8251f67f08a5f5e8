import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AddressBook, AddressRecord, KnownAddress } from '../../../src/main/discovery/address-book.js';
import { keyOf } from '../../../src/main/discovery/address-record.js';
import { address, DAY_MS, from, HOUR_MS, newBook, randomOf, START_MS } from './book-fixtures.js';

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

  it('can’t fill the book by repeating one ID, nor keep others from telling where that ID is', () => {
    const book = newBook();
    for (let i = 1; i < 100; i++) book.add(address(`8.${i}.4.4`, 'same'), from('9.9.1.1'), START_MS, START_MS);
    expect(book.counts().known).toBe(4);
    expect(book.add(address('7.7.7.7', 'same'), from('5.5.5.5'), START_MS, START_MS)).toBe('added');
  });

  it('through a proxy of ours comes from one source, whatever port it comes from', () => {
    const tell = (strict: boolean) => {
      const book = newBook({ strict });
      const teller = (i: number) => ({ source: 'pex', fromIp: '172.17.0.1', fromPort: 30_000 + i }) as const;
      for (let i = 1; i < 100; i++) book.add(address(`8.${i}.4.4`), teller(i), START_MS, START_MS);
      return new Set(book.list().map(({ sourceGroup }) => sourceGroup)).size;
    };
    expect(tell(true)).toBe(1);
    // Nodes of one host or network among themselves have nothing but ports to be told apart by.
    expect(tell(false)).toBeGreaterThan(90);
  });

  it('leaves after ten dials in a row failed, unless it is a persistent peer or was reached within a week', () => {
    const book = newBook({ persistentKeys: new Set(['id-8.8.4.4@8.8.4.4:26656']) });
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

  it('is found when it is the only one of many that may be dialled', () => {
    const book = newBook();
    for (let i = 1; i < 200; i++) add(book, `8.${i}.4.4`);
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

describe('a clock that is set back', () => {
  it('leaves nothing in the future: addresses are dialled, age, are tested and leave as ever', () => {
    const book = newBook();
    const futureMs = START_MS + 9000 * DAY_MS;
    book.good(address('8.8.4.4'), 'manual', futureMs);
    add(book, '8.9.4.4', '9.9.9.9', futureMs);
    book.failed(address('8.9.4.4'), futureMs);
    book.attempt(address('8.9.4.4'), START_MS);
    for (const { firstSeenMs, lastSeenMs, lastTriedMs, lastSuccessMs } of book.list()) {
      expect(Math.max(firstSeenMs, lastSeenMs, lastTriedMs, lastSuccessMs)).toBeLessThanOrEqual(START_MS);
    }
    expect(anyCandidate(book, START_MS + 20_000)).not.toBeNull();
    for (let i = 0; i < 10; i++) book.failed(address('8.8.4.4'), START_MS + 8 * DAY_MS);
    expect(book.find('id-8.8.4.4')).toBeUndefined();
  });

  it('is forgiven over a restart, too', () => {
    const book = newBook();
    book.good(address('8.8.4.4'), 'manual', START_MS + 9000 * DAY_MS);
    const again = newBook();
    again.restore(book.list(), START_MS);
    expect(again.list()).toMatchObject([{ firstSeenMs: START_MS, lastSuccessMs: START_MS, lastTriedMs: START_MS }]);
  });
});

const LATER_MS = START_MS + 5 * HOUR_MS;

/** Addresses whose place is the same; the first has it, the others have just asked for it. */
function rivals(book: AddressBook, count = 2): KnownAddress[] {
  const first = address('8.8.0.1');
  book.good(first, 'manual', START_MS);
  const found = [first];
  for (let i = 2; i < 65_536 && found.length < count; i++) {
    const other = address(`8.8.${i >> 8}.${i & 255}`);
    if (book.good(other, 'manual', LATER_MS) === 'collision') found.push(other);
    // Nothing but the first may be in the way.
    else book.setOwnAddresses([other]);
  }
  book.setOwnAddresses([]);
  expect(found).toHaveLength(count);
  return found;
}

describe('a place where another answers than the book says', () => {
  it('is that one’s from then on, as one that we reached, and rests before it is dialled again', () => {
    const book = newBook();
    const before = address('8.8.0.1');
    book.good(before, 'seed', START_MS);
    book.replaced(before, 'another', LATER_MS);
    expect(book.find(before.id)).toBeUndefined();
    expect(book.find('another')).toMatchObject({ ip: '8.8.0.1', bucket: 'tried', source: 'seed', attempts: 0 });
    const query = { want: 'any', excludeGroups: new Set<string>(), isUsable: () => true } as const;
    expect(book.candidate({ ...query, nowMs: LATER_MS + 9000 })).toBe(null);
    expect(book.candidate({ ...query, nowMs: LATER_MS + 20_000 })?.id).toBe('another');
  });

  it('stays with a persistent peer, whoever answers meanwhile', () => {
    const persistent = address('8.8.0.1');
    const book = newBook({ persistentKeys: new Set([keyOf(persistent)]) });
    book.good(persistent, 'persistent', START_MS);
    book.replaced(persistent, 'another', LATER_MS);
    expect([book.find(persistent.id)?.id, book.find('another')]).toEqual([persistent.id, undefined]);
  });
});

describe('the ID of a persistent peer', () => {
  /** A book whose operator named `val@8.8.4.4` and, by a host name, `hub`. */
  const book = () => newBook({ persistentKeys: new Set(['val@8.8.4.4:26656']), persistentIds: new Set(['hub']) });
  const fail = (known: AddressBook, one: KnownAddress) => {
    for (let i = 0; i < 10; i++) known.failed(one, START_MS + 8 * DAY_MS);
  };

  it.each(['val', 'hub'])('%s makes no address last that others tell under it', (id) => {
    const known = book();
    const told = address('8.9.4.4', id);
    known.add(told, from('9.9.9.9'), START_MS, START_MS);
    fail(known, told);
    expect(known.list()).toEqual([]);
  });

  it.each(['val', 'hub'])('%s keeps nobody out whom we find where others told it', (id) => {
    const known = book();
    const told = address('8.9.4.4', id);
    known.add(told, from('9.9.9.9'), START_MS, START_MS);
    known.replaced(told, 'honest', START_MS);
    expect(known.list()).toMatchObject([{ id: 'honest', ip: '8.9.4.4', bucket: 'tried' }]);
  });

  it('makes no address last at which somebody has borrowed it, though we reached that', () => {
    const known = book();
    for (const ip of ['8.9.4.4', '8.10.4.4']) known.good(address(ip, 'hub'), 'manual', START_MS);
    known.good(address('8.11.4.4', 'val'), 'manual', START_MS);
    for (const one of known.list()) fail(known, one);
    expect(known.list()).toEqual([]);
  });

  it('keeps what the host name led us to, until another answers there', () => {
    const known = book();
    const reached = address('8.9.4.4', 'hub');
    known.add(reached, from('9.9.9.9'), START_MS, START_MS);
    known.good(reached, 'persistent', START_MS);
    fail(known, reached);
    expect(known.list()).toMatchObject([{ id: 'hub', source: 'persistent' }]);
    known.replaced(reached, 'another', START_MS + 9 * DAY_MS);
    expect(known.list()).toMatchObject([{ id: 'another', source: 'manual' }]);
  });

  it('at the address that the operator named is there for good, whoever told it', () => {
    const known = book();
    const named = address('8.8.4.4', 'val');
    known.add(named, from('9.9.9.9'), START_MS, START_MS);
    fail(known, named);
    known.replaced(named, 'another', START_MS + 9 * DAY_MS);
    expect(known.list()).toMatchObject([{ id: 'val', attempts: 10 }]);
  });
});

describe('a place in tried', () => {
  const anybody = () => true;
  const bucketsOf = (book: AddressBook, some: readonly KnownAddress[]) => some.map(({ id }) => book.find(id)?.bucket);

  it('is kept by who answers when it is tested', () => {
    const book = newBook();
    const both = rivals(book);
    expect(book.toTest(LATER_MS, anybody)).toMatchObject(both[0]!);
    book.good(both[0]!, 'manual', LATER_MS);
    book.resolveTests(LATER_MS + 1);
    expect(book.toTest(LATER_MS + HOUR_MS, anybody)).toBeNull();
    expect(bucketsOf(book, both)).toEqual(['tried', 'new']);
  });

  it('is lost by who fails the test, not by who failed before', () => {
    const book = newBook();
    book.good(address('8.8.0.1'), 'manual', START_MS);
    book.failed(address('8.8.0.1'), START_MS);
    const both = rivals(book);
    book.attempt(both[0]!, LATER_MS + 1);
    book.resolveTests(LATER_MS + 2);
    expect(bucketsOf(book, both)).toEqual(['tried', 'new']);
    book.failed(both[0]!, LATER_MS + 3);
    book.resolveTests(LATER_MS + 4);
    expect(bucketsOf(book, both)).toEqual(['new', 'tried']);
  });

  it('is kept by who could not be tested, such as a peer that is connected, however long ago it was reached', () => {
    const book = newBook();
    const both = rivals(book);
    expect(book.toTest(LATER_MS, ({ id }) => id !== both[0]!.id)).toBeNull();
    book.resolveTests(LATER_MS + DAY_MS);
    expect(bucketsOf(book, both)).toEqual(['tried', 'new']);
    expect(book.good(both[1]!, 'manual', START_MS + 99 * DAY_MS)).toBe('collision');
    expect(book.toTest(START_MS + 99 * DAY_MS, anybody)).toMatchObject(both[0]!);
  });

  it('goes to one newcomer, and the others stay in new', () => {
    const book = newBook();
    const all = rivals(book, 4);
    book.failed(all[0]!, LATER_MS + 1);
    book.resolveTests(LATER_MS + 2);
    expect(bucketsOf(book, all)).toEqual(['new', 'tried', 'new', 'new']);
    expect(book.counts()).toEqual({ known: 4, new: 3, tried: 1 });
  });

  it('does not go to a newcomer that fails meanwhile, and is never lost by a persistent peer', () => {
    const book = newBook();
    const both = rivals(book);
    for (const one of both) book.failed(one, LATER_MS + 1);
    book.resolveTests(LATER_MS + 2);
    expect(bucketsOf(book, both)).toEqual(['tried', 'new']);
    const other = newBook({ persistentKeys: new Set([keyOf(address('8.8.0.1'))]) });
    const [persistent] = rivals(other);
    expect(other.toTest(LATER_MS, anybody)).toBeNull();
    other.failed(persistent!, LATER_MS + 1);
    other.resolveTests(LATER_MS + 2);
    expect(other.find(persistent!.id)?.bucket).toBe('tried');
  });

  it('goes at once to a newcomer if the occupant is hopeless', () => {
    const book = newBook();
    const [first, second] = rivals(book);
    for (let i = 0; i < 10; i++) book.failed(first!, LATER_MS);
    expect(book.good(second!, 'manual', LATER_MS)).toBe('collision');
    expect(book.good(second!, 'manual', START_MS + 8 * DAY_MS)).toBe('tried');
  });
});

/** A book as its store sees it. */
function storedBook(stored: Map<string, AddressRecord>) {
  const onChange = (key: string, record: AddressRecord | null) =>
    void (record === null ? stored.delete(key) : stored.set(key, record));
  return newBook({ onChange });
}

const byKey = (records: Iterable<AddressRecord>) =>
  new Map([...records].map((record) => [`${record.id}@${record.ip}:${record.port}`, record]));

/** Things that happen to a book, among few addresses, some of which want the same place in tried. */
const happenings = fc.array(
  fc.record({
    ip: fc.constantFrom(...rivals(newBook(), 3).map(({ ip }) => ip), '8.8.0.2', '8.9.0.1', '8.10.0.1', '10.0.0.1'),
    id: fc.constantFrom('its own', 'its own', 'its own', 'us', 'b', 'private'),
    act: fc.constantFrom('add', 'good', 'good', 'failed', 'attempt', 'replaced', 'resolve', 'own', 'restart'),
    ms: fc.oneof(fc.integer({ min: 0, max: HOUR_MS }), fc.integer({ min: -40 * DAY_MS, max: 40 * DAY_MS })),
  }),
  { maxLength: 80 },
);

describe('a book', () => {
  it('is the same after two restarts, which change nothing in the store, and rubbish there does not matter', () => {
    const stored = new Map<string, AddressRecord>();
    const before = storedBook(stored);
    const random = randomOf(3);
    for (let i = 0; i < 2000; i++) {
      const told = address(`${1 + Math.floor(random() * 9)}.${i % 200}.${i % 7}.${i % 250}`);
      if (random() < 0.3) before.good(told, 'manual', START_MS + i);
      else before.add(told, from(`${11 + (i % 50)}.1.1.1`), START_MS, START_MS);
      if (random() < 0.2) before.failed(told, START_MS + i);
    }
    const some = [...stored.values()][0]!;
    const rubbish = [null, 5, {}, { id: 'x', ip: 'no', port: 1 }, { ...some, port: 0 }, { ...some, lastSeenMs: NaN }];
    let book = before;
    for (let i = 0; i < 2; i++) {
      const changes: string[] = [];
      const again = newBook({ onChange: (key) => void changes.push(key) });
      expect(again.restore([...rubbish, ...stored.values(), ...rubbish], START_MS + 2000)).toBe(book.counts().known);
      expect(changes).toEqual([]);
      expect(again.counts()).toEqual(book.counts());
      expect(byKey(again.list())).toEqual(byKey(book.list()));
      book = again;
    }
  });

  it('restores no second record of one place, no strangers to it, and has the store forget them', () => {
    const source = newBook({ strict: false, ownId: 'other' });
    const told = [address('8.8.4.4'), address('10.0.0.1'), address('7.7.7.7', 'us'), address('7.8.7.7')];
    for (const one of told) source.good(one, 'manual', START_MS);
    const stored = byKey(source.list());
    const [first] = stored.values();
    stored.set('liar@8.8.4.4:26656', { ...first!, id: 'liar' });
    const book = storedBook(stored);
    book.setOwnAddresses([{ ip: '7.8.7.7', port: 26656 }]);
    expect(book.restore([...stored.values()], START_MS)).toBe(1);
    expect([...stored.keys()]).toEqual(['id-8.8.4.4@8.8.4.4:26656']);
  });

  it('takes any rubbish from a store', () => {
    const time = fc.oneof(fc.double(), fc.integer(), fc.constant(START_MS));
    const almost = fc.record(
      {
        id: fc.oneof(fc.string(), fc.constant('a')),
        ip: fc.oneof(fc.ipV4(), fc.ipV6(), fc.string()),
        port: fc.oneof(fc.integer(), fc.constant(26656)),
        source: fc.constantFrom('pex', 'seed', 'nobody', null),
        sourceGroup: fc.oneof(fc.string(), fc.constant(7)),
        bucket: fc.constantFrom('new', 'tried', 'old'),
        ...{ firstSeenMs: time, lastSeenMs: time, lastTriedMs: time, lastSuccessMs: time },
        attempts: fc.nat(20),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.anything(), almost)), (records) => {
        const book = newBook();
        const count = book.restore(records, START_MS);
        expect(book.list()).toHaveLength(count);
        for (const record of book.list()) expect(() => new Date(record.firstSeenMs).toISOString()).not.toThrow();
      }),
    );
  });

  it('keeps its counts right, and no address of ours, whatever happens and whatever the clock does', () => {
    fc.assert(
      fc.property(happenings, (steps) => {
        const stored = new Map<string, AddressRecord>();
        let book = storedBook(stored);
        let nowMs = START_MS;
        let own: KnownAddress | null = null;
        for (const { ip, id, act, ms } of steps) {
          nowMs = Math.max(0, nowMs + ms);
          const one = { ...address(ip), ...(id === 'its own' ? {} : { id }) };
          const before = byKey(book.list());
          if (act === 'add') book.add(one, from('9.9.9.9'), nowMs, nowMs);
          else if (act === 'good') book.good(one, 'manual', nowMs);
          else if (act === 'resolve') book.resolveTests(nowMs);
          else if (act === 'own') {
            own = one;
            book.setOwnAddresses([one]);
          } else if (act === 'restart') {
            book = storedBook(stored);
            book.setOwnAddresses(own === null ? [] : [own]);
            book.restore([...stored.values()], nowMs);
            expect([...byKey(book.list()).keys()].sort()).toEqual([...before.keys()].sort());
          } else if (act === 'replaced') book.replaced(one, 'another', nowMs);
          else book[act](one, nowMs);
          const list = book.list();
          const places = list.map(({ ip: at, port }) => `${at}:${port}`);
          expect(book.counts()).toEqual({
            known: list.length,
            new: list.filter(({ bucket }) => bucket === 'new').length,
            tried: list.filter(({ bucket }) => bucket === 'tried').length,
          });
          expect(byKey(list)).toEqual(stored);
          expect(new Set(places).size).toBe(list.length);
          expect(places).not.toContain('10.0.0.1:26656');
          if (own !== null) expect(places).not.toContain(`${own.ip}:26656`);
          expect(list.map((record) => record.id)).not.toContain('us');
          // Who is tried leaves it by a failed dial, by another ID at its place, or because it is ours.
          const lost = [...before].filter(
            ([key, { bucket }]) => bucket === 'tried' && stored.get(key)?.bucket !== 'tried',
          );
          for (const [, { attempts, ip: at }] of lost) {
            expect(attempts > 0 || (at === ip && ['replaced', 'good', 'own'].includes(act))).toBe(true);
          }
          for (const told of [...book.sample(99, nowMs), ...book.reached(99, nowMs)])
            expect(told.id).not.toBe('private');
          book.candidate({ nowMs, want: 'any', excludeGroups: new Set(), isUsable: () => true });
        }
      }),
      { numRuns: 300 },
    );
  });
});
