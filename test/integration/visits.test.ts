import { describe, expect, it } from 'vitest';
import { visitHeap } from '../../dist/bench/visits.js';

describe('visits', () => {
  it('are all made, and the heap is looked at before and after each count of them', async () => {
    const looks = await visitHeap({ visits: 25, counts: 2, isNewId: true });
    expect(looks.map(({ visits }) => visits)).toEqual([0, 25, 50]);
    for (const { heapBytes } of looks) expect(heapBytes).toBeGreaterThan(1_000_000);
  });
});
