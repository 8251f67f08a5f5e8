/** The fuzzer itself: what is planted it finds, makes small, and finds again. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Seeded } from '../simulation/seeded.js';
import { keepFailure, readCorpus, replaceCorpus } from './corpus.js';
import { Coverage } from './coverage.js';
import { Fuzzer, failureOf } from './fuzzer.js';
import { instrument, type Point } from './instrument.js';
import { minimise } from './minimise.js';
import { Mutator } from './mutator.js';
import { smallestSet } from './smallest-set.js';
import type { Target } from './target.js';

const PLANTED = [0x70, 0x61, 0x77, 0x21];

/** Fails for inputs that begin with four certain bytes, and notes how many of them are right. */
function planted(more: Partial<Target> = {}): Target {
  return {
    name: 'planted',
    sources: [],
    maxBytes: 16,
    dictionary: PLANTED.map((byte) => Uint8Array.of(byte)),
    beginnings: [new Uint8Array(8)],
    run: (input, note) => {
      let right = 0;
      while (right < PLANTED.length && input[right] === PLANTED[right]) right++;
      note(right);
      if (right === PLANTED.length) throw new Error(`found in ${input.length} bytes`);
    },
    ...more,
  };
}

describe('the fuzzer', () => {
  it('finds what no chance alone would, step by step, and leaves of it what is needed', () => {
    const fuzzer = new Fuzzer(planted(), 1, []);
    fuzzer.run(200_000);
    expect(fuzzer.failure?.error.message).toMatch(/^found in \d+ bytes$/);
    expect([...fuzzer.failure!.smallest]).toEqual(PLANTED);
    const blind = new Fuzzer(planted({ run: (input) => planted().run(input, () => undefined) }), 1, []);
    blind.run(30_000);
    expect(blind.failure).toBe(null);
  });

  it('runs the same inputs for the same seed, and others for another', () => {
    const inputsOf = (seed: number): string[] => {
      const inputs: string[] = [];
      const target = planted({ run: (input) => void inputs.push(Buffer.from(input).toString('hex')) });
      new Fuzzer(target, seed, []).run(500);
      return inputs;
    };
    expect(inputsOf(1)).toEqual(inputsOf(1));
    expect(inputsOf(1)).not.toEqual(inputsOf(2));
  });

  it('is led by branches as well, about as often as they ran', () => {
    const points: Point[] = [];
    const code = instrument(
      'planted',
      `return (input) => { let i = 0; for (const right of [${PLANTED}]) { if (input[i] !== right) return; i++; } throw new Error('found'); };`.replace(
        'return (input)',
        'globalThis.planted = (input)',
      ),
      points,
    );
    const coverage = new Coverage(points);
    const scope = globalThis as unknown as Record<symbol | string, unknown>;
    scope[Symbol.for('paw-p2p.fuzz.counters')] = coverage.counters;
    new Function(code)();
    const target = planted({ run: scope.planted as Target['run'] });
    const fuzzer = new Fuzzer(target, 1, [], coverage);
    fuzzer.run(200_000);
    expect([...fuzzer.failure!.smallest]).toEqual(PLANTED);
    expect(coverage.of(['planted'])).toMatchObject({ all: points.length, idle: [] });
    const kept = smallestSet(target, [...fuzzer.inputs, ...fuzzer.inputs], coverage);
    expect(kept.length).toBeLessThanOrEqual(fuzzer.inputs.length);
    expect(kept.length).toBeGreaterThan(3);
  });
});

describe('an instrumented file', () => {
  it('does what it did, and counts each branch that it takes', () => {
    const code = `
      const pick = (a, b) => a ? { one: b ?? 1 } : b && [2];
      function each(list) { for (const x of list) if (x > 1) return x; else continue; return -1; }
      class Box { #x = 0; constructor(x) { this.#x = x; } get x() { return this.#x || 'none'; } }
      const word = (n) => { switch (n) { case 1: return 'one'; case 2: case 3: return 'few'; default: return 'many'; } };
      const safe = () => { try { throw new Error(); } catch { return 'caught'; } };
      let i = 0; while (i < 3) i++; do i--; while (i > 0);
      return [pick(1), pick(1, 5), pick(0, 1), pick(0, 0), each([0, 1, 2]), each([]), new Box(0).x, word(1), word(3), word(9), safe(), i];`;
    const points: Point[] = [];
    // A file has no return, a function has.
    const inner = instrument('sample', `globalThis.sample = () => {${code}};`, points);
    const coverage = new Coverage(points);
    const scope = globalThis as unknown as Record<symbol | string, unknown>;
    scope[Symbol.for('paw-p2p.fuzz.counters')] = coverage.counters;
    new Function(inner)();
    expect((scope.sample as () => unknown)()).toEqual(new Function(code)());
    expect(coverage.takeNew()).toBe(true);
    expect(points.length).toBeGreaterThan(20);
    expect(coverage.of(['sample']).idle).toEqual([]);
    (scope.sample as () => unknown)();
    expect(coverage.takeNew()).toBe(false);
  });
});

describe('a mutated input', () => {
  it('is no longer than it may be, differs, and leaves the input as it was', () => {
    const input = Uint8Array.from({ length: 40 }, (_, i) => i);
    const mutator = new Mutator(new Seeded(1, 'test'), { dictionary: [], maxBytes: 50, others: [input] });
    const made = Array.from({ length: 2000 }, () => mutator.mutate(input));
    expect(Math.max(...made.map(({ length }) => length))).toBe(50);
    expect(new Set(made.map((bytes) => Buffer.from(bytes).toString('hex'))).size).toBeGreaterThan(1500);
    expect([...input]).toEqual(Array.from({ length: 40 }, (_, i) => i));
    expect(mutator.mutate(new Uint8Array(0))).toBeInstanceOf(Uint8Array);
  });
});

describe('the smallest input', () => {
  it('fails as the large one did, and no byte of it can be left out', () => {
    const input = Uint8Array.from({ length: 500 }, (_, i) => i);
    const fails = (bytes: Uint8Array) => bytes.includes(0x11) && bytes.includes(0xee);
    const smallest = minimise(input, fails);
    expect([...smallest].sort((a, b) => a - b)).toEqual([0x11, 0xee]);
  });
});

describe('the corpus', () => {
  it('keeps what failed when it is replaced, and names inputs by what they hold', () => {
    const folder = mkdtempSync(join(tmpdir(), 'paw-corpus-'));
    try {
      const failed = keepFailure('one', Uint8Array.of(1), folder);
      replaceCorpus('one', [Uint8Array.of(2), Uint8Array.of(3)], folder);
      replaceCorpus('one', [Uint8Array.of(4), Uint8Array.of(4)], folder);
      const kept = readCorpus('one', folder);
      expect(kept.map(({ bytes }) => [...bytes])).toEqual([[4], [1]]);
      expect(kept[1].file).toBe(failed);
      expect(readCorpus('none', folder)).toEqual([]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('a target that fails', () => {
  it('is told by its error, whatever it throws', () => {
    const throwing = planted({
      run: () => {
        throw 'text';
      },
    });
    expect(failureOf(throwing, new Uint8Array(1))).toEqual(new Error('text'));
    expect(failureOf(planted(), new Uint8Array(1))).toBe(null);
  });
});
