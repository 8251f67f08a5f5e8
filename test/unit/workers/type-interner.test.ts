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

/** With this one a type lies where the top twelve bits of its hash say. */
const noSecret = new Uint8Array(8);
const secret = Buffer.from('a secret');

/** Types that want the same bucket: what somebody sends who knows the secret. */
function crowded(count: number): string[] {
  const types = new TypeInterner<Mark>(() => 0, unknown, noSecret);
  const byBucket = new Map<number, string[]>();
  for (let i = 0; ; i++) {
    const { name, hash } = types.declare(`invented-${i}`, () => unknown);
    const names = [...(byBucket.get(hash >>> 20) ?? []), name];
    if (names.length === count) return names;
    byBucket.set(hash >>> 20, names);
  }
}

function interner(secret: Uint8Array) {
  const numbered: string[] = [];
  return { numbered, types: new TypeInterner<Mark>((name) => numbered.push(name), unknown, secret) };
}

describe('a type interner', () => {
  it('gives the same entry for the same bytes, and asks for a number once', () => {
    const { types, numbered } = interner(secret);
    const entry = types.declare('tx', () => ({ name: 'tx' }));
    expect(lookup(types, 'tx')).toBe(entry);
    expect(types.declare('tx', () => ({ name: 'again' }))).toBe(entry);
    expect(lookup(types, 'ü/€')?.name).toBe('ü/€');
    expect(lookup(types, 'ü/€')).toBe(lookup(types, 'ü/€'));
    expect(numbered).toEqual(['tx', 'ü/€']);
  });

  it('gives a type that peers sent first a route of its own once it is declared', () => {
    const { types } = interner(secret);
    const seen = lookup(types, 'late')!;
    expect(seen.route).toBe(unknown);
    const own: Mark = { name: 'own' };
    expect(types.declare('late', () => own).route).toBe(own);
    expect(lookup(types, 'late')!.route).toBe(own);
    expect(lookup(types, 'other')!.route).toBe(unknown);
  });

  it('learns 1024 types and no more, whatever peers send', () => {
    const { types, numbered } = interner(secret);
    const last = types.declare('mine', () => ({ name: 'mine' }));
    for (let i = 0; i < 5000; i++) lookup(types, `invented-${i}`);
    expect(numbered).toHaveLength(1025);
    expect(lookup(types, 'invented-4999')).toBe(types.overflow);
    expect(lookup(types, 'invented-1023')).not.toBe(types.overflow);
    expect(lookup(types, 'mine')).toBe(last);
    expect(types.declare('needed-later', () => ({ name: 'x' })).route).toEqual({ name: 'x' });
  });

  it('learns no more of one bucket than it looks through for any frame, and what is declared is found all the same', () => {
    const names = crowded(20);
    const { types } = interner(noSecret);
    const entries = names.map((name) => lookup(types, name));
    expect(entries.map((entry) => entry === types.overflow)).toEqual(names.map((_, i) => i >= 8));
    expect(names.map((name) => lookup(types, name))).toEqual(entries);
    const declared = names.map((name) => types.declare(name, () => ({ name })));
    expect(declared.slice(0, 8)).toEqual(entries.slice(0, 8));
    for (const [i, name] of names.entries()) {
      expect(lookup(types, name)).toBe(declared[i]);
      expect(declared[i]?.route).toEqual({ name });
    }
  });

  it('lays types out by its secret, so that who does not know it fills no bucket', () => {
    const { types } = interner(secret);
    for (const name of crowded(20)) expect(lookup(types, name)).not.toBe(types.overflow);
  });

  it('finds each of thousands of declared types, and still looks for others to an end', () => {
    const { types } = interner(secret);
    const learned = lookup(types, 'type-77');
    const names = Array.from({ length: 6000 }, (_, i) => `type-${i}`);
    const declared = names.map((name) => types.declare(name, () => ({ name })));
    expect(declared[77]).toBe(learned);
    for (const [i, name] of names.entries()) {
      expect(lookup(types, name)).toBe(declared[i]);
      expect(types.declare(name, () => unknown)).toBe(declared[i]);
    }
    expect(lookup(types, 'another')?.route).toBe(unknown);
  });

  it('knows no type that is not valid', () => {
    const { types } = interner(secret);
    for (const bytes of [Buffer.from('a\nb'), Buffer.of(0xff), Buffer.of(0xc2, 0x85), Buffer.of(0x7f)])
      expect(lookup(types, bytes)).toBeNull();
    expect(() => types.declare('a\0', () => unknown)).toThrow(TypeError);
  });

  it('keeps a list of what was counted, each entry once', () => {
    const { types } = interner(secret);
    const entry = types.declare('tx', () => unknown);
    types.count(entry);
    types.count(entry);
    types.count(types.overflow);
    expect(types.touched).toEqual([entry, types.overflow]);
    expect([entry.received, types.overflow.received]).toEqual([2, 1]);
  });
});
