import { describe, expect, it } from 'vitest';
import { type TypeEntry, TypeInterner } from '../../../src/workers/type-interner.js';

interface Mark {
  readonly name: string;
}
const unknown: Mark = { name: 'unknown' };
const lookup = (types: TypeInterner<Mark>, name: string | Uint8Array): TypeEntry<Mark> | null => {
  const bytes = Buffer.from(name);
  return types.lookup(Buffer.concat([Buffer.alloc(3, 0x41), bytes, Buffer.alloc(3, 0x42)]), 3, bytes.length);
};

function interner() {
  const numbered: string[] = [];
  return { numbered, types: new TypeInterner<Mark>((name) => numbered.push(name), unknown) };
}

describe('a type interner', () => {
  it('gives the same entry for the same bytes, and asks for a number once', () => {
    const { types, numbered } = interner();
    const entry = types.declare('tx', () => ({ name: 'tx' }));
    expect(lookup(types, 'tx')).toBe(entry);
    expect(types.declare('tx', () => ({ name: 'again' }))).toBe(entry);
    expect(lookup(types, 'ü/€')?.name).toBe('ü/€');
    expect(lookup(types, 'ü/€')).toBe(lookup(types, 'ü/€'));
    expect(numbered).toEqual(['tx', 'ü/€']);
  });

  it('gives a type that peers sent first a route of its own once it is declared', () => {
    const { types } = interner();
    const seen = lookup(types, 'late')!;
    expect(seen.route).toBe(unknown);
    const own: Mark = { name: 'own' };
    expect(types.declare('late', () => own).route).toBe(own);
    expect(lookup(types, 'late')!.route).toBe(own);
    expect(lookup(types, 'other')!.route).toBe(unknown);
  });

  it('learns 1024 types and no more, whatever peers send', () => {
    const { types, numbered } = interner();
    const last = types.declare('mine', () => ({ name: 'mine' }));
    for (let i = 0; i < 5000; i++) lookup(types, `invented-${i}`);
    expect(numbered).toHaveLength(1025);
    expect(lookup(types, 'invented-4999')).toBe(types.overflow);
    expect(lookup(types, 'invented-1023')).not.toBe(types.overflow);
    expect(lookup(types, 'mine')).toBe(last);
    expect(types.declare('needed-later', () => ({ name: 'x' })).route).toEqual({ name: 'x' });
  });

  it('knows no type that is not valid', () => {
    const { types } = interner();
    for (const bytes of [Buffer.from('a\nb'), Buffer.of(0xff), Buffer.of(0xc2, 0x85), Buffer.of(0x7f)])
      expect(lookup(types, bytes)).toBeNull();
    expect(() => types.declare('a\0', () => unknown)).toThrow(TypeError);
  });

  it('keeps a list of what was counted, each entry once', () => {
    const { types } = interner();
    const entry = types.declare('tx', () => unknown);
    types.count(entry);
    types.count(entry);
    types.count(types.overflow);
    expect(types.touched).toEqual([entry, types.overflow]);
    expect([entry.received, types.overflow.received]).toEqual([2, 1]);
  });
});
