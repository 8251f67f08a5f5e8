import assert from 'node:assert';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { viewOf } from '../../../src/shared/memory/buffer-view.js';
import { inPhase, MAX_PHASE_BYTES } from '../../../src/shared/memory/copy-phase.js';

describe('a place in phase', () => {
  it('is the next one that is as far behind a multiple of eight as the source', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 33), fc.integer({ min: -(2 ** 31), max: 2 ** 31 }), (at, source) => {
        const place = inPhase(at, source);
        expect(place - at).toBeGreaterThanOrEqual(0);
        expect(place - at).toBeLessThanOrEqual(MAX_PHASE_BYTES);
        expect((place - source) & 7).toBe(0);
      }),
    );
  });
});

describe('a view', () => {
  it('is a buffer in all that buffers do, on the memory that it was made of', () => {
    const memory = new SharedArrayBuffer(64);
    new Uint8Array(memory).set(Buffer.from('0123456789abcdef'), 8);
    const view = viewOf(memory, 10, 6);
    expect([Buffer.isBuffer(view), view.toString(), view.length, view.byteOffset]).toEqual([true, '234567', 6, 10]);
    expect([view.subarray(1, 3), view.slice(1, 3)].every((part) => Buffer.isBuffer(part))).toBe(true);
    expect(view.subarray(1, 3).toString()).toBe('34');
    expect(() => assert.deepStrictEqual(view, Buffer.from('234567'))).not.toThrow();
    expect(view.equals(Buffer.from('234567'))).toBe(true);
    expect(Buffer.concat([view, view]).toString()).toBe('234567234567');
    view.writeUInt8(0x58, 0);
    expect(new Uint8Array(memory)[10]).toBe(0x58);
    expect(JSON.stringify(view)).toBe(JSON.stringify(Buffer.from('X34567')));
  });
});
