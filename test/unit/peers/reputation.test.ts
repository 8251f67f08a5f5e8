import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Reputation, type ReputationRecord } from '../../../src/main/peers/reputation.js';
import { type ReputationEvent, reputationEvents, ruleOf } from '../../../src/main/peers/reputation-events.js';
import { ErrorCode } from '../../../src/shared/errors.js';

const HOUR_MS = 3_600_000;
const who = { ip: '8.8.4.4', id: 'peer' };

function times(reputation: Reputation, count: number, event: ReputationEvent, at = who, nowMs = 0) {
  let last = reputation.note(event, at, nowMs);
  for (let i = 1; i < count; i++) last = reputation.note(event, at, nowMs);
  return last;
}

describe('a peer’s reputation', () => {
  it('is 50 for a newcomer, rises with connections and service, and falls with failed dials, never to a refusal', () => {
    const reputation = new Reputation();
    expect(reputation.score(who, 0)).toBe(50);
    times(reputation, 1, 'connected');
    times(reputation, 1, 'proven');
    times(reputation, 10, 'hourOfService');
    expect(reputation.score(who, 0)).toBe(75);
    times(reputation, 100, 'dialFailed');
    expect(reputation.score(who, 0)).toBe(30);
    expect(reputation.isRefused(who, 0)).toBe(false);
  });

  it('drifts back to rest by half in six hours, however often one looks', () => {
    const [seldom, often] = [new Reputation(), new Reputation()];
    for (const reputation of [seldom, often]) times(reputation, 2, 'oversizedFrame');
    for (let ms = 0; ms < 6 * HOUR_MS; ms += HOUR_MS / 4) often.score(who, ms);
    expect(seldom.score(who, 0)).toBe(20);
    expect(seldom.score(who, 6 * HOUR_MS)).toBeCloseTo(35);
    expect(often.score(who, 6 * HOUR_MS)).toBeCloseTo(35);
    expect(seldom.score(who, -HOUR_MS)).toBe(20);
  });

  it('is its host’s debt: a new ID does not wash it off, and who borrows the ID elsewhere is a newcomer', () => {
    const reputation = new Reputation();
    times(reputation, 2, 'oversizedFrame');
    times(reputation, 5, 'malformedFrame');
    expect(reputation.isRefused({ ip: who.ip, id: 'fresh' }, 0)).toBe(false);
    times(reputation, 1, 'penalised');
    expect(reputation.isRefused({ ip: who.ip, id: 'fresh' }, 0)).toBe(true);
    expect(reputation.isRefused({ ip: who.ip, id: null }, 0)).toBe(true);
    expect(reputation.score({ ip: '9.9.9.9', id: who.id }, 0)).toBe(50);
  });

  it('of an IPv6 host is that of its /64', () => {
    const reputation = new Reputation();
    times(reputation, 2, 'oversizedFrame', { ip: '2600:1:2:3::4', id: 'a' });
    expect(reputation.score({ ip: '2600:1:2:3::5', id: 'b' }, 0)).toBe(20);
    expect(reputation.score({ ip: '2600:1:2:4::5', id: 'b' }, 0)).toBe(50);
  });
});

describe('a ban at once', () => {
  it.each([
    ['oversizedFrame', 3, ErrorCode.MessageTooLarge],
    ['malformedFrame', 101, ErrorCode.InvalidMessageFormat],
    ['workerPoisoned', 1, ErrorCode.WorkerPoisoned],
    ['pexTooLarge', 3, ErrorCode.InvalidMessageFormat],
  ] as const)('comes for %s number %d, not before', (event, count, code) => {
    const reputation = new Reputation();
    if (count > 1) expect(times(reputation, count - 1, event).ban).toBeNull();
    expect(reputation.note(event, who, 0).ban).toMatchObject({ code });
  });

  it('does not come for what is spread over more than its time', () => {
    const reputation = new Reputation();
    for (let i = 0; i < 300; i++) expect(reputation.note('malformedFrame', who, i * 700).ban).toBeNull();
    const other = { ip: '1.1.1.1', id: 'x' };
    for (let i = 0; i < 3; i++) expect(reputation.note('oversizedFrame', other, i * 31 * 60_000).ban).toBeNull();
  });

  it('comes when nothing is left of a host’s reputation', () => {
    const reputation = new Reputation();
    expect(times(reputation, 9, 'penalised').ban).toBeNull();
    expect(times(reputation, 1, 'penalised').ban).toMatchObject({ code: ErrorCode.InvalidMessageFormat });
  });

  it('does not come for a hundred malformed frames a minute, day and night, nor is such a peer refused', () => {
    const reputation = new Reputation();
    let bans = 0;
    for (let i = 0; i < 20_000; i++) if (reputation.note('malformedFrame', who, i * 601).ban !== null) bans++;
    expect(bans).toBe(0);
    expect(reputation.isRefused(who, 20_000 * 601)).toBe(false);
  });
});

describe('reputations', () => {
  it('stay within 0 and 100 whatever happens', () => {
    const event = fc.constantFrom(...(Object.keys(reputationEvents) as ReputationEvent[]));
    const step = fc.record({ event, ms: fc.integer({ min: -HOUR_MS, max: 10 * HOUR_MS }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const reputation = new Reputation();
        let nowMs = 0;
        for (const { event: one, ms } of steps) {
          nowMs += ms;
          const { score } = reputation.note(one, who, nowMs);
          expect(score).toBeGreaterThanOrEqual(0);
          expect(score).toBeLessThanOrEqual(100);
        }
      }),
    );
  });

  it('survive a restart, and rubbish in the store does not matter', () => {
    const stored = new Map<string, ReputationRecord>();
    const before = new Reputation({
      onChange: (key, record) => void (record === null ? stored.delete(key) : stored.set(key, record)),
    });
    times(before, 2, 'oversizedFrame');
    times(before, 5, 'hourOfService');
    const after = new Reputation();
    after.restore([...stored.values(), null, {}, { key: 'x', kind: 'debt', value: Number.NaN, atMs: 0 }], 0);
    expect(after.score(who, HOUR_MS)).toBe(before.score(who, HOUR_MS));
  });

  it('at rest are forgotten, and of too many the one nearest to rest', () => {
    const kept = new Map<string, ReputationRecord>();
    const reputation = new Reputation(
      { onChange: (key, record) => void (record === null ? kept.delete(key) : kept.set(key, record)) },
      10,
    );
    times(reputation, 2, 'oversizedFrame', { ip: '9.9.9.9', id: null as never });
    for (let i = 0; i < 50; i++) reputation.note('malformedFrame', { ip: `8.8.8.${i}`, id: 'x' }, 0);
    expect(kept.size).toBe(10);
    expect(reputation.score({ ip: '9.9.9.9', id: null }, 0)).toBe(20);
    reputation.sweep(100 * HOUR_MS);
    expect(kept.size).toBe(0);
  });
});

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

describe('the score over time', () => {
  it('does not rise far for who only connects again and again, but for who serves', () => {
    const reputation = new Reputation();
    expect(noteTimes(reputation, 'connected', 500).score).toBeLessThanOrEqual(52);
    expect(noteTimes(reputation, 'proven', 500).score).toBeLessThanOrEqual(60);
    const served = noteTimes(reputation, 'hourOfService', 500).score;
    expect(served).toBe(100);
    expect(reputation.note('connected', mallory, NOW_MS).score).toBe(served);
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

describe('what can’t be an accident', () => {
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
