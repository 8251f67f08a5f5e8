import { describe, expect, it } from 'vitest';
import { HourTally } from '../../../src/main/peers/hour-tally.js';

const MINUTE_MS = 60_000;

describe('the tally of the last hour', () => {
  it('counts by kind and code, the most frequent first', () => {
    const tally = new HourTally();
    tally.add('rejected', 0x06, 0);
    for (let i = 0; i < 3; i++) tally.add('disconnected', 0x06, i * MINUTE_MS);
    tally.add('disconnected', 0x44, 0);
    tally.add('disconnected', 0x44, 0);
    expect(tally.counts(3 * MINUTE_MS)).toEqual([
      { kind: 'disconnected', code: 0x06, name: 'PeerLimitReached', count: 3 },
      { kind: 'disconnected', code: 0x44, name: 'IdlePeer', count: 2 },
      { kind: 'rejected', code: 0x06, name: 'PeerLimitReached', count: 1 },
    ]);
  });

  it('forgets what is an hour old, whether more happens or not', () => {
    const tally = new HourTally();
    tally.add('rejected', 0x06, 0);
    tally.add('rejected', 0x06, 30 * MINUTE_MS);
    expect(tally.counts(59 * MINUTE_MS)[0].count).toBe(2);
    expect(tally.counts(60 * MINUTE_MS)[0].count).toBe(1);
    expect(tally.counts(90 * MINUTE_MS)).toEqual([]);
  });

  it('is as large as an hour has minutes, however long it counts', () => {
    const tally = new HourTally();
    for (let minute = 0; minute < 10_000; minute++) tally.add('dropped', 0x05, minute * MINUTE_MS);
    expect(tally.counts(9_999 * MINUTE_MS)).toEqual([
      { kind: 'dropped', code: 0x05, name: 'InvalidMessageFormat', count: 60 },
    ]);
  });
});
