import { describe, expect, it } from 'vitest';
import { Header, Worker } from '../../../src/shared/memory/arena-layout.js';
import { Claim, TrackedAllowance } from '../../../src/shared/memory/memory-budget.js';
import { MIB, makeArena } from '../workers/stage.js';

const KIB = 1024;
/** In the order in which they are refused. */
const claims = [Claim.Spare, Claim.Backlog, Claim.Inbound, Claim.Broadcast, Claim.Direct, Claim.Control] as const;

describe('the memory budget', () => {
  it('refuses what is for peers that do not keep up first, what waits next, then broadcasts, then direct messages, and control messages last', () => {
    const { budget } = makeArena({}, MIB);
    const base = budget.usedBytes;
    const most = claims.map((claim) => {
      while (budget.reserve(KIB, claim));
      return budget.usedBytes - base;
    });
    expect(most).toEqual([MIB / 2, MIB - MIB / 4, MIB - MIB / 8, MIB - MIB / 16, MIB - MIB / 32, MIB]);
    expect(claims.map((claim) => budget.hasRoom(claim))).toEqual([false, false, false, false, false, false]);
    budget.release(MIB / 32);
    expect(claims.map((claim) => budget.hasRoom(claim))).toEqual([false, false, false, false, false, true]);
    budget.release(KIB);
    expect(claims.map((claim) => budget.hasRoom(claim))).toEqual([false, false, false, false, true, true]);
  });

  it('that is set lower gives nothing more, and takes nothing away', () => {
    const { arena, budget } = makeArena({}, MIB);
    expect(budget.reserve(MIB / 2, Claim.Inbound)).toBe(true);
    budget.resize(arena.buffer.byteLength + MIB / 4);
    expect(claims.map((claim) => budget.reserve(KIB, claim))).toEqual([false, false, false, false, false, false]);
    budget.release(MIB / 2);
    expect(budget.reserve(MIB / 4, Claim.Control)).toBe(true);
  });

  it('is the sum of its parts, whoever takes and gives', () => {
    const { arena, budget } = makeArena({ workers: 2 }, 8 * MIB);
    const { layout, words } = arena;
    const sum = () => Object.values(budget.parts()).reduce((a, b) => a + b, 0);
    expect(sum()).toBe(budget.usedBytes);
    const asides = [0, 1].map(
      (worker) => new TrackedAllowance(budget, words, layout.worker(worker) + Worker.AsideKib, Claim.Inbound),
    );
    const queues = [0, 1].map(
      (worker) => new TrackedAllowance(budget, words, layout.worker(worker) + Worker.QueuedKib),
    );
    const sends = new TrackedAllowance(budget, words, Header.SendQueuesKib);
    for (const [i, part] of [...asides, ...queues, sends].entries()) {
      for (const bytes of [1, 1024, 1500, 64 * KIB]) expect(part.reserve(bytes * (i + 1))).toBe(true);
      expect(sum()).toBe(budget.usedBytes);
    }
    const { partialFrames, handlerQueues, sendQueues, rings, caches } = budget.parts();
    expect([partialFrames, handlerQueues, sendQueues].every((bytes) => bytes > 64 * KIB)).toBe(true);
    expect(rings + caches).toBe(arena.buffer.byteLength);
    expect(caches).toBeGreaterThan(1024 * 16);
    expect(asides[0]!.reserve(64 * MIB)).toBe(false);
    asides[1]!.release(2 * 64 * KIB);
    queues[0]!.forfeit();
    expect(sum()).toBe(budget.usedBytes);
    // All that worker 0 held aside is gone but one buffer, which its replacement has.
    asides[0]!.forfeit(64 * KIB);
    expect(sum()).toBe(budget.usedBytes);
    expect(words[layout.worker(0) + Worker.AsideKib]).toBe(64);
  });
});
