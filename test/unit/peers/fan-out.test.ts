import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseFanOut, FanOut, type FanOutCandidate } from '../../../src/main/peers/fan-out.js';

/** Mulberry32: the same numbers in every run. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const candidate = (id: string, netGroup: string, reputation = 50): FanOutCandidate => ({ id, netGroup, reputation });

function tally(candidates: FanOutCandidate[], fanout: number, draws: number): Record<string, number> {
  const random = seeded(1);
  const counts = Object.fromEntries(candidates.map(({ id }) => [id, 0]));
  for (let i = 0; i < draws; i++) for (const { id } of chooseFanOut(candidates, fanout, random)) counts[id]++;
  return counts;
}

describe('a fan-out', () => {
  it('goes to so many peers, each once, and to all where there are no more', () => {
    const anyone = fc.record({
      id: fc.string(),
      reputation: fc.integer({ min: -50, max: 150 }),
      netGroup: fc.constantFrom('a', 'b', 'c', 'd'),
    });
    const candidates = fc.uniqueArray(anyone, { selector: ({ id }) => id, maxLength: 40 });
    fc.assert(
      fc.property(candidates, fc.integer({ min: 1, max: 45 }), fc.integer(), (list, fanout, seed) => {
        const chosen = chooseFanOut(list, fanout, seeded(seed));
        expect(chosen).toHaveLength(Math.min(fanout, list.length));
        expect(new Set(chosen).size).toBe(chosen.length);
        for (const one of chosen) expect(list).toContain(one);
        const groups = (some: readonly FanOutCandidate[]) => new Set(some.map(({ netGroup }) => netGroup)).size;
        expect(groups(chosen)).toBe(Math.min(fanout, groups(list)));
      }),
    );
  });

  it('spreads over netgroups: a hundred peers of one get no more than one place where others are', () => {
    const crowd = Array.from({ length: 100 }, (_, i) => candidate(`crowd-${i}`, 'crowd', 100));
    const others = ['a', 'b', 'c'].map((group) => candidate(group, group, 20));
    for (let seed = 0; seed < 200; seed++) {
      const chosen = chooseFanOut([...crowd, ...others], 4, seeded(seed));
      expect(chosen.filter(({ netGroup }) => netGroup === 'crowd')).toHaveLength(1);
    }
  });

  it('prefers good peers, and leaves nobody out for good', () => {
    const peers = Array.from({ length: 20 }, (_, i) => candidate(`p${i}`, `g${i}`, i * 5));
    const counts = tally(peers, 4, 10_000);
    expect(counts.p19).toBeGreaterThan(2 * counts.p4);
    for (const count of Object.values(counts)) expect(count).toBeGreaterThan(200);
    // Within one netgroup everybody has a turn as well.
    const crowd = Array.from({ length: 30 }, (_, i) => candidate(`c${i}`, 'crowd'));
    const turns = tally([...crowd, candidate('a', 'a'), candidate('b', 'b')], 3, 6000);
    for (const { id } of crowd) expect(turns[id]).toBeGreaterThan(100);
  });

  it('draws fairly among equals', () => {
    const peers = Array.from({ length: 10 }, (_, i) => candidate(`p${i}`, `g${i}`));
    for (const count of Object.values(tally(peers, 3, 20_000))) {
      expect(count).toBeGreaterThan(5700);
      expect(count).toBeLessThan(6300);
    }
  });

  it('asks once a second what is known of a peer', () => {
    let nowMs = 0;
    let asked = 0;
    const fanOut = new FanOut<{ id: string }>({
      describe: ({ id }) => {
        asked++;
        return candidate(id, id);
      },
      random: seeded(3),
      nowMs: () => nowMs,
    });
    const peers = Array.from({ length: 5 }, (_, i) => ({ id: `p${i}` }));
    for (; nowMs < 1000; nowMs += 100) expect(fanOut.choose(peers, 2)).toHaveLength(2);
    expect(asked).toBe(5);
    fanOut.choose(peers, 2);
    expect(asked).toBe(10);
  });
});
