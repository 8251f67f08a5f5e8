/** Durations and sizes as configuration spells them. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatDuration, parseDuration } from '../../../src/main/config/duration.js';
import { formatSize, parseSize } from '../../../src/main/config/size.js';

describe('a duration', () => {
  test.each([
    ['500ms', 500],
    ['5s', 5000],
    ['1.5s', 1500],
    ['1.005s', 1005],
    ['5m', 300_000],
    ['0.5h', 1_800_000],
    ['0ms', 0],
    ['200.500000d', 17_323_200_000],
  ])('%s is %d milliseconds', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  test.each([
    '',
    '5',
    '5 s',
    ' 5s',
    '5s ',
    '-5s',
    '+5s',
    '5S',
    '5sec',
    '1e3ms',
    '.5s',
    '5.s',
    '1.5ms',
    '1m30s',
    'Infinitys',
    '99999999999999h',
  ])('is not %j', (text) => {
    expect(parseDuration(text)).toBeNull();
  });

  test('reads back as what it was printed from', () => {
    fc.assert(fc.property(fc.nat({ max: 10 ** 11 }), (ms) => parseDuration(formatDuration(ms)) === ms));
  });

  test('is a whole number of milliseconds or nothing, whatever the text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9.]{0,14}(ms|s|m|h)?$/)), (text) => {
        const ms = parseDuration(text);
        return ms === null || (Number.isSafeInteger(ms) && ms >= 0);
      }),
    );
  });
});

describe('a size', () => {
  test.each([
    ['0', 0],
    ['512', 512],
    ['512B', 512],
    ['64KiB', 65_536],
    ['512MiB', 536_870_912],
    ['1GiB', 1_073_741_824],
  ])('%s is %d bytes', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  test.each(['', 'KiB', '64 KiB', '64KB', '64kib', '64k', '1.5MiB', '-1', '1e6', '0x10', '999999999999999GiB'])(
    'is not %j',
    (text) => {
      expect(parseSize(text)).toBeNull();
    },
  );

  test('reads back as what it was printed from', () => {
    fc.assert(fc.property(fc.nat({ max: 2 ** 45 }), (bytes) => parseSize(formatSize(bytes)) === bytes));
    fc.assert(fc.property(fc.nat({ max: 45 }), (power) => parseSize(formatSize(2 ** power)) === 2 ** power));
  });

  test('is a whole number of bytes or nothing, whatever the text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9]{0,17}(KiB|MiB|GiB|B)?$/)), (text) => {
        const bytes = parseSize(text);
        return bytes === null || (Number.isSafeInteger(bytes) && bytes >= 0);
      }),
    );
  });
});
