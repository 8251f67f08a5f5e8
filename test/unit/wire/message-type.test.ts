import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeType, isValidTypeBytes } from '../../../src/shared/wire/message-type.js';

/** The slow way to say it. */
function isTypeByTheBook(bytes: Uint8Array): boolean {
  if (bytes.length < 1 || bytes.length > 255) return false;
  try {
    return !/\p{Cc}/u.test(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    return false;
  }
}

describe('a message type', () => {
  it('is valid exactly where a UTF-8 decoder and a search for control characters say so', () => {
    const nearUtf8 = fc.array(
      fc.oneof(
        fc.string({ unit: 'binary', maxLength: 3 }).map((text) => [...Buffer.from(text)]),
        fc.array(fc.nat(255), { maxLength: 4 }),
        fc.constantFrom([0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xc2, 0x80], [0xc2, 0xa0], [0xef]),
      ),
      { maxLength: 80 },
    );
    fc.assert(
      fc.property(nearUtf8, (parts) => {
        const bytes = Uint8Array.from(parts.flat());
        expect(isValidTypeBytes(bytes, 0, bytes.length)).toBe(isTypeByTheBook(bytes));
      }),
      { numRuns: 5000 },
    );
  });

  it('is judged by its own bytes alone, whatever stands around it', () => {
    const bytes = Buffer.from([0x0a, 0x74, 0x78, 0xc3, 0xbc]);
    expect(isValidTypeBytes(bytes, 1, 2)).toBe(true);
    expect(isValidTypeBytes(bytes, 1, 3)).toBe(false);
    expect(isValidTypeBytes(bytes, 1, 4)).toBe(true);
  });

  it('that cannot be sent is refused with the fault named', () => {
    expect(() => encodeType('')).toThrow(/empty/);
    expect(() => encodeType('x'.repeat(256))).toThrow(/256 bytes/);
    expect(() => encodeType('a\nb')).toThrow(/control characters/);
    expect(() => encodeType('\ud800')).toThrow(/well-formed/);
  });
});
