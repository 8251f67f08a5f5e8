/** What the fuzzer has found runs again with every change, and some thousands of inputs that are new to nobody. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readCorpus } from './corpus.js';
import { Fuzzer, failureOf } from './fuzzer.js';
import { targets } from './targets.js';

/** Inputs that are made up in one test run, the same ones each time. */
const INPUTS: Readonly<Record<string, number>> = { pipeline: 500, pex: 1000, config: 1000 };
const MANY = 2000;
const SEED = 20_260_101;

describe.each(targets.map((target) => [target.name, target] as const))('the %s', (name, target) => {
  it('takes every input of its corpus as it must', () => {
    const inputs = readCorpus(name);
    expect(inputs.length).toBeGreaterThan(10);
    for (const { file, bytes } of inputs) expect([file, failureOf(target, bytes)]).toEqual([file, null]);
  });

  it('takes inputs that are somewhat like them as it must', () => {
    const known = readCorpus(name).map(({ bytes }) => bytes);
    const fuzzer = new Fuzzer(target, SEED, known);
    fuzzer.run(INPUTS[name] ?? MANY);
    const { failure } = fuzzer;
    const shown = failure === null ? null : [failure.error, Buffer.from(failure.smallest).toString('hex')];
    expect(shown).toBe(null);
    expect(fuzzer.runs).toBe(target.beginnings.length + known.length + (INPUTS[name] ?? MANY));
  });

  it('is about files that there are, and begins with inputs that fit', () => {
    for (const source of target.sources) expect(readFileSync(`${source}.ts`, 'utf8')).toContain('export');
    for (const input of target.beginnings) expect(input.length).toBeLessThanOrEqual(target.maxBytes);
  });
});
