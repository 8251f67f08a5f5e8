/**
 * Owns the command `bench`: the harness itself is loaded when it is run. Main thread.
 */
import { closeSync, openSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import type { Command } from 'commander';
import { ConfigError } from '../../shared/errors.js';
import { duration, integer } from '../config/kinds.js';
import { parseFlag } from './config-flags.js';
import { outputColumns } from './show.js';
import { tableText } from './table.js';

const ROUNDS_MAX = 100;
const SOAK_MS_LEAST = 10_000;
const DURATION_MS_MAX = 30 * 24 * 3_600_000;

interface BenchFlags {
  readonly list?: true;
  readonly rounds: string;
  readonly case?: string;
  readonly seconds: string;
  readonly workers?: string;
  readonly duration: string;
  readonly json?: string;
  readonly html?: string;
  readonly smoke?: true;
}

/** Before an hour is spent on what can't be written. @throws ConfigError that names the flag */
function requireWritable(key: 'json' | 'html', file: string | undefined): string | null {
  if (file === undefined) return null;
  try {
    closeSync(openSync(file, 'a'));
    return file;
  } catch (error) {
    throw new ConfigError(
      key,
      `${key} is '${file}' (--${key}): must be a file that can be written: ${(error as Error).message}`,
    );
  }
}

/** @throws ConfigError that names the flag */
function requirePattern(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch (error) {
    throw new ConfigError(
      'case',
      `case is '${text}' (--case): must be a regular expression: ${(error as Error).message}`,
    );
  }
}

async function bench(names: readonly string[], flags: BenchFlags): Promise<void> {
  const { runBench, scenarios } = await import('../../../bench/main.js');
  if (flags.list) {
    const columns = [
      { head: 'scenario', cell: ({ name }: { name: string }) => name },
      { head: 'what it measures', cell: ({ title }: { title: string }) => title, free: true as const },
    ];
    process.stdout.write(tableText(columns, scenarios, outputColumns()));
    return;
  }
  const unknown = names.find((name) => scenarios.every((scenario) => scenario.name !== name));
  if (unknown !== undefined) {
    const known = scenarios.map(({ name }) => name).join(', ');
    throw new ConfigError('scenario', `scenario is '${unknown}': must be one of ${known}`);
  }
  const smoke = flags.smoke === true;
  const isTerminal = process.stderr.isTTY;
  await runBench(
    {
      names,
      rounds: parseFlag('rounds', integer(1, ROUNDS_MAX), flags.rounds),
      cases: flags.case === undefined ? null : requirePattern(flags.case),
      seconds: smoke ? 0.2 : parseFlag('seconds', integer(1, 600), flags.seconds),
      workers:
        flags.workers === undefined
          ? Math.max(1, Math.min(4, availableParallelism() - 1))
          : parseFlag('workers', integer(1, 64), flags.workers),
      soakSeconds: smoke ? 2 : parseFlag('duration', duration(SOAK_MS_LEAST, DURATION_MS_MAX), flags.duration) / 1000,
      smoke,
      json: requireWritable('json', flags.json),
      html: requireWritable('html', flags.html),
      columnsMax: outputColumns(),
    },
    {
      write: (text) => process.stdout.write(text),
      progress: (text) => {
        if (isTerminal) process.stderr.write(`\r\x1b[K${text}`);
        else if (text !== '') process.stderr.write(`${text}\n`);
      },
    },
  );
}

export function registerBench(program: Command): void {
  program
    .command('bench')
    .description('measures a node against baselines, interleaved in the same run')
    .argument('[scenario...]', 'what to measure (default: everything that needs neither hours nor other packages)')
    .option('--list', 'lists the scenarios')
    .option('--case <PATTERN>', 'only cases whose name matches, such as "16 conn|100 conn"')
    .option('--rounds <N>', 'how many times each program is measured; medians are shown', '5')
    .option('--seconds <N>', 'seconds each time', '2')
    .option('--workers <N>', 'worker threads of the node (default: one fewer than the cores, 1 to 4)')
    .option('--duration <TIME>', 'how long soak runs', '1h')
    .option('--json <FILE>', 'write the results as JSON')
    .option('--html <FILE>', 'write the results as a page with charts')
    .option('--smoke', 'tiny runs, to check that everything works; the figures mean nothing')
    .action(bench);
}
