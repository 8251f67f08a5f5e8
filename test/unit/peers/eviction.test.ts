import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseEviction, type EvictionCandidate } from '../../../src/main/peers/eviction.js';

interface Peer extends EvictionCandidate {
  readonly name: string;
}

const key = Buffer.from('secret');

function peer(name: string, given: Partial<EvictionCandidate> = {}): Peer {
  return { name, netGroup: name, connectedMs: 0, rttMs: null, lastMessageMs: 0, reputation: 50, ...given };
}

/** Honest peers of different netgroups, long connected, each good at something. */
function honest(count: number): Peer[] {
  return Array.from({ length: count }, (_, i) =>
    peer(`honest-${i}`, { connectedMs: i, rttMs: 50 + i, lastMessageMs: 1000 + i, reputation: 60 + (i % 30) }),
  );
}

describe('who gives way', () => {
  it('is nobody where there are few enough that all are protected', () => {
    expect(chooseEviction([], key)).toBeNull();
    expect(chooseEviction(honest(20), key)).toBeNull();
    expect(chooseEviction(honest(21), key)).not.toBeNull();
  });

  it('is the youngest of the largest netgroup', () => {
    const crowd = Array.from({ length: 40 }, (_, i) =>
      peer(`crowd-${i}`, { netGroup: 'one', connectedMs: 10_000 + i }),
    );
    expect(chooseEviction([...honest(30), ...crowd], key)?.name).toBe('crowd-39');
  });

  it('is one of an attacker’s own, however quick, talkative and well-behaved his crowd is', () => {
    fc.assert(
      fc.property(fc.integer({ min: 25, max: 100 }), fc.integer(), (size, seed) => {
        const random = (i: number) => Math.abs(Math.sin(seed + i));
        const crowd = Array.from({ length: size }, (_, i) =>
          peer(`evil-${i}`, {
            netGroup: 'evil',
            connectedMs: 1000 + i,
            rttMs: random(i),
            lastMessageMs: 1e6 + i,
            reputation: 100,
          }),
        );
        const chosen = chooseEviction([...honest(20), ...crowd], key);
        expect(chosen?.netGroup).toBe('evil');
      }),
    );
  });

  it('is never one of the quickest, the most recently heard, the best or the longest connected', () => {
    const candidate = fc.record({
      netGroup: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
      connectedMs: fc.integer({ min: 0, max: 1e6 }),
      rttMs: fc.option(fc.integer({ min: 0, max: 1000 }), { nil: null }),
      lastMessageMs: fc.integer({ min: 0, max: 1e6 }),
      reputation: fc.integer({ min: 0, max: 100 }),
    });
    fc.assert(
      fc.property(fc.array(candidate, { maxLength: 120 }), (candidates) => {
        const chosen = chooseEviction(candidates, key);
        if (chosen === null) return;
        const better = (isBetter: (one: EvictionCandidate) => boolean) => candidates.filter(isBetter).length;
        expect(better(({ rttMs }) => rttMs !== null && rttMs <= (chosen.rttMs ?? 1e9))).toBeGreaterThanOrEqual(
          Math.min(8, candidates.filter(({ rttMs }) => rttMs !== null).length),
        );
        expect(better(({ lastMessageMs }) => lastMessageMs >= chosen.lastMessageMs)).toBeGreaterThanOrEqual(4);
        expect(better(({ reputation }) => reputation >= chosen.reputation)).toBeGreaterThanOrEqual(4);
        expect(better(({ connectedMs }) => connectedMs <= chosen.connectedMs)).toBeGreaterThan(1);
      }),
    );
  });

  it('can’t be foretold without the key', () => {
    const crowd = Array.from({ length: 60 }, (_, i) => peer(`p${i}`, { connectedMs: 100 - (i % 7) }));
    const chosen = new Set(Array.from({ length: 40 }, (_, i) => chooseEviction(crowd, Buffer.from(`key ${i}`))?.name));
    expect(chosen.size).toBeGreaterThan(1);
  });
});
