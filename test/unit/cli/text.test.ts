/** How values look on a terminal, above all those that a peer chose. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { humanBytes, humanSeconds } from '../../../src/main/amounts.js';
import { tapLine } from '../../../src/main/cli/tap.js';
import { alignedRows } from '../../../src/main/cli/text.js';
import { harmless } from '../../../src/main/harmless-text.js';

describe('text for a terminal', () => {
  test('loses what could move the cursor, colour or turn the line', () => {
    expect(harmless('a\x1b[31mb\u202ec\u2028d\x9be')).toBe('a\uFFFD[31mb\uFFFDc\uFFFDd\uFFFDe');
    expect(harmless('päw 🐾')).toBe('päw 🐾');
  });

  test('of a tapped message is one harmless line, whatever was sent', () => {
    expect(tapLine('T', { type: 'tx', payload: Buffer.from('hi\n') })).toBe('T tx 3 B  68690a  |hi.|\n');
    expect(tapLine('T', { type: 'tx', payload: Buffer.alloc(0) })).toBe('T tx 0 B\n');
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.uint8Array({ maxLength: 100 }), (type, bytes) => {
        const line = tapLine('T', { type, payload: Buffer.from(bytes) });
        return line.endsWith('\n') && !/\p{Cc}/u.test(line.slice(0, -1));
      }),
    );
  });

  test('has sizes and times that people read, and columns', () => {
    expect([0, 1023, 1024, 1_500_000, 2 ** 50].map(humanBytes)).toEqual([
      '0 B',
      '1023 B',
      '1.0 KiB',
      '1.4 MiB',
      '1024.0 TiB',
    ]);
    expect([0.4, 61, 3725, 90_000].map(humanSeconds)).toEqual(['0s', '1m 1s', '1h 2m 5s', '1d 1h 0s']);
    expect(
      alignedRows([
        ['a', '1'],
        ['bcd', '2'],
      ]),
    ).toBe('a    1\nbcd  2\n');
  });
});
