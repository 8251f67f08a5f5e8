/** `npm run fuzz`: runs inputs against a target, or one input again. */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { keepFailure, readCorpus, replaceCorpus } from './corpus.js';
import { Coverage } from './coverage.js';
import { Fuzzer } from './fuzzer.js';
import { smallestSet } from './smallest-set.js';
import type { Target } from './target.js';
import { Watch } from './watch-thread.js';

const USAGE = `npm run fuzz -- --target NAME [--inputs N] [--seconds S] [--seed N] [--save]
npm run fuzz -- --target NAME --input FILE        runs one input again

--target  what is fuzzed; 'all' for each in turn; without it the names are shown
--inputs  how many inputs are run, 100000 by default
--seconds ends sooner, after so long
--seed    another seed gives other inputs; 1 by default
--save    makes the inputs that ran something new the corpus of the target
`;
/** Inputs between two looks at the clock. */
const STRIDE = 2560;
const PROGRESS_MS = 5000;

function fail(message: string): never {
  process.stderr.write(`${message}\n\n${USAGE}`);
  process.exit(2);
}

function wholeNumber(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  if (/^[1-9]\d{0,9}$/.test(text)) return Number(text);
  return fail(`--${name} is '${text}', must be a whole number from 1`);
}

interface Run {
  readonly inputs: number;
  readonly seconds: number;
  readonly seed: number;
  readonly save: boolean;
}

/** @returns whether all inputs were taken as they must be */
function fuzz(target: Target, run: Run, coverage: Coverage): boolean {
  const watch = new Watch(target.name, target.maxBytes);
  const watched: Target = {
    ...target,
    run: (input, note) => {
      watch.begins(input);
      target.run(input, note);
    },
  };
  const known = readCorpus(target.name).map(({ bytes }) => bytes);
  const begunMs = performance.now();
  const fuzzer = new Fuzzer(watched, run.seed, known, coverage);
  const beginning = fuzzer.runs;
  const progress = () => {
    const seconds = (performance.now() - begunMs) / 1000;
    const done = fuzzer.runs - beginning;
    process.stdout.write(
      `${target.name}: ${done} inputs in ${seconds.toFixed(1)} s, ${Math.round(done / seconds)}/s; ` +
        `${fuzzer.inputs.length} did something new; ${coverage.of(target.sources).ran} branches, ${fuzzer.notes} notes\n`,
    );
  };
  let shownMs = begunMs;
  while (fuzzer.failure === null && fuzzer.runs - beginning < run.inputs) {
    const nowMs = performance.now();
    if (nowMs - begunMs > run.seconds * 1000) break;
    if (nowMs - shownMs > PROGRESS_MS) {
      shownMs = nowMs;
      progress();
    }
    fuzzer.run(Math.min(STRIDE, run.inputs - (fuzzer.runs - beginning)));
  }
  progress();
  void watch.stop();
  if (fuzzer.failure !== null) {
    const { smallest, error } = fuzzer.failure;
    const file = keepFailure(target.name, smallest);
    process.stdout.write(`${error.stack}\n\nseed ${run.seed}; the smallest input that fails alike is in ${file}:\n`);
    process.stdout.write(`  npm run fuzz -- --target ${target.name} --input ${file}\n`);
    return false;
  }
  // Asked before the corpus is chosen, for which everything counts anew.
  const { all, ran, idle } = coverage.of(target.sources);
  process.stdout.write(`${ran} of ${all} branches ran; not those at\n`);
  for (const { file, line } of idle) process.stdout.write(`  build/fuzz/${file}.js:${line}\n`);
  if (run.save) {
    const kept = smallestSet(target, fuzzer.inputs, coverage);
    replaceCorpus(target.name, kept);
    process.stdout.write(`${kept.length} inputs are the corpus now\n`);
  }
  return true;
}

const text = { type: 'string' } as const;
const options = {
  target: text,
  inputs: text,
  seconds: text,
  seed: text,
  input: text,
  save: { type: 'boolean' },
} as const;

function parse() {
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    return fail((error as Error).message);
  }
}

const values = parse();
// The counters must be there when instrumented files are imported.
const coverage = Coverage.ofBuild();
const { targets } = await import('./targets.js');
const names = targets.map(({ name }) => name);
const chosen = values.target === 'all' ? targets : targets.filter(({ name }) => name === values.target);
if (chosen.length === 0) fail(`--target is ${values.target ?? 'missing'}, must be 'all' or one of ${names.join(', ')}`);
if (values.input !== undefined) {
  chosen[0].run(new Uint8Array(readFileSync(values.input)), () => undefined);
  process.stdout.write('the input is taken as it must be\n');
} else {
  const run: Run = {
    inputs: wholeNumber('inputs', values.inputs, 100_000),
    seconds: wholeNumber('seconds', values.seconds, 1_000_000),
    seed: wholeNumber('seed', values.seed, 1),
    save: values.save === true,
  };
  for (const target of chosen) {
    coverage.forget();
    if (!fuzz(target, run, coverage)) {
      process.exitCode = 1;
      break;
    }
  }
}
