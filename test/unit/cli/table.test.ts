/** Tables for people, above all of what strangers chose, and on terminals of any width. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { BanInfo, HistoryEntry, PeerInfo } from '../../../src/main/api.js';
import { bansText } from '../../../src/main/cli/bans.js';
import { historyText } from '../../../src/main/cli/history.js';
import { peersText } from '../../../src/main/cli/peers.js';
import { type Column, tableText } from '../../../src/main/cli/table.js';
import { displayWidth } from '../../../src/main/cli/text.js';
import { ban, entry, peer } from '../admin/fake-node.js';

const anyWidth = Number.POSITIVE_INFINITY;
const nowMs = Date.parse('2026-01-01T01:00:00.000Z');

interface Row {
  readonly name: string;
  readonly figure: string;
  readonly text: string;
}

const columns: readonly Column<Row>[] = [
  { head: 'name', cell: ({ name }) => name },
  { head: 'figure', cell: ({ figure }) => figure, right: true, goes: 1 },
  { head: 'text', cell: ({ text }) => text, free: true },
];

describe('a table', () => {
  test('is aligned, by what characters measure on a terminal', () => {
    const rows = [
      { name: 'a', figure: '1', text: 'x' },
      { name: '日本', figure: '200', text: '' },
      { name: 'e\u0301e', figure: '30', text: 'y' },
    ];
    expect(tableText(columns, rows, anyWidth)).toBe(
      'name  figure  text\na          1  x\n日本     200  -\ne\u0301e        30  y\n',
    );
  });

  test('cuts free text where there is little room, then loses columns, and never a part of another', () => {
    const rows = [{ name: 'n'.repeat(10), figure: '12345678', text: 'word '.repeat(20).trim() }];
    expect(tableText(columns, rows, 50)).toBe(
      `name          figure  text\nnnnnnnnnnn  12345678  word word word word word wo…\n`,
    );
    expect(tableText(columns, rows, 30)).toBe('name        text\nnnnnnnnnnn  word word word wo…\n');
    expect(tableText(columns, rows, 5)).toBe('name        text\nnnnnnnnnnn  word word word …\n');
    expect(tableText(columns, rows, anyWidth)).toContain(rows[0].text);
  });

  test('holds nothing that could harm a terminal, whatever strangers chose', () => {
    const text = fc.string({ unit: 'binary', maxLength: 60 });
    const rows = fc.array(fc.record({ name: text, figure: text, text }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(rows, fc.integer({ min: 1, max: 200 }), (given, width) => {
        const lines = tableText(columns, given, width).split('\n');
        expect(lines.length).toBe(given.length + 2);
        for (const line of lines) expect(line).not.toMatch(/\p{C}|\p{Zl}|\p{Zp}/u);
      }),
    );
  });
});

describe('peers', () => {
  test('are shown with their figures, and counted', () => {
    const other: PeerInfo = { ...peer, id: 'b', direction: 'inbound', rttMs: null, persistent: false, worker: 1 };
    expect(peersText([peer, other], nowMs, anyWidth)).toBe(
      [
        'id      address         direction  state      persistent     up  idle  rtt ms  got  sent       in      out  reputation  worker',
        'peer-a  10.0.0.1:26656  outbound   Connected  yes         1h 0s    5s    12.3   10    20  1.0 KiB  2.0 KiB          50       0',
        'b       10.0.0.1:26656  inbound    Connected  no          1h 0s    5s       -   10    20  1.0 KiB  2.0 KiB          50       1',
        '2 peers (1 inbound, 1 outbound)',
        '',
      ].join('\n'),
    );
  });

  test('fit terminals of 80 columns with an ID of the usual length, and keep ID and address on any', () => {
    const usual = { ...peer, id: 'a'.repeat(32), address: '255.255.255.255:65535' };
    for (const line of peersText([usual], nowMs, 80).split('\n')) expect(displayWidth(line)).toBeLessThanOrEqual(80);
    for (const width of [1, 40, 60]) {
      const text = peersText([usual], nowMs, width);
      expect(text).toContain(usual.id);
      expect(text).toContain(usual.address);
    }
  });

  test('that are none are said to be none', () => {
    expect(peersText([], nowMs, 80)).toBe('no peers\n');
    expect(bansText([], 80)).toBe('no bans\n');
    expect(historyText([], 80)).toBe('no history\n');
  });

  test('from a clock ahead of ours are up for no time', () => {
    expect(peersText([peer], 0, anyWidth)).toMatch(/ 0s +0s /);
  });
});

describe('bans and history', () => {
  test('are shown with why and until when', () => {
    const forever: BanInfo = { ...ban, target: 'id:x', until: null, reason: 'a\x1b[2Jb' };
    expect(bansText([ban, forever], anyWidth)).toBe(
      [
        'target       until                     since                     code         reason',
        '10.0.0.0/24  2026-01-02T00:00:00.000Z  2026-01-01T00:00:00.000Z  RateLimited  spam',
        'id:x         forever                   2026-01-01T00:00:00.000Z  RateLimited  a\uFFFD[2Jb',
        '2 bans',
        '',
      ].join('\n'),
    );
    const other: HistoryEntry = { ...entry, kind: 'rejected', peerId: 'p', address: null };
    expect(historyText([entry, other], anyWidth)).toBe(
      [
        'time                      kind         code          peer  address     detail',
        '2026-01-01T00:00:00.000Z  dial-failed  NetworkError  -     10.0.0.9:1  ECONNREFUSED',
        '2026-01-01T00:00:00.000Z  rejected     NetworkError  p     -           ECONNREFUSED',
        '',
      ].join('\n'),
    );
  });

  test('fit terminals of 80 columns', () => {
    const long: HistoryEntry = { ...entry, peerId: 'a'.repeat(32), detail: 'because '.repeat(20) };
    for (const line of historyText([long], 80).split('\n')) expect(displayWidth(line)).toBeLessThanOrEqual(80);
    const target = `id:${'a'.repeat(32)}`;
    for (const line of bansText([{ ...ban, target }], 80).split('\n'))
      expect(displayWidth(line)).toBeLessThanOrEqual(80);
  });
});
