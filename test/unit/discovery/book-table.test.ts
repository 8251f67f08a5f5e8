/** Where addresses may stand: by a secret, and few buckets for whoever owns a share. */
import { describe, expect, it } from 'vitest';
import { BookTable } from '../../../src/main/discovery/book-table.js';

const BUCKETS = 256;
const PER_SHARE = 32;
const PLACES = 64;
const table = (secret: number) => new BookTable(Buffer.alloc(32, secret), 'new', BUCKETS, PER_SHARE);
const spreads = Array.from({ length: 2000 }, (_, i) => `10.${i >> 8}.${i & 255}.1`);

describe('the place of an address in the book', () => {
  it('is the same each time, and another one by another secret, which nobody outside knows', () => {
    const places = (secret: number) => spreads.map((one) => table(secret).placeOf('source', one, one));
    expect(places(1)).toEqual(places(1));
    const [ours, others] = [places(1), places(2)];
    // By chance one of 2048 places is the same.
    expect(ours.filter((place, i) => place === others[i]).length).toBeLessThan(20);
  });

  it('is in one of so many buckets for all that one source tells, however much that is', () => {
    const buckets = spreads.map((one) => Math.floor(table(1).placeOf('source', one, one) / PLACES));
    expect(new Set(buckets).size).toBeLessThanOrEqual(PER_SHARE);
    expect(new Set(buckets).size).toBeGreaterThan(PER_SHARE / 2);
  });
});
