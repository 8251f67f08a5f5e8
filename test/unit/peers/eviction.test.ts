import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseEviction, type EvictionCandidate } from '../../../src/main/peers/eviction.js';

const PROTECTED = 20;
const key = new Uint8Array(32).fill(7);
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

describe('who gives way', () => {
  it('is nobody while everybody is protected', () => {
    expect(chooseEviction([], key)).toBeNull();
    for (let count = 1; count <= PROTECTED; count++) expect(chooseEviction(diverse(count), key)).toBeNull();
    expect(chooseEviction(diverse(PROTECTED + 1), key)).not.toBeNull();
  });

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

  it('is the youngest of the netgroup with the most members', () => {
    const pair = [candidate({ name: 'older', connectedMs: 1000 }), candidate({ name: 'younger', connectedMs: 1001 })];
    const others = diverse(60, { rttMs: 1, lastMessageMs: 1, reputation: 60 });
    for (let i = 0; i < 20; i++) {
      const secret = new Uint8Array(32).fill(i);
      const name = chooseEviction([...others, ...pair], secret)?.name;
      // Unless the key happens to protect their netgroup, which is 2 of the first 4 hashes.
      if (name?.startsWith('honest') !== true) expect(name).toBe('younger');
    }
    expect(chooseEviction([...others, ...pair], key)?.name).toBe('younger');
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
    expect(chooseEviction([...merits, ...young, ...old(10)], key)?.name).toMatch(/^young/);
    expect(chooseEviction([...merits, ...young, ...old(13)], key)?.name).toMatch(/^attacker/);
  });

  it('not a peer whose distance is not known, beside one that is far away', () => {
    const far = diverse(8, { rttMs: 60_000 });
    const unknown = crowd(40, (i) => ({ connectedMs: 1000 + i }));
    for (let i = 0; i < 20; i++) {
      expect(chooseEviction([...unknown, ...far], new Uint8Array(32).fill(i))?.name).toMatch(/^attacker/);
    }
  });

  it('by netgroup nobody who could be foretold without the key', () => {
    const peers = diverse(PROTECTED + 2);
    const chosen = new Set<string>();
    for (let i = 0; i < 64; i++) chosen.add(chooseEviction(peers, new Uint8Array(32).fill(i))!.name);
    expect(chosen.size).toBeGreaterThan(1);
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
