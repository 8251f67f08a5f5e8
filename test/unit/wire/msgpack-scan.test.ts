import fc from 'fast-check';
import { Packr, Unpackr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { MAX_MSGPACK_BYTES, MAX_MSGPACK_DEPTH } from '../../../src/shared/limits.js';
import { decodeValue } from '../../../src/shared/wire/msgpack.js';
import { scanMsgpack } from '../../../src/shared/wire/msgpack-scan.js';

const options = { useRecords: false, mapsAsObjects: true, moreTypes: false };
const packr = new Packr(options);
const unpackr = new Unpackr(options);

const leaf = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
  fc.uint8Array({ maxLength: 300 }),
  fc.date({ noInvalidDate: true }),
);
const { value: anyValue } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    leaf,
    fc.array(tie('value'), { maxLength: 20 }),
    fc.dictionary(
      fc.string().filter((key) => key !== '__proto__'),
      tie('value'),
      { maxKeys: 20 },
    ),
  ),
}));

function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, 'hex'));
}

describe('the scan of msgpack bytes', () => {
  it('lets through whatever an encoder writes, and nothing of it that is cut short or followed by more', () => {
    fc.assert(
      fc.property(anyValue, fc.nat(), (value, place) => {
        const bytes = Uint8Array.from(packr.pack(value));
        expect(scanMsgpack(bytes)).toBeNull();
        expect(scanMsgpack(bytes.subarray(0, place % bytes.length))).toBe('cut short');
        expect(scanMsgpack(Uint8Array.of(...bytes, 0xc0))).toBe('bytes after the value');
      }),
      { numRuns: 1000 },
    );
  });

  it('lets through only what the decoder then decodes, whichever byte is changed', () => {
    fc.assert(
      fc.property(anyValue, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }), (value, changes) => {
        const bytes = Uint8Array.from(packr.pack(value));
        for (const [place, byte] of changes) bytes[place % bytes.length] = byte;
        if (scanMsgpack(bytes) === null) expect(() => unpackr.unpack(bytes)).not.toThrow();
      }),
      { numRuns: 3000 },
    );
  });

  it.each([
    ['an array declared longer than all that follows', 'dd7fffffff', 'cut short'],
    ['an inner array that takes what the outer was promised', '92920102', 'cut short'],
    ['a length field cut short', 'db0000', 'cut short'],
    ['a map key that is bytes', '81c40161c0', 'map key is no text'],
    ['a map key that is a map', '8180c0', 'map key is no text'],
    ['a map key that stands for the prototype', '81a95f5f70726f746f5f5fc0', 'map key __proto__'],
    ['the same key in a long form', '81d9095f5f70726f746f5f5fc0', 'map key __proto__'],
    ['the unused byte', '91c1', 'byte c1, which is never used'],
    ['an extension of an application', 'd60100000000', 'extension type'],
    ['a timestamp of no known length', 'd5ff0000', 'extension type'],
    ['a timestamp of length 5', 'c705ff0000000000', 'extension type'],
    ['a large extension', 'c800000100', 'extension type'],
    ['a timestamp beyond what a date can hold', 'c70cff000000007fffffffffffffff', 'timestamp out of range'],
    ['a timestamp cut short', 'd7ff00', 'cut short'],
    ['an overlong form', 'a2c19f', 'text is not UTF-8'],
    ['a surrogate', 'a3eda080', 'text is not UTF-8'],
    ['a long text that is not UTF-8', `d920${'61'.repeat(31)}ff`, 'text is not UTF-8'],
  ])('names %s', (_, hex, fault) => {
    expect(scanMsgpack(fromHex(hex))).toBe(fault);
    expect(decodeValue(fromHex(hex))).toEqual({ ok: false, why: fault });
  });

  it.each([
    ['a text that spells the prototype', 'a95f5f70726f746f5f5f'],
    ['a timestamp of 12 bytes', 'c70cff000000010000000000000001'],
    ['an empty map in the longest form', 'df00000000'],
  ])('has nothing against %s', (_, hex) => {
    expect(scanMsgpack(fromHex(hex))).toBeNull();
    expect(decodeValue(fromHex(hex)).ok).toBe(true);
  });

  it('lets through a timestamp exactly where a date can hold it', () => {
    const firstAndLast = ['-271821-04-20T00:00:00.000Z', '-271821-04-20T00:00:00.999Z', '+275760-09-13T00:00:00.000Z'];
    for (const date of firstAndLast.map((text) => new Date(text))) {
      expect(decodeValue(Uint8Array.from(packr.pack(date)))).toEqual({ ok: true, value: date });
    }
    const tooFar = [
      ['a nanosecond after the last', '00000001', '000007dba8218000'],
      ['a second after the last', '00000000', '000007dba8218001'],
      ['a second before the first', '00000000', 'fffff82457de7fff'],
      ['a whole second of nanoseconds', '3b9aca00', '0000000000000001'],
    ];
    for (const [what, nanoseconds, seconds] of tooFar) {
      expect([what, scanMsgpack(fromHex(`c70cff${nanoseconds}${seconds}`))]).toEqual([what, 'timestamp out of range']);
    }
  });

  it('draws the line at the greatest depth, in whichever containers', () => {
    for (const one of ['91', '81a161', 'dc0001', 'df00000001a161']) {
      expect(scanMsgpack(fromHex(`${one.repeat(MAX_MSGPACK_DEPTH)}c0`))).toBeNull();
      expect(scanMsgpack(fromHex(`${one.repeat(MAX_MSGPACK_DEPTH + 1)}c0`))).toBe(`deeper than ${MAX_MSGPACK_DEPTH}`);
    }
  });

  it('reads a view on shared memory, and does not look beyond it', () => {
    const memory = new Uint8Array(new SharedArrayBuffer(64)).fill(0x61);
    memory.set(fromHex(`d91c${'61'.repeat(28)}`), 8);
    expect(scanMsgpack(memory.subarray(8, 38))).toBeNull();
    expect(scanMsgpack(memory.subarray(8, 37))).toBe('cut short');
    expect(decodeValue(memory.subarray(8, 38))).toEqual({ ok: true, value: 'a'.repeat(28) });
  });

  it('takes linear time for the most that may come', () => {
    const startMs = performance.now();
    for (const fill of [0x90, 0x80, 0xa0, 0xc0]) {
      const bytes = new Uint8Array(MAX_MSGPACK_BYTES).fill(fill);
      bytes.set(fromHex(`dd${(MAX_MSGPACK_BYTES - 5).toString(16).padStart(8, '0')}`));
      expect(scanMsgpack(bytes)).toBeNull();
    }
    // Quadratic would take hours.
    expect(performance.now() - startMs).toBeLessThan(5000);
  });
});
