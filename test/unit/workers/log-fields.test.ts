/** What of a handler's fields and errors may be logged. */
import { describe, expect, test } from 'vitest';
import { errorTrace } from '../../../src/shared/error-trace.js';
import { logFields, logText } from '../../../src/workers/log-fields.js';

const secret = 'x-marks-the-spot';
const bytes = Buffer.from(secret);

describe('fields of a handler', () => {
  test('are logged as they are, if they are what a line holds', () => {
    const fields = { height: 5, ok: true, hash: 'ab', nested: { list: [1, 'b', null] }, big: 5n, when: new Date(0) };
    expect(logFields(fields)).toEqual({ ...fields, big: '5', when: '1970-01-01T00:00:00.000Z' });
  });

  test('never hold bytes, whatever their name and however deep they lie', () => {
    const shared = new Uint8Array(new SharedArrayBuffer(8));
    const shown = logFields({
      raw: bytes,
      list: [{ deep: bytes.buffer }],
      view: new DataView(new ArrayBuffer(3)),
      shared,
    });
    expect(shown).toMatchObject({ raw: `${bytes.length} bytes`, view: '3 bytes', shared: '8 bytes' });
    expect(JSON.stringify(shown)).not.toContain(String(bytes[0]));
  });

  test('never hold a message’s payload, nor what it decodes to, nor secrets', () => {
    const message = { type: 'tx', payload: bytes, payloadBytes: bytes.length, value: { text: secret }, peerId: 'p' };
    const shown = logFields({ message, payloadHex: secret, adminToken: secret, headers: { Authorization: secret } });
    expect(shown).toEqual({ message: { type: 'tx', peerId: 'p' }, headers: {} });
  });

  test('can be anything without harm: circles, functions, errors, very much of it', () => {
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    const many = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`k${i}`, 'x'.repeat(10_000)]));
    const shown = logFields({ circle, run: () => 1, error: new Error(secret), map: new Map([[1, secret]]), many });
    expect(() => structuredClone(shown)).not.toThrow();
    expect(JSON.stringify(shown)).not.toContain(secret);
    expect(JSON.stringify(shown).length).toBeLessThan(50_000);
    expect(logText('x'.repeat(10_000)).length).toBeLessThan(1100);
  });
});

describe('the trace of an error', () => {
  test('tells kind, code and place, and not the message', () => {
    let thrown: unknown;
    try {
      JSON.parse(secret);
    } catch (error) {
      thrown = error;
    }
    const trace = errorTrace(thrown);
    expect((thrown as Error).message).toContain('x-marks');
    expect(trace.error).toBe('SyntaxError');
    expect(trace.at.join()).toContain('log-fields.test');
    expect(JSON.stringify(trace)).not.toContain('x-marks');
    expect(errorTrace(Object.assign(new Error(), { code: 'ENOSPC' })).error).toBe('Error ENOSPC');
    expect(errorTrace(Object.assign(new Error(), { name: secret, code: `${secret} A` })).error).toBe('Error');
  });

  test('is not fooled by a message that looks like frames, nor by what is no error', () => {
    const trace = errorTrace(new Error(`first\n    at ${secret} (file:1:1)`));
    expect(JSON.stringify(trace)).not.toContain(secret);
    for (const changed of ['', 'another']) {
      const error = new Error(`first\n    at ${secret} (file:1:1)`);
      // V8 writes the stack when it is first looked at.
      expect(error.stack).toContain(secret);
      error.message = changed;
      expect(errorTrace(error)).toEqual({ error: 'Error', at: [] });
    }
    expect(errorTrace(secret)).toEqual({ error: 'a thrown string', at: [] });
    expect(errorTrace(undefined)).toEqual({ error: 'a thrown undefined', at: [] });
    for (const odd of [null, 7, { secret }, undefined]) {
      const error = Object.assign(new Error(), { name: odd, message: odd, stack: odd });
      expect(errorTrace(error)).toEqual({ error: 'Error', at: [] });
    }
  });
});
