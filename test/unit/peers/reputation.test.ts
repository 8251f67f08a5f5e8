import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Reputation, type ReputationRecord } from '../../../src/main/peers/reputation.js';
import { type ReputationEvent, reputationEvents, ruleOf } from '../../../src/main/peers/reputation-events.js';
import { ErrorCode } from '../../../src/shared/errors.js';

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const NOW_MS = 1_800_000_000_000;
const alice = { ip: '1.2.3.4', id: 'alice' };
const mallory = { ip: '6.6.6.6', id: 'mallory' };
const events = Object.keys(reputationEvents) as ReputationEvent[];

function noteTimes(reputation: Reputation, event: ReputationEvent, count: number, who = mallory, everyMs = 0) {
  let noted = reputation.note(event, who, NOW_MS);
  for (let i = 1; i < count; i++) noted = reputation.note(event, who, NOW_MS + i * everyMs);
  return noted;
}

/** What a store would hold, by key. */
function stored(): { table: Map<string, ReputationRecord>; reputation: (maxRecords?: number) => Reputation } {
  const table = new Map<string, ReputationRecord>();
  const onChange = (key: string, record: ReputationRecord | null) => {
    if (record === null) table.delete(key);
    else table.set(key, record);
  };
  return { table, reputation: (maxRecords) => new Reputation({ onChange }, maxRecords) };
}

describe('the score of a peer', () => {
  it('is 50 for a newcomer, with an ID or without', () => {
    const reputation = new Reputation();
    expect(reputation.score(alice, NOW_MS)).toBe(50);
    expect(reputation.score({ ip: '2001:db8::1', id: null }, NOW_MS)).toBe(50);
    expect(reputation.isRefused(alice, NOW_MS)).toBe(false);
  });

  it('rises with connections and service', () => {
    const reputation = new Reputation();
    const scores = (['connected', 'proven', 'hourOfService'] as const).map(
      (event) => reputation.note(event, alice, NOW_MS).score,
    );
    expect(scores).toEqual([51, 55, 57]);
  });

  it('does not rise far for who only connects again and again, but for who serves', () => {
    const reputation = new Reputation();
    expect(noteTimes(reputation, 'connected', 500).score).toBeLessThanOrEqual(52);
    expect(noteTimes(reputation, 'proven', 500).score).toBeLessThanOrEqual(60);
    const served = noteTimes(reputation, 'hourOfService', 500).score;
    expect(served).toBe(100);
    expect(reputation.note('connected', mallory, NOW_MS).score).toBe(served);
  });

  it('does not fall to a refusal by failed dials and slow lines, however many', () => {
    const reputation = new Reputation();
    noteTimes(reputation, 'dialFailed', 1000);
    expect(noteTimes(reputation, 'writeTimeout', 1000).score).toBe(30);
    expect(reputation.isRefused(mallory, NOW_MS)).toBe(false);
  });

  it('falls under 20 by misbehaviour, which is a refusal, before it is a ban', () => {
    const reputation = new Reputation();
    expect(noteTimes(reputation, 'rateExcess', 3)).toEqual({ score: 20, ban: null });
    expect(reputation.isRefused(mallory, NOW_MS)).toBe(false);
    expect(noteTimes(reputation, 'rateExcess', 1)).toEqual({ score: 10, ban: null });
    expect(reputation.isRefused(mallory, NOW_MS)).toBe(true);
    expect(noteTimes(reputation, 'rateExcess', 1).ban).toMatchObject({ code: ErrorCode.RateLimited });
  });

  it('drifts back to 50 from both sides, half of the way in six hours', () => {
    const reputation = new Reputation();
    noteTimes(reputation, 'hourOfService', 10, alice);
    noteTimes(reputation, 'rateExcess', 4);
    expect(reputation.score(alice, NOW_MS + 6 * HOUR_MS)).toBeCloseTo(60);
    expect(reputation.score(mallory, NOW_MS + 6 * HOUR_MS)).toBeCloseTo(30);
    expect(reputation.score(mallory, NOW_MS + 12 * HOUR_MS)).toBeCloseTo(40);
  });

  it('stays within 0 and 100 and is a number, whatever happens and whatever the clock does', () => {
    const steps = fc.array(
      fc.record({
        event: fc.constantFrom(...events),
        who: fc.constantFrom(alice, mallory, { ip: '6.6.6.6', id: null }, { ip: '2001:db8::1', id: 'x' }),
        nowMs: fc.oneof(fc.integer({ min: 0, max: 2 * NOW_MS }), fc.integer({ min: NOW_MS, max: NOW_MS + HOUR_MS })),
        sweeps: fc.boolean(),
      }),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(steps, (taken) => {
        const reputation = new Reputation();
        for (const { event, who, nowMs, sweeps } of taken) {
          const { score } = reputation.note(event, who, nowMs);
          if (sweeps) reputation.sweep(nowMs);
          expect(score >= 0 && score <= 100).toBe(true);
          expect(reputation.score(who, nowMs)).toBeCloseTo(score, 0);
        }
      }),
    );
  });

  it('does not depend on how often it is looked at', () => {
    const looks = fc.array(fc.integer({ min: 0, max: 24 * HOUR_MS }), { maxLength: 30 });
    const noted = fc.array(fc.constantFrom(...events), { minLength: 1, maxLength: 10 });
    fc.assert(
      fc.property(noted, looks, (happened, times) => {
        const watched = new Reputation();
        const left = new Reputation();
        for (const event of happened) {
          watched.note(event, mallory, NOW_MS);
          left.note(event, mallory, NOW_MS);
        }
        for (const afterMs of times.sort((a, b) => a - b)) {
          watched.score(mallory, NOW_MS + afterMs);
          watched.sweep(NOW_MS + afterMs);
        }
        const endMs = NOW_MS + 24 * HOUR_MS;
        // What is nearer to rest than half a point is forgotten, of standing and of debt.
        expect(Math.abs(watched.score(mallory, endMs) - left.score(mallory, endMs))).toBeLessThan(1);
      }),
    );
  });
});

describe('misbehaviour', () => {
  it('counts for everybody behind the address, so that a new ID does not wash it off', () => {
    const reputation = new Reputation();
    noteTimes(reputation, 'rateExcess', 4);
    expect(reputation.isRefused({ ip: mallory.ip, id: 'a new ID' }, NOW_MS)).toBe(true);
    expect(reputation.isRefused({ ip: mallory.ip, id: null }, NOW_MS)).toBe(true);
  });

  it('under a borrowed ID does not harm its owner elsewhere', () => {
    const reputation = new Reputation();
    noteTimes(reputation, 'rateExcess', 5, { ip: mallory.ip, id: alice.id });
    noteTimes(reputation, 'dialFailed', 5, { ip: mallory.ip, id: alice.id });
    expect(reputation.score(alice, NOW_MS)).toBe(50);
  });

  it('counts for a whole IPv6 /64 and not for the next one', () => {
    const reputation = new Reputation();
    noteTimes(reputation, 'rateExcess', 4, { ip: '2001:db8:0:1::1', id: 'a' });
    expect(reputation.isRefused({ ip: '2001:db8:0:1:ffff::9', id: 'b' }, NOW_MS)).toBe(true);
    expect(reputation.isRefused({ ip: '2001:db8:0:2::1', id: 'a' }, NOW_MS)).toBe(false);
  });

  it('of a link-local peer counts whatever interface it comes in by', () => {
    const reputation = new Reputation();
    noteTimes(reputation, 'rateExcess', 4, { ip: 'fe80::1%eth0', id: 'a' });
    expect(reputation.isRefused({ ip: 'fe80::1%eth1', id: 'b' }, NOW_MS)).toBe(true);
    reputation.clear('fe80::1');
    expect(reputation.score({ ip: 'fe80::1%eth0', id: 'b' }, NOW_MS)).toBe(50);
  });

  it('can’t be made good by service: debt that a newcomer would not survive is a ban', () => {
    const reputation = new Reputation();
    noteTimes(reputation, 'hourOfService', 25);
    expect(noteTimes(reputation, 'rateExcess', 4).ban).toBeNull();
    const { score, ban } = reputation.note('rateExcess', mallory, NOW_MS);
    expect(score).toBe(50);
    expect(ban?.reason).toContain('rateExcess');
  });

  it('by malformed frames alone, as few a minute as an accident, gets nobody refused or banned', () => {
    const reputation = new Reputation();
    const { score, ban } = noteTimes(reputation, 'malformedFrame', 5000, mallory, MINUTE_MS / 100);
    expect(ban).toBeNull();
    expect(score).toBeGreaterThanOrEqual(20);
  });

  it('does not become less by malformed frames when there is more already', () => {
    const reputation = new Reputation();
    const before = noteTimes(reputation, 'rateExcess', 4).score;
    expect(reputation.note('malformedFrame', mallory, NOW_MS).score).toBe(before);
  });

  it('is forgiven by the operator, with what counts towards a ban at once', () => {
    const reputation = new Reputation();
    noteTimes(reputation, 'oversizedFrame', 2);
    noteTimes(reputation, 'oversizedFrame', 1, alice);
    reputation.clear(mallory.ip);
    expect(reputation.score(mallory, NOW_MS)).toBe(50);
    expect(noteTimes(reputation, 'oversizedFrame', 2).ban).toBeNull();
    expect(reputation.score(alice, NOW_MS)).toBe(35);
    expect(noteTimes(reputation, 'oversizedFrame', 2, alice).ban).not.toBeNull();
  });
});

describe('what can’t be an accident is a ban at once', () => {
  it.each([
    ['oversizedFrame', 3, HOUR_MS, ErrorCode.MessageTooLarge],
    ['malformedFrame', 101, MINUTE_MS, ErrorCode.InvalidMessageFormat],
    ['pexTooLarge', 3, HOUR_MS, ErrorCode.InvalidMessageFormat],
  ] as const)('%s: %d within %d ms, not sooner and not over a longer time', (event, count, withinMs, code) => {
    const sooner = noteTimes(new Reputation(), event, count - 1);
    expect(sooner.ban).toBeNull();
    const spread = noteTimes(new Reputation(), event, count, mallory, Math.ceil(withinMs / (count - 1)));
    expect(spread.ban?.reason ?? '').not.toContain('times');
    const close = noteTimes(new Reputation(), event, count, mallory, Math.floor((withinMs - 1) / (count - 1)));
    expect(close.ban).toEqual({ code, reason: `${event}, ${count} times` });
  });

  it('a poisoned worker the first time', () => {
    const { ban } = new Reputation().note('workerPoisoned', alice, NOW_MS);
    expect(ban).toEqual({ code: ErrorCode.WorkerPoisoned, reason: 'workerPoisoned' });
  });

  it('and is counted by address, whatever IDs it takes on', () => {
    const reputation = new Reputation();
    const noted = ['a', 'b', 'c'].map((id) => reputation.note('oversizedFrame', { ip: '6.6.6.6', id }, NOW_MS));
    expect(noted.map(({ ban }) => ban !== null)).toEqual([false, false, true]);
    expect(reputation.note('oversizedFrame', { ip: '6.6.6.7', id: 'a' }, NOW_MS).ban).toBeNull();
  });

  it('and no event that says something good, or little, bans', () => {
    for (const event of events) {
      const { on, weight, outrage } = ruleOf(event);
      if (on === 'standing') {
        expect(noteTimes(new Reputation(), event, 200).ban).toBeNull();
      } else if (outrage?.count !== 1) {
        expect(weight).toBeGreaterThan(-20);
        expect(new Reputation().note(event, alice, NOW_MS).ban).toBeNull();
      }
    }
  });
});

describe('a wall clock that is set back', () => {
  const FAR_MS = NOW_MS + 10 * 365 * 24 * HOUR_MS;

  it('does not have debt stay for years', () => {
    const reputation = new Reputation();
    for (let i = 0; i < 4; i++) reputation.note('rateExcess', mallory, FAR_MS);
    expect(reputation.score(mallory, NOW_MS)).toBe(10);
    reputation.sweep(NOW_MS);
    expect(reputation.score(mallory, NOW_MS + 6 * HOUR_MS)).toBeCloseTo(30);
  });

  it('does not keep two accidents for the day of a third', () => {
    const reputation = new Reputation();
    for (let i = 0; i < 2; i++) reputation.note('oversizedFrame', mallory, FAR_MS);
    reputation.sweep(NOW_MS);
    expect(reputation.note('oversizedFrame', mallory, NOW_MS + 2 * HOUR_MS).ban).toBeNull();
  });

  it('by a moment does not let the third one pass', () => {
    const reputation = new Reputation();
    for (let i = 0; i < 2; i++) reputation.note('oversizedFrame', mallory, NOW_MS);
    expect(reputation.note('oversizedFrame', mallory, NOW_MS - 500).ban).not.toBeNull();
  });
});

describe('records', () => {
  it('restore the same scores', () => {
    const steps = fc.array(fc.tuple(fc.constantFrom(...events), fc.constantFrom(alice, mallory), fc.nat(HOUR_MS)), {
      maxLength: 30,
    });
    fc.assert(
      fc.property(steps, (taken) => {
        const { table, reputation } = stored();
        const before = reputation();
        for (const [event, who, afterMs] of taken) before.note(event, who, NOW_MS + afterMs);
        const atMs = NOW_MS + 2 * HOUR_MS;
        before.sweep(atMs);
        const after = new Reputation();
        after.restore(structuredClone([...table.values()]), atMs);
        for (const who of [alice, mallory]) expect(after.score(who, atMs)).toBe(before.score(who, atMs));
      }),
    );
  });

  it('that are rubbish are left out', () => {
    const good = { key: '6.6.6.6', kind: 'debt', value: 40, atMs: NOW_MS };
    const rubbish = [
      null,
      undefined,
      7,
      'text',
      [],
      { ...good, key: 7 },
      { ...good, kind: 'other' },
      { ...good, value: Number.NaN },
      { ...good, value: -1 },
      { ...good, value: 1e9 },
      { ...good, atMs: Number.POSITIVE_INFINITY },
      { ...good, atMs: null },
    ];
    for (const record of rubbish) {
      const reputation = new Reputation();
      reputation.restore([record], NOW_MS);
      expect(reputation.score(mallory, NOW_MS)).toBe(50);
      reputation.restore([record, good], NOW_MS);
      expect(reputation.score(mallory, NOW_MS)).toBe(10);
    }
  });

  it('of standing and debt never share a key, even where an ID reads like a host', () => {
    const { table, reputation } = stored();
    const both = reputation();
    both.note('rateExcess', { ip: '1.2.3.4', id: 'x' }, NOW_MS);
    both.note('connected', { ip: '1.2.3.4', id: '1.2.3.4' }, NOW_MS);
    expect(table.size).toBe(2);
  });

  it('are forgotten once they are at rest, here and in the store', () => {
    const { table, reputation } = stored();
    const both = reputation();
    both.note('connected', alice, NOW_MS);
    both.note('rateExcess', mallory, NOW_MS);
    both.sweep(NOW_MS + 12 * HOUR_MS);
    expect([...table.values()].map(({ kind }) => kind)).toEqual(['debt']);
    both.sweep(NOW_MS + 48 * HOUR_MS);
    expect(table.size).toBe(0);
  });

  it('are bounded, and a crowd of newcomers pushes out neither debtors nor who has served', () => {
    const { table, reputation } = stored();
    const crowded = reputation(100);
    noteTimes(crowded, 'rateExcess', 4);
    noteTimes(crowded, 'hourOfService', 5, alice);
    for (let i = 0; i < 2000; i++) {
      const crowd = { ip: `9.${i >> 8}.${i & 255}.1`, id: `n${i}` };
      crowded.note('connected', crowd, NOW_MS + i);
      crowded.note('handshakeTimeout', crowd, NOW_MS + i);
      expect(table.size).toBeLessThanOrEqual(200);
    }
    expect(table.size).toBeGreaterThan(150);
    expect(crowded.isRefused(mallory, NOW_MS + 2000)).toBe(true);
    expect(crowded.score(alice, NOW_MS + 2000)).toBeCloseTo(60, 1);
  });

  it('that are too many for a full table still let a new debtor be noticed', () => {
    const crowded = new Reputation({}, 10);
    for (let i = 0; i < 10; i++) noteTimes(crowded, 'rateExcess', 4, { ip: `9.9.9.${i}`, id: 'x' });
    noteTimes(crowded, 'penalised', 3);
    expect(crowded.score(mallory, NOW_MS)).toBe(35);
  });

  it('of a larger table restore into a smaller one, those furthest from rest', () => {
    const { table, reputation } = stored();
    const records = Array.from({ length: 50 }, (_, i) => ({
      key: `9.9.9.${i}`,
      kind: 'debt',
      value: 10 + i,
      atMs: NOW_MS,
    }));
    for (const record of records) table.set(`debt ${record.key}`, record as ReputationRecord);
    reputation(20).restore(records, NOW_MS);
    expect([...table.values()].map(({ value }) => value).sort()).toEqual(records.slice(30).map(({ value }) => value));
  });
});
