import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Reputation, type ReputationRecord } from '../../../src/main/peers/reputation.js';
import { type ReputationEvent, reputationEvents } from '../../../src/main/peers/reputation-events.js';
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
