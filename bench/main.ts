/**
 * Runs scenarios: each case of each again and again, its programs in turn, so that what disturbs the machine disturbs
 * all of them. What is found goes to the terminal, and as JSON and HTML where asked for.
 */
import { writeFileSync } from 'node:fs';
import { ConfigError } from '../src/shared/errors.js';
import { machine } from './machine.js';
import { stopAll } from './program.js';
import { pageOf } from './report/page.js';
import { scenarioText } from './report/terminal.js';
import type { BenchResult, Measurement, Run, ScenarioResult } from './result.js';
import type { Case, Scenario, Settings } from './scenario.js';
import { scenarios } from './scenarios/index.js';

export type { BenchResult } from './result.js';
export { scenarios } from './scenarios/index.js';

export interface BenchOptions extends Settings {
  /** Names of scenarios; none for all that need nothing special. */
  readonly names: readonly string[];
  readonly rounds: number;
  /** Only cases whose name matches; null for all. */
  readonly cases: RegExp | null;
  /** Files to write; null for none. */
  readonly json: string | null;
  readonly html: string | null;
  /** Width of the terminal. */
  readonly columnsMax: number;
}

export interface BenchOutput {
  /** What was found. */
  write(text: string): void;
  /** What is being done; shown in place of what was shown before. */
  progress(text: string): void;
}

/**
 * Runs scenarios by their names.
 * @throws ConfigError for one that needs what is not installed, or a case that there is not; Error when a program under test fails
 */
export async function runBench(options: BenchOptions, output: BenchOutput): Promise<BenchResult> {
  const chosen = scenarios.filter(({ name, onlyByName }) =>
    options.names.length === 0 ? onlyByName !== true : options.names.includes(name),
  );
  const casesOf = new Map(chosen.map((scenario) => [scenario, matchingCases(scenario, options)]));
  if ([...casesOf.values()].every((cases) => cases.length === 0)) {
    const known = chosen.flatMap((scenario) => scenario.cases(options)).map(({ name }) => `'${name}'`);
    throw new ConfigError('case', `case is '${options.cases?.source}': must match one of ${known.join(', ')}`);
  }
  const results: ScenarioResult[] = [];
  const startedAt = new Date().toISOString();
  const { rounds, seconds, workers, smoke } = options;
  const summary = (): BenchResult => ({
    machine: machine(),
    settings: { rounds, seconds, workers, smoke },
    startedAt,
    scenarios: results,
  });
  try {
    for (const [scenario, cases] of casesOf) {
      if (cases.length === 0) continue;
      const missing = scenario.missing?.() ?? null;
      if (missing !== null) {
        const why = `${scenario.name} needs ${missing}`;
        if (options.names.includes(scenario.name)) throw new ConfigError('scenario', why);
        output.progress('');
        output.write(`\n${why}: left out\n`);
        continue;
      }
      const result = await runScenario(scenario, cases, options, output);
      results.push(result);
      output.progress('');
      output.write(scenarioText(result, options.columnsMax));
      // After each, so that an hour's work is not lost to what breaks in the next.
      if (options.json !== null) writeFileSync(options.json, `${JSON.stringify(summary(), null, 1)}\n`);
      if (options.html !== null) writeFileSync(options.html, pageOf(summary()));
    }
  } finally {
    await stopAll();
  }
  return summary();
}

function matchingCases(scenario: Scenario, options: BenchOptions): readonly Case[] {
  const cases = scenario.cases(options);
  return options.cases === null ? cases : cases.filter(({ name }) => options.cases!.test(name));
}

async function runScenario(
  scenario: Scenario,
  cases: readonly Case[],
  options: BenchOptions,
  output: BenchOutput,
): Promise<ScenarioResult> {
  const rounds = options.smoke ? 1 : (scenario.rounds ?? options.rounds);
  const measurements: Measurement[] = [];
  for (const [i, one] of cases.entries()) {
    const where = `${scenario.name} ${i + 1}/${cases.length}: ${one.name}`;
    measurements.push(...(await runCase(one, rounds, (text) => output.progress(`${where}, ${text}`))));
  }
  const { name, title, metrics, goals, notes = [] } = scenario;
  return { name, title, metrics, measurements, goals, notes };
}

async function runCase(one: Case, rounds: number, progress: (text: string) => void): Promise<Measurement[]> {
  const names = Object.keys(one.targets);
  const runs = new Map<string, Run[]>(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    // Whoever comes first has a cooler machine: that is somebody else each time.
    for (let i = 0; i < names.length; i++) {
      const name = names[(i + round) % names.length]!;
      const what = `round ${round + 1}/${rounds}, ${name}`;
      progress(what);
      runs.get(name)!.push(await one.targets[name]!((text) => progress(`${what}: ${text}`)));
    }
  }
  return names.map((target) => ({
    case: one.name,
    parameters: one.parameters,
    target,
    runs: runs.get(target)!,
  }));
}
