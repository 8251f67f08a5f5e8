/**
 * `npm run simulate:study`: runs the networks that `docs/simulation.md` reports on, each in a process of its own, and keeps
 * what they did in `docs/simulation/study.json`. What stands there already is not run again.
 */
import { fork } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Study, type StudyOptions, study } from './study.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const FILE = path.join(root, 'docs/simulation/study.json');
/** Ten thousand nodes take some 10 GB. */
const HEAP_MIB = 12_000;

export interface StudyEntry {
  readonly name: 'size' | 'fanout' | 'eclipse';
  readonly options: Omit<StudyOptions, 'progress'>;
  readonly result: Study;
  readonly seconds: number;
  readonly rssMib: number;
}

const plain = {
  seed: 1,
  seeds: 10,
  fanout: 'all',
  settleMs: 30_000,
  broadcasts: 5,
  attackers: 0,
  attackerGroups: 1,
} as const;

function* planned(): Generator<Pick<StudyEntry, 'name' | 'options'>> {
  const eclipseNodes = 200;
  for (const share of [0.1, 0.3, 0.5, 0.7]) {
    const attackers = Math.round(eclipseNodes * share);
    for (const attackerGroups of [4, attackers]) {
      for (const seed of [1, 2, 3, 4, 5, 6]) {
        const options = {
          ...plain,
          settleMs: 60_000,
          seed,
          nodes: eclipseNodes,
          seeds: 5,
          broadcasts: 0,
          attackers,
          attackerGroups,
        };
        yield { name: 'eclipse', options };
      }
    }
  }
  for (const fanout of [2, 4, 6, 8, 'all'] as const)
    yield { name: 'fanout', options: { ...plain, nodes: 300, fanout } };
  for (const nodes of [100, 300, 1000, 3000, 10_000]) yield { name: 'size', options: { ...plain, nodes } };
}

function kept(): StudyEntry[] {
  return existsSync(FILE) ? (JSON.parse(readFileSync(FILE, 'utf8')) as StudyEntry[]) : [];
}

function keep(entry: StudyEntry): void {
  mkdirSync(path.dirname(FILE), { recursive: true });
  writeFileSync(FILE, `[\n${[...kept(), entry].map((one) => JSON.stringify(one)).join(',\n')}\n]\n`);
}

function runInChild(options: StudyEntry['options']): Promise<Pick<StudyEntry, 'result' | 'rssMib'>> {
  const child = fork(fileURLToPath(import.meta.url), ['--child', JSON.stringify(options)], {
    // What lives for a few steps only is not copied twice: a quarter of the time of large networks went into that.
    execArgv: [`--max-old-space-size=${HEAP_MIB}`, '--max-semi-space-size=64'],
  });
  return new Promise((resolve, reject) => {
    child.once('message', (message) => resolve(message as Pick<StudyEntry, 'result' | 'rssMib'>));
    child.once('exit', (code, signal) => reject(new Error(`a study ended with ${code ?? signal}`)));
  });
}

if (process.argv[2] === '--child') {
  const options = JSON.parse(process.argv[3]) as StudyEntry['options'];
  const result = await study({ ...options, progress: (line) => process.stdout.write(`  ${line}\n`) });
  process.send!({ result, rssMib: Math.round(process.memoryUsage().rss / 2 ** 20) });
  process.disconnect();
} else {
  const wanted = process.argv[2];
  for (const { name, options } of planned()) {
    if (wanted !== undefined && wanted !== name) continue;
    const isKept = kept().some(
      (entry) => entry.name === name && JSON.stringify(entry.options) === JSON.stringify(options),
    );
    if (isKept) continue;
    process.stdout.write(`${name} ${JSON.stringify(options)}\n`);
    const begun = performance.now();
    const { result, rssMib } = await runInChild(options);
    keep({ name, options, result, rssMib, seconds: Math.round((performance.now() - begun) / 1000) });
  }
}
