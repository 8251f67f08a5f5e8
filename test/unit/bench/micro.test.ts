import { describe, expect, it } from 'vitest';
import { measure } from '../../../bench/micro.js';

describe('single operations', () => {
  it('are measured in both ways', () => {
    const results = measure(1000);
    expect(results.map(({ what }) => what)).toEqual([
      'copy 64 KiB of shared memory',
      'view of a payload',
      'make and destroy a socket',
    ]);
    for (const { ours, obvious } of results) expect(ours > 0 && obvious > 0).toBe(true);
  });
});
