import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeValue, encodeValue } from '../../../src/shared/wire/msgpack.js';

function decoded(bytes: Uint8Array): unknown {
  const result = decodeValue(bytes);
  if (!result.ok) throw new Error(result.why);
  return result.value;
}

describe('a msgpack value', () => {
  it('comes back as it was sent', () => {
    const values = fc.jsonValue({ maxDepth: 6, noUnicodeString: false }).filter((value) => !hasProto(value));
    fc.assert(
      fc.property(values, (value) => {
        expect(decoded(encodeValue(value))).toEqual(normal(value));
      }),
    );
  });

  it('of any bytes never throws and never hangs', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        decodeValue(bytes);
      }),
      { numRuns: 20_000 },
    );
  });

  it.each([
    ['an array that declares four billion', 'ddffffffff'],
    ['a map that declares four billion', 'dfffffffff'],
    ['a text that declares four billion', 'dbffffffff'],
    ['bytes after the value', 'c0c0'],
    ['nothing', ''],
    ['an extension', 'd40100'],
    ['a record definition', 'd47240'],
    ['the byte that is never used', 'c1'],
    ['a map with a number as key', '8101c0'],
    ['nesting without end', '91'.repeat(5000)],
    ['an array cut short', '92c0'],
  ])('is refused for %s', (_, hex) => {
    expect(decodeValue(Buffer.from(hex, 'hex'))).toMatchObject({ ok: false });
  });

  it('pollutes no prototype', () => {
    const hostile = Buffer.from('81a95f5f70726f746f5f5f81a8706f6c6c75746564c3', 'hex');
    decodeValue(hostile);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  it('shares no memory with where it was read from', () => {
    const shared = new Uint8Array(new SharedArrayBuffer(64));
    const bytes = encodeValue({ blob: Buffer.from('abc'), text: 'xyz' });
    shared.set(bytes);
    const value = decoded(shared.subarray(0, bytes.length)) as { blob: Uint8Array; text: string };
    shared.fill(0);
    expect(Buffer.from(value.blob).toString()).toBe('abc');
    expect(value.text).toBe('xyz');
  });

  it('that is too large or too deep is not sent', () => {
    expect(() => encodeValue('x'.repeat(2 ** 20))).toThrow(/bytes/);
    let deep: unknown = 0;
    for (let i = 0; i < 40; i++) deep = [deep];
    expect(() => encodeValue(deep)).toThrow(/deeper/);
    const circle: unknown[] = [];
    circle.push(circle);
    expect(() => encodeValue(circle)).toThrow(TypeError);
  });

  it('keeps large whole numbers exact', () => {
    expect(decoded(encodeValue(2 ** 40))).toBe(2 ** 40);
    expect(decoded(encodeValue(-(2 ** 40)))).toBe(-(2 ** 40));
    expect(decoded(encodeValue(2n ** 63n))).toBe(2n ** 63n);
  });
});

function hasProto(value: unknown): boolean {
  return JSON.stringify(value).includes('__proto__');
}

/** Minus zero reads back as zero. */
function normal(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
