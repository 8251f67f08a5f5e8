import { describe, expect, it } from 'vitest';
import { Hearsay, MAX_VOICES } from '../../../src/main/discovery/hearsay.js';
import { decodePex } from '../../../src/main/discovery/pex.js';

const HOUR_MS = 3_600_000;
/** Wall time is monotonic time and this, in every test. */
const WALL_MS = Date.UTC(2026, 0, 1);
const stranger = (group: string) => ({ group, isChosen: false });
const chosen = (group: string) => ({ group, isChosen: true });

describe('what time others say it is', () => {
  it('is compared with ours, one figure a netgroup, the last that it said', () => {
    const hearsay = new Hearsay();
    hearsay.time(stranger('a'), WALL_MS + 5000, 0);
    hearsay.time(stranger('b'), WALL_MS + 9000, 0);
    hearsay.time(stranger('b'), WALL_MS + 1000 - 7000, 1000);
    expect(hearsay.clocks(WALL_MS + 2000, 2000)).toEqual({ aheadMs: [5000, -7000], areChosen: false });
  });

  it('is right again as soon as our clock is: what was heard before does not go stale with it', () => {
    const hearsay = new Hearsay();
    hearsay.time(stranger('a'), WALL_MS, 0);
    expect(hearsay.clocks(WALL_MS - HOUR_MS + 10, 10).aheadMs).toEqual([HOUR_MS]);
    expect(hearsay.clocks(WALL_MS + 20, 20).aheadMs).toEqual([0]);
  });

  it('is asked only of those that we dialled, once they are three: pushing in gives no voice', () => {
    const hearsay = new Hearsay();
    for (let i = 0; i < 50; i++) hearsay.time(stranger(`liar-${i}`), WALL_MS + HOUR_MS, 0);
    hearsay.time(chosen('a'), WALL_MS, 0);
    hearsay.time(chosen('b'), WALL_MS, 0);
    expect(hearsay.clocks(WALL_MS, 0)).toMatchObject({ areChosen: false, aheadMs: { length: 52 } });
    hearsay.time(chosen('c'), WALL_MS, 0);
    // The liars outshout nobody, and one in the netgroup of an honest peer does not speak for it.
    hearsay.time(stranger('a'), WALL_MS + HOUR_MS, 0);
    expect(hearsay.clocks(WALL_MS, 0)).toEqual({ aheadMs: [0, 0, 0], areChosen: true });
  });

  it('is forgotten after an hour, and never more than so many voices are kept', () => {
    const hearsay = new Hearsay();
    hearsay.time(chosen('a'), WALL_MS, 0);
    for (let i = 0; i < 10_000; i++) hearsay.time(stranger(`liar-${i}`), WALL_MS, 1000);
    expect(hearsay.clocks(WALL_MS, 1000).aheadMs).toHaveLength(MAX_VOICES + 1);
    expect(hearsay.clocks(WALL_MS, HOUR_MS).aheadMs).toHaveLength(MAX_VOICES);
    expect(hearsay.clocks(WALL_MS, 2 * HOUR_MS).aheadMs).toEqual([]);
  });

  it('comes with addresses, if it is a time at all', () => {
    const sentMs = (timestamp: unknown) => {
      const message = decodePex(Buffer.from(JSON.stringify({ timestamp, peers: [] })), true);
      return message.kind === 'peers' ? message.sentMs : message.kind;
    };
    expect(sentMs('2026-01-01T00:00:00Z')).toBe(WALL_MS);
    expect(sentMs('2026-01-01T02:00:00.123456789+02:00')).toBe(WALL_MS + 123);
    for (const wrong of ['yesterday', '', 'x'.repeat(10_000), 5, null, undefined, {}]) expect(sentMs(wrong)).toBeNull();
  });
});

describe('where others say that we are', () => {
  const address = (host: string, port = 1) => ({ host, port });

  it('is counted by netgroup, each with one voice, the most told first', () => {
    const hearsay = new Hearsay();
    for (let i = 0; i < 100; i++) hearsay.address('liar', address('6.6.6.6', i + 1), 0);
    hearsay.address('a', address('9.9.9.9'), 5);
    hearsay.address('b', address('9.9.9.9'), 7);
    expect(hearsay.addresses(10)).toEqual([
      { host: '9.9.9.9', port: 1, voices: 2 },
      { host: '6.6.6.6', port: 100, voices: 1 },
    ]);
  });

  it('is forgotten after an hour, and never more than so many voices are kept', () => {
    const hearsay = new Hearsay();
    for (let i = 0; i < 10_000; i++) hearsay.address(`g${i}`, address('9.9.9.9'), 0);
    expect(hearsay.addresses(0)).toMatchObject([{ voices: MAX_VOICES }]);
    expect(hearsay.addresses(HOUR_MS)).toEqual([]);
  });
});
