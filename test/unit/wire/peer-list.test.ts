import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodePeerList,
  encodePeerList,
  MAX_PEER_LIST_BYTES,
  type PeerListEntry,
} from '../../../src/shared/wire/peer-list.js';
import { canonicalIp } from '../../../src/shared/wire/routability.js';
import { bytesOf, type Notation, readVectors } from './vectors.js';

interface PeerListVector {
  readonly name: string;
  readonly strict: boolean;
  readonly own: { readonly id: string; readonly ip: string; readonly port: number };
  readonly input: Notation;
  readonly expect: {
    readonly entries: readonly PeerListEntry[];
    readonly skipped: number;
    readonly error: string | null;
  };
}

const nobody = { id: 'nobody', addresses: [] };

function decodeLoosely(bytes: Uint8Array) {
  return decodePeerList({ bytes, strict: false, own: nobody });
}

/** An entry spelled byte by byte, as `encodePeerList` would refuse to. */
function entryBytes(id: string | Buffer, port: number, ip: string): Buffer {
  const idBytes = Buffer.from(id as string);
  return Buffer.concat([
    Buffer.of(idBytes.length),
    idBytes,
    Buffer.of(port >> 8, port & 0xff, ip.length),
    Buffer.from(ip),
  ]);
}

function listBytes(...entries: readonly Buffer[]): Buffer {
  return Buffer.concat([Buffer.of(entries.length >> 8, entries.length & 0xff), ...entries]);
}

const anyEntry = fc.record({
  id: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 }).filter((id) => {
    const bytes = Buffer.byteLength(id);
    return bytes <= 128 && id.isWellFormed() && !/\p{Cc}/u.test(id);
  }),
  ip: fc.oneof(fc.ipV4(), fc.ipV6()).map((ip) => canonicalIp(ip) as string),
  port: fc.integer({ min: 1, max: 65_535 }),
});

describe('an answer to a crawl, as in the vector', () => {
  const vectors = readVectors<PeerListVector>('peer-lists.json').map((vector) => [vector.name, vector] as const);

  it.each(vectors)('%s', (_, { strict, own, input, expect: wanted }) => {
    const addresses = [{ ip: own.ip, port: own.port }];
    const bytes = bytesOf(input);
    expect(decodePeerList({ bytes, strict, own: { id: own.id, addresses } })).toMatchObject(wanted);
    if (wanted.error === null && wanted.skipped === 0) expect(encodePeerList(wanted.entries)).toEqual(bytes);
  });
});

describe('a peer list', () => {
  it('reads back as what was written, whatever follows it', () => {
    fc.assert(
      fc.property(fc.array(anyEntry, { maxLength: 20 }), fc.uint8Array({ maxLength: 9 }), (entries, more) => {
        const bytes = Buffer.concat([encodePeerList(entries), more]);
        expect(decodeLoosely(bytes)).toEqual({ entries, skipped: 0, own: [], error: null });
      }),
    );
  });

  it('cut anywhere is truncated, and keeps exactly the entries that arrived whole', () => {
    const entries = [
      { id: 'a', ip: '1.2.3.4', port: 1 },
      { id: 'bb', ip: '2606:4700::1', port: 2 },
      { id: 'ccc', ip: '5.6.7.8', port: 3 },
    ];
    const bytes = encodePeerList(entries);
    const ends = [0, 1, 2, 3].map((count) => encodePeerList(entries.slice(0, count)).length);
    for (let cut = 0; cut < bytes.length; cut++) {
      const whole = ends.findLastIndex((end) => end <= cut);
      expect(decodeLoosely(bytes.subarray(0, cut))).toEqual({
        entries: entries.slice(0, Math.max(whole, 0)),
        skipped: 0,
        own: [],
        error: 'truncated',
      });
    }
  });

  it('of any bytes never throws, and accounts for every entry that it promised', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(20), fc.boolean(), (tail, count, strict) => {
        const bytes = Uint8Array.of(0, count, ...tail);
        const { entries, skipped, error } = decodePeerList({ bytes, strict, own: nobody });
        if (error === null) expect(entries.length + skipped).toBe(count);
        else expect(entries.length + skipped).toBeLessThan(count);
      }),
      { numRuns: 2000 },
    );
  });

  it('skips an entry without an ID, or with one that would corrupt a log', () => {
    const bad = ['', 'a\nb', '\u0085', Buffer.of(0xff), Buffer.of(0xed, 0xa0, 0x80)];
    const bytes = listBytes(...bad.map((id) => entryBytes(id, 1, '8.8.8.8')), entryBytes('good', 1, '8.8.8.8'));
    expect(decodeLoosely(bytes)).toEqual({
      entries: [{ id: 'good', ip: '8.8.8.8', port: 1 }],
      skipped: bad.length,
      own: [],
      error: null,
    });
  });

  it('skips us under our ID at any address, and under our address with any ID, however it is spelled', () => {
    const own = { id: 'me', addresses: [{ ip: '2606:4700::1', port: 5 }] };
    const bytes = listBytes(
      entryBytes('me', 9, '8.8.8.8'),
      entryBytes('other', 5, '2606:4700:0:0:0:0:0:1'),
      entryBytes('neighbour', 6, '2606:4700::1'),
    );
    expect(decodePeerList({ bytes, strict: true, own })).toEqual({
      entries: [{ id: 'neighbour', ip: '2606:4700::1', port: 6 }],
      skipped: 2,
      own: [{ id: 'me', ip: '8.8.8.8', port: 9 }],
      error: null,
    });
  });

  it('shows the first few places at which somebody tells us, in strict mode only routable ones', () => {
    const told = Array.from({ length: 10 }, (_, i) => entryBytes('me', 9, `8.8.8.${i}`));
    const bytes = listBytes(entryBytes('me', 9, '10.0.0.1'), ...told);
    const { own, entries, skipped } = decodePeerList({ bytes, strict: true, own: { id: 'me', addresses: [] } });
    expect(own.map(({ ip }) => ip)).toEqual(['8.8.8.0', '8.8.8.1', '8.8.8.2', '8.8.8.3']);
    expect([entries.length, skipped]).toEqual([0, 11]);
  });

  it('cannot smuggle a private IPv4 address in by mapping it into IPv6', () => {
    const bytes = listBytes(entryBytes('a', 1, '::ffff:10.0.0.1'), entryBytes('b', 1, '::ffff:808:808'));
    expect(decodePeerList({ bytes, strict: true, own: nobody })).toEqual({
      entries: [{ id: 'b', ip: '8.8.8.8', port: 1 }],
      skipped: 1,
      own: [],
      error: null,
    });
  });

  it('at its longest is as long as the limit for reading says', () => {
    const longest = listBytes(...Array(1000).fill(entryBytes('i'.repeat(128), 1, '1'.repeat(64))));
    expect(longest.length).toBe(MAX_PEER_LIST_BYTES);
    expect(decodeLoosely(longest)).toEqual({ entries: [], skipped: 1000, own: [], error: null });
  });

  it('that nobody could read is not written', () => {
    const good = { id: 'a', ip: '1.2.3.4', port: 1 };
    for (const wrong of [
      { id: '' },
      { id: 'x'.repeat(129) },
      { id: 'a\n' },
      { id: '\ud800' },
      { ip: 'host.example' },
      { ip: 'fe80::1%eth0' },
      { port: 0 },
      { port: 65_536 },
      { port: 1.5 },
    ]) {
      expect(() => encodePeerList([{ ...good, ...wrong }])).toThrow(RangeError);
    }
    expect(() => encodePeerList(Array(1001).fill(good))).toThrow(RangeError);
  });
});
