import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeValue, encodeValue } from '../../../src/shared/wire/msgpack.js';
import { root } from '../../architecture/source-files.js';

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

  it.each([
    ['undefined', undefined],
    ['undefined in an object', { a: undefined }],
    ['a hole in an array', new Array(2)],
    ['a function', [() => 1]],
    ['a symbol', Symbol('s')],
    ['a Set', { a: new Set([1]) }],
    ['a RegExp', /x/],
    ['an Error', new Error('x')],
    ['a DataView', new DataView(new ArrayBuffer(2))],
    ['another typed array', new Float64Array(1)],
    ['an instance of a class', new URL('http://host/')],
    ['a boxed number', Object(3)],
    ['a Map with a number as key', new Map([[1, 1]])],
    ['a bigint of 65 bits', 2n ** 64n],
    ['a date that is none', new Date(Number.NaN)],
    ['a lone surrogate', 'a\ud800'],
    ['a key that stands for the prototype', JSON.parse('{"__proto__":1}')],
    ['the same array over and over', Array.from({ length: 30 }).reduce((inner) => [inner, inner], [0])],
  ])('that holds %s is not sent, since it would arrive as something else', (_, value) => {
    expect(() => encodeValue(value)).toThrow(TypeError);
  });

  it('names what it holds that cannot be sent', () => {
    expect(() => encodeValue({ a: [new Set()] })).toThrow(/Set/);
    expect(() => encodeValue({ a: undefined })).toThrow(/undefined/);
  });

  it('reads a 64-bit integer of another encoder as a number where that is exact, else as a bigint', () => {
    const int64 = (hex: string) => decoded(Buffer.from(hex, 'hex'));
    expect(int64('cf0000000000000005')).toBe(5);
    expect(int64('d3ffffffffffffffff')).toBe(-1);
    expect(int64('cf001fffffffffffff')).toBe(Number.MAX_SAFE_INTEGER);
    expect(int64('cf0020000000000001')).toBe(2n ** 53n + 1n);
    expect(int64('d3ffdfffffffffffff')).toBe(-(2n ** 53n) - 1n);
    expect(decoded(encodeValue(5n))).toBe(5);
  });

  it('keeps bytes, dates and maps', () => {
    const value = {
      bytes: Uint8Array.of(1, 2),
      date: new Date(1.7e12 + 1),
      old: new Date(-1),
      map: new Map([['k', 1]]),
    };
    expect(decoded(encodeValue(value))).toEqual({ ...value, map: { k: 1 } });
  });

  it('is the same without the native part of msgpackr, which needs an install script', () => {
    const script = `
      import { isNativeAccelerationEnabled, Packr, Unpackr } from 'msgpackr';
      if (isNativeAccelerationEnabled) throw new Error('native');
      const value = { text: 'é'.repeat(50) + 'x'.repeat(300), short: 'abc', list: [1, -1, 2 ** 40, null, true] };
      const options = { useRecords: false, mapsAsObjects: true, moreTypes: false };
      const back = new Unpackr(options).unpack(new Uint8Array(new Packr(options).pack(value)));
      process.stdout.write(JSON.stringify(back) === JSON.stringify(value) ? 'same' : JSON.stringify(back));
    `;
    const env = { ...process.env, MSGPACKR_NATIVE_ACCELERATION_DISABLED: 'true' };
    const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], { env, cwd: root });
    expect(output.toString()).toBe('same');
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
