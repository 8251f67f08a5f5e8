import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HISTORY_ENTRIES, History, type HistoryRecord } from '../../../src/main/peers/history.js';
import { ErrorCode } from '../../../src/shared/errors.js';

const START_MS = Date.parse('2026-01-02T03:04:05.678Z');

function record(i: number, given: Partial<HistoryRecord> = {}): HistoryRecord {
  const code = i % 2 === 0 ? ErrorCode.Banned : ErrorCode.ReadTimeout;
  return {
    timeMs: START_MS + i,
    kind: 'rejected',
    code,
    peerId: null,
    address: '1.2.3.4:5',
    detail: String(i),
    ...given,
  };
}

function filled(capacity: number, count: number): History {
  const history = new History(capacity);
  for (let i = 0; i < count; i++) history.add(record(i));
  return history;
}

function details(history: History, query = {}): number[] {
  return history.query(query).map(({ detail }) => Number(detail));
}

function detailOf(detail: string): string {
  const history = new History();
  history.add(record(0, { detail }));
  return history.query({})[0]!.detail;
}

describe('history', () => {
  it('shows an entry as the API has it', () => {
    const history = new History();
    history.add(record(0, { peerId: 'them', detail: 'banned: spam' }));
    expect(history.query({})).toEqual([
      {
        time: '2026-01-02T03:04:05.678Z',
        kind: 'rejected',
        code: 0x46,
        name: 'Banned',
        peerId: 'them',
        address: '1.2.3.4:5',
        detail: 'banned: spam',
      },
    ]);
  });

  it('is empty at first', () => {
    expect(new History().query({})).toEqual([]);
    expect(new History().query({ code: ErrorCode.Banned })).toEqual([]);
  });

  it('holds the last ten thousand, and shows a hundred unless told otherwise', () => {
    const history = filled(HISTORY_ENTRIES, HISTORY_ENTRIES + 500);
    expect(details(history)).toHaveLength(100);
    const all = details(history, { limit: 20_000 });
    expect([all.length, all[0], all.at(-1)]).toEqual([10_000, 10_499, 500]);
  });

  it('shows the newest first, at most as many as asked for, of one code if asked for', () => {
    const query = fc.record(
      { limit: fc.nat(40), code: fc.constantFrom(ErrorCode.Banned, ErrorCode.ReadTimeout, ErrorCode.GoingAway) },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.nat(60), query, (capacity, count, { limit, code }) => {
        const kept = Array.from({ length: count }, (_, i) => record(i)).slice(-capacity);
        const wanted = kept.reverse().filter((entry) => code === undefined || entry.code === code);
        const expected = wanted.slice(0, limit ?? 100).map(({ detail }) => Number(detail));
        expect(details(filled(capacity, count), { limit, code })).toEqual(expected);
      }),
    );
  });

  it('gives a code that nobody knows the name Unknown', () => {
    const history = new History();
    history.add(record(0, { code: 0xee }));
    expect(history.query({})[0]?.name).toBe('Unknown');
  });

  it('cuts a long detail', () => {
    expect(detailOf('x'.repeat(200))).toBe('x'.repeat(200));
    expect(detailOf('ä'.repeat(5000))).toBe('ä'.repeat(200));
  });

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

  it('hands out entries that change nothing in it', () => {
    const history = filled(5, 3);
    (history.query({})[0] as { detail: string }).detail = 'changed';
    expect(details(history)).toEqual([2, 1, 0]);
  });
});
