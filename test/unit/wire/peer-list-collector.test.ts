import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodePeerList,
  encodePeerList,
  MAX_PEER_LIST_BYTES,
  PeerListCollector,
} from '../../../src/shared/wire/peer-list.js';
import { bytesOf, type Notation, readVectors } from './vectors.js';

const vectors = readVectors<{ name: string; input: Notation }>('peer-lists.json');
const own = { id: 'own', addresses: [] };

describe('collecting an answer', () => {
  it.each(vectors.map(({ name, input }) => [name, input] as const))(
    'is done exactly when more bytes could not change what is read: %s',
    (_, input) => {
      const bytes = bytesOf(input);
      const collector = new PeerListCollector();
      let done = false;
      for (let i = 0; i < bytes.length && !done; i++) done = collector.add(bytes.subarray(i, i + 1));
      const decode = (some: Uint8Array) => decodePeerList({ bytes: some, strict: false, own });
      expect(decode(collector.bytes)).toEqual(decode(bytes));
      expect(done).toBe(decode(bytes).error !== 'truncated');
    },
  );

  it('gives the same for any way in which the bytes are cut', () => {
    const entries = Array.from({ length: 300 }, (_, i) => ({ id: `node-${i}`, ip: `8.8.${i % 256}.1`, port: 1 + i }));
    const bytes = encodePeerList(entries);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 2000 }), { minLength: 1 }), (sizes) => {
        const collector = new PeerListCollector();
        let at = 0;
        for (let i = 0; at < bytes.length; i++) {
          const size = sizes[i % sizes.length]!;
          const done = collector.add(bytes.subarray(at, at + size));
          at += size;
          expect(done).toBe(at >= bytes.length);
        }
        expect(Buffer.from(collector.bytes)).toEqual(bytes);
      }),
    );
  });

  it('keeps no more than the longest answer there is', () => {
    const collector = new PeerListCollector();
    collector.add(Buffer.of(0, 1, 5));
    for (let i = 0; i < 10; i++) collector.add(Buffer.alloc(64 * 1024));
    expect(collector.length).toBe(MAX_PEER_LIST_BYTES);
  });
});
