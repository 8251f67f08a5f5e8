import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_REASON_BYTES } from '../../../src/shared/limits.js';
import { decodeDisconnect, encodeDisconnect } from '../../../src/shared/wire/disconnect.js';

describe('the payload of disconnect', () => {
  it('carries a code and a reason', () => {
    expect(encodeDisconnect(0x44, 'idle: für 5 min')).toEqual(Buffer.from('\x44idle: für 5 min'));
    expect(decodeDisconnect(encodeDisconnect(0xff, 'idle'))).toEqual({ code: 0xff, reason: 'idle' });
  });

  it('means going away where it is empty, and needs no reason', () => {
    expect(decodeDisconnect(Buffer.alloc(0))).toEqual({ code: 0x00, reason: '' });
    expect(decodeDisconnect(Buffer.of(0x47))).toEqual({ code: 0x47, reason: '' });
  });

  it('is cut on a character boundary, on either side', () => {
    for (const char of ['x', 'ü', '€', '😀']) {
      for (const shift of ['', 'a', 'ab', 'abc']) {
        const long = shift + char.repeat(MAX_REASON_BYTES);
        const sent = encodeDisconnect(1, long);
        expect(sent.length).toBeLessThanOrEqual(1 + MAX_REASON_BYTES);
        const { reason } = decodeDisconnect(sent);
        expect(long.startsWith(reason)).toBe(true);
        expect(Buffer.byteLength(reason)).toBeGreaterThan(MAX_REASON_BYTES - 4);
        expect(decodeDisconnect(Buffer.concat([Buffer.of(1), Buffer.from(long)])).reason).toBe(reason);
      }
    }
  });

  it('of any bytes is one short line of text', () => {
    const hostile = fc.oneof(
      fc.uint8Array({ maxLength: 400 }),
      fc.string({ unit: 'binary', maxLength: 200 }).map((text) => Buffer.from(text)),
    );
    fc.assert(
      fc.property(hostile, (bytes) => {
        const { reason } = decodeDisconnect(bytes);
        expect(reason).not.toMatch(/[\p{Cc}\u2028\u2029\u202e\u2066]/u);
        expect(reason.isWellFormed()).toBe(true);
        expect(reason.length).toBeLessThanOrEqual(MAX_REASON_BYTES);
      }),
    );
  });

  it('cannot break a line, colour a terminal or turn text around', () => {
    const payload = Buffer.from('\x00a\nb\u001b[31mc\u2028d\u202ee');
    expect(decodeDisconnect(payload).reason).toBe('a?b?[31mc?d?e');
  });

  it('may lie in shared memory', () => {
    const shared = new Uint8Array(new SharedArrayBuffer(8));
    shared.set(encodeDisconnect(2, 'bye'));
    expect(decodeDisconnect(shared.subarray(0, 4))).toEqual({ code: 2, reason: 'bye' });
  });
});
