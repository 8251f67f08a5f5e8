import { describe, expect, it } from 'vitest';
import { ChunkPool } from '../../../src/main/net/chunk-pool.js';
import { Claim } from '../../../src/shared/memory/memory-budget.js';
import { makeArena } from '../workers/stage.js';

const KIB = 1024;

/** A pool of 64 KiB chunks with room for four of them in the budget. */
function makePool() {
  const { budget } = makeArena({}, 256 * KIB);
  const base = budget.usedBytes;
  return { pool: new ChunkPool(64 * KIB, budget), used: () => budget.usedBytes - base };
}

describe('a chunk', () => {
  it('is given back when its last user lets go, and used again, empty', () => {
    const { pool, used } = makePool();
    const chunk = pool.take(100)!;
    chunk.used = 100;
    chunk.retain();
    chunk.release();
    expect(pool.take(1)).not.toBe(chunk);
    chunk.release();
    expect(pool.take(64 * KIB)).toBe(chunk);
    expect([chunk.used, chunk.room]).toEqual([0, 64 * KIB]);
    expect(used()).toBe(128 * KIB);
  });

  it('released once too often is a mistake that throws, also one that stands in the pool', () => {
    const chunk = makePool().pool.take(1)!;
    chunk.release();
    expect(() => chunk.release()).toThrow('released too often');
  });

  it('larger than the pool’s own is exactly as large as asked, and leaves nothing behind', () => {
    const { pool, used } = makePool();
    const chunk = pool.take(100 * KIB)!;
    expect([chunk.room, used()]).toEqual([100 * KIB, 100 * KIB]);
    chunk.release();
    expect(used()).toBe(0);
  });
});

describe('the pool', () => {
  it('never passes the memory budget: what has no room is refused, and nothing is taken for it', () => {
    const { pool, used } = makePool();
    const chunks = Array.from({ length: 6 }, () => pool.take(1));
    expect(chunks.map((chunk) => chunk !== null)).toEqual([true, true, true, true, false, false]);
    expect(pool.exact(1)).toBeNull();
    expect(used()).toBe(256 * KIB);
    chunks[0]!.release();
    expect(pool.take(1)).toBe(chunks[0]);
  });

  it('refuses broadcasts before direct messages, and those before control messages', () => {
    const { budget } = makeArena({}, 4096 * KIB);
    const pool = new ChunkPool(64 * KIB, budget);
    const claims = [Claim.Broadcast, Claim.Direct, Claim.Control];
    const given = claims.map((claim) => {
      let chunks = 0;
      while (pool.take(1, claim) !== null) chunks++;
      return chunks;
    });
    expect(given).toEqual([60, 2, 2]);
    expect(pool.exact(KIB, Claim.Direct)).toBeNull();
  });

  it('keeps no more than eight free chunks, and on clear none', () => {
    const { budget } = makeArena({}, 4096 * KIB);
    const base = budget.usedBytes;
    const pool = new ChunkPool(64 * KIB, budget);
    const chunks = Array.from({ length: 20 }, () => pool.take(1)!);
    for (const chunk of chunks) chunk.release();
    expect(budget.usedBytes - base).toBe(8 * 64 * KIB);
    pool.clear();
    expect(budget.usedBytes - base).toBe(0);
  });
});
