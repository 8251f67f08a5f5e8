import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseEviction, chooseEvictions, type EvictionCandidate } from '../../../src/main/peers/eviction.js';

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
  it('of several at once are those that would have given way one after the other', () => {
    const candidate = fc.record({
      netGroup: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
      connectedMs: fc.integer({ min: 0, max: 50 }),
      rttMs: fc.option(fc.integer({ min: 0, max: 50 }), { nil: null }),
      lastMessageMs: fc.integer({ min: 0, max: 50 }),
      reputation: fc.integer({ min: 0, max: 100 }),
    });
    fc.assert(
      fc.property(fc.array(candidate, { maxLength: 60 }), fc.nat(60), (candidates, count) => {
        const expected: EvictionCandidate[] = [];
        for (let left = candidates; expected.length < count; ) {
          const next = chooseEviction(left, key);
          if (next === null) break;
          expected.push(next);
          left = left.filter((candidate) => candidate !== next);
        }
        const chosen = chooseEvictions(candidates, key, count);
        expect(chosen.every((candidate, i) => candidate === expected[i])).toBe(true);
        expect(chosen).toHaveLength(expected.length);
      }),
    );
  });

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

const PROTECTED = 20;
const secretKey = new Uint8Array(32).fill(7);
const anyKey = fc.uint8Array({ minLength: 32, maxLength: 32 });

interface Candidate extends EvictionCandidate {
  readonly name: string;
}

function candidate(given: Partial<Candidate> = {}): Candidate {
  return {
    name: 'peer',
    netGroup: '1.2.0.0/16',
    connectedMs: 0,
    rttMs: null,
    lastMessageMs: 0,
    reputation: 50,
    ...given,
  };
}

/** Peers of as many netgroups, each with its own age. */
function diverse(count: number, given: Partial<Candidate> = {}): Candidate[] {
  return Array.from({ length: count }, (_, i) =>
    candidate({ name: `honest ${i}`, netGroup: `10${i}.0.0.0/16`, connectedMs: i, ...given }),
  );
}

function crowd(count: number, given: (i: number) => Partial<Candidate>): Candidate[] {
  return Array.from({ length: count }, (_, i) =>
    candidate({ name: `attacker ${i}`, netGroup: '6.6.0.0/16', ...given(i) }),
  );
}

const anyCandidate: fc.Arbitrary<Candidate> = fc.record({
  name: fc.constant('peer'),
  netGroup: fc.integer({ min: 1, max: 12 }).map((i) => `${i}.0.0.0/16`),
  connectedMs: fc.nat(1_000_000),
  rttMs: fc.option(fc.nat(2000)),
  lastMessageMs: fc.nat(1_000_000),
  reputation: fc.integer({ min: 0, max: 100 }),
});
const anyCandidates = fc.array(anyCandidate, { maxLength: 120 });

/** How many others come before a peer, those that tie with it included. */
function rank(all: readonly Candidate[], of: Candidate, value: (candidate: Candidate) => number): number {
  return all.filter((other) => other !== of && value(other) >= value(of)).length;
}

describe('who gives way of any peers', () => {
  it('is one of the candidates, and the same for the same candidates in the same order', () => {
    fc.assert(
      fc.property(anyCandidates, anyKey, (candidates, secret) => {
        const before = [...candidates];
        const chosen = chooseEviction(candidates, secret);
        expect(chosen === null).toBe(candidates.length <= PROTECTED);
        if (chosen !== null) expect(candidates).toContain(chosen);
        expect(chooseEviction(candidates, secret)).toBe(chosen);
        expect(candidates).toEqual(before);
      }),
    );
  });

  it('is, of netgroups of one size, of the one whose youngest is youngest', () => {
    fc.assert(
      fc.property(anyKey, (secret) => {
        // All alike but for their age, so that only the keyed protection may spare the youngest.
        const peers = diverse(100);
        const chosen = chooseEviction(peers, secret)!;
        const younger = peers.filter(({ connectedMs }) => connectedMs > chosen.connectedMs);
        expect(younger.length).toBeLessThanOrEqual(PROTECTED);
      }),
    );
  });
});

describe('protected is', () => {
  const evicted = fc.tuple(anyCandidates, anyKey);

  it.each([
    ['one of the 8 nearest', 8, ({ rttMs }: Candidate) => -(rttMs ?? Number.POSITIVE_INFINITY)],
    ['one of the 4 whose message is the latest', 4, ({ lastMessageMs }: Candidate) => lastMessageMs],
    ['one of the 4 with the best reputation', 4, ({ reputation }: Candidate) => reputation],
  ])('%s', (_, count, value) => {
    fc.assert(
      fc.property(evicted, ([candidates, secret]) => {
        const chosen = chooseEviction(candidates, secret);
        if (chosen !== null) expect(rank(candidates, chosen, value)).toBeGreaterThanOrEqual(count);
      }),
    );
  });

  it('who has been here longer than half of the rest', () => {
    fc.assert(
      fc.property(evicted, ([candidates, secret]) => {
        const chosen = chooseEviction(candidates, secret);
        if (chosen === null) return;
        const older = rank(candidates, chosen, ({ connectedMs }) => -connectedMs);
        expect(older).toBeGreaterThanOrEqual(Math.floor((candidates.length - PROTECTED) / 2));
      }),
    );
  });

  it('half of the rest and no less, even where those that have been here longest are a crowd', () => {
    // 20 are protected otherwise, by a netgroup of their own or by merit; of the 20 left, 10 are the crowd.
    const merits = diverse(16, { rttMs: 1, lastMessageMs: 1, reputation: 60, connectedMs: 500 });
    const young = Array.from({ length: 14 }, (_, i) =>
      candidate({ name: `young ${i}`, netGroup: `20${i}.0.0.0/16`, connectedMs: 1000 + i }),
    );
    const old = (count: number) => crowd(count, (i) => ({ connectedMs: i }));
    expect(chooseEviction([...merits, ...young, ...old(10)], secretKey)?.name).toMatch(/^young/);
    expect(chooseEviction([...merits, ...young, ...old(13)], secretKey)?.name).toMatch(/^attacker/);
  });

  it('not a peer whose distance is not known, beside one that is far away', () => {
    const far = diverse(8, { rttMs: 60_000 });
    const unknown = crowd(40, (i) => ({ connectedMs: 1000 + i }));
    for (let i = 0; i < 20; i++) {
      expect(chooseEviction([...unknown, ...far], new Uint8Array(32).fill(i))?.name).toMatch(/^attacker/);
    }
  });
});

describe('an attacker who fills all places from one netgroup', () => {
  it('with low latency, many messages, good reputation and old connections displaces only himself', () => {
    const worst = fc.record({
      rttMs: fc.constantFrom(0, 1, null),
      lastMessageMs: fc.constantFrom(0, 2_000_000),
      reputation: fc.constantFrom(0, 50, 100),
      connectedMs: fc.constantFrom(-1000, 500, 2_000_000),
    });
    // He may win all 20 protected places and all of the half that is oldest: what is left of him is still a crowd.
    const sides = fc.integer({ min: 0, max: 40 }).chain((honest) =>
      fc.record({
        honest: fc.array(anyCandidate, { minLength: honest, maxLength: honest }),
        attackers: fc.array(worst, { minLength: honest + PROTECTED + 3, maxLength: honest + 60 }),
        secret: anyKey,
        isFirst: fc.boolean(),
      }),
    );
    fc.assert(
      fc.property(sides, ({ honest, attackers, secret, isFirst }) => {
        const netGroup = (i: number) => `10${i}.0.0.0/16`;
        const ours = honest.map((peer, i) => ({ ...peer, name: `honest ${i}`, netGroup: netGroup(i) }));
        const theirs = crowd(attackers.length, (i) => attackers[i]!);
        const all = isFirst ? [...theirs, ...ours] : [...ours, ...theirs];
        expect(chooseEviction(all, secret)?.name).toMatch(/^attacker/);
      }),
    );
  });
});
