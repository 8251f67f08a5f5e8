import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HISTORY_ENTRIES, History } from '../../../src/main/peers/history.js';

function entry(n: number, code = 8) {
  return { timeMs: n, kind: 'rejected', code, peerId: `p${n}`, address: '127.0.0.1:1', detail: 'why' } as const;
}

describe('history', () => {
  it('tells the newest first, as many as are asked for, of one code if asked', () => {
    const history = new History();
    for (let i = 0; i < 200; i++) history.add(entry(i, i % 10 === 0 ? 3 : 8));
    expect([...history.each({})].map(({ peerId }) => peerId)).toEqual(
      Array.from({ length: 100 }, (_, i) => `p${199 - i}`),
    );
    expect([...history.each({ limit: 2 })].map(({ peerId }) => peerId)).toEqual(['p199', 'p198']);
    expect([...history.each({ limit: 2, code: 3 })]).toEqual([
      {
        time: '1970-01-01T00:00:00.190Z',
        kind: 'rejected',
        code: 3,
        name: 'HandshakeTimeout',
        peerId: 'p190',
        address: '127.0.0.1:1',
        detail: 'why',
      },
      expect.objectContaining({ peerId: 'p180' }),
    ]);
  });

  it('keeps the last 10,000', () => {
    const history = new History();
    for (let i = 0; i < HISTORY_ENTRIES + 5; i++) history.add(entry(i));
    const all = [...history.each({ limit: 20_000 })];
    expect(all).toHaveLength(10_000);
    expect([all[0]?.peerId, all.at(-1)?.peerId]).toEqual([`p${HISTORY_ENTRIES + 4}`, 'p5']);
  });

  it('is empty at first, and after every number of entries tells each of the last ones once', () => {
    const history = new History(4);
    for (let i = 0; i < 11; i++) {
      const expected = Array.from({ length: Math.min(i, 4) }, (_, age) => `p${i - 1 - age}`);
      expect([...history.each({})].map(({ peerId }) => peerId)).toEqual(expected);
      history.add(entry(i));
    }
  });

  it('makes what a peer wrote harmless and short', () => {
    const history = new History();
    history.add({ ...entry(1), detail: `\x1b[2J\nboo ${'x'.repeat(1000)}` });
    const detail = [...history.each({})][0]!.detail;
    expect(detail).toHaveLength(200);
    expect(detail.startsWith('\uFFFD[2J\uFFFDboo xxx')).toBe(true);
  });
});

function detailOf(detail: string): string {
  const history = new History();
  history.add({ ...entry(0), detail });
  return [...history.each({})][0]!.detail;
}

describe('what history shows', () => {
  it('keeps what could move a cursor, break a line or turn the reading order out of details', () => {
    expect(detailOf('a\u001b[2J\nb\u2028c\u202ed\u0000')).toBe('a\uFFFD[2J\uFFFDb\uFFFDc\uFFFDd\uFFFD');
    expect(detailOf('Grüße, 你好 👋')).toBe('Grüße, 你好 👋');
  });

  it('makes every detail well-formed, on one line and short, even one cut in the middle of a character', () => {
    expect(detailOf(`${'x'.repeat(199)}👋`)).toBe(`${'x'.repeat(199)}\uFFFD`);
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
        const detail = detailOf(text);
        expect(detail.length).toBeLessThanOrEqual(200);
        expect(detail.isWellFormed()).toBe(true);
        expect(detail).not.toMatch(/[\p{Cc}\p{Cf}\u2028\u2029]/u);
      }),
    );
  });
});
