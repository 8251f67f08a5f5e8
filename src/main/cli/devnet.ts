/**
 * Owns the command `devnet`, which `npm start` runs. Main thread.
 */
import type { Command } from 'commander';
import { integer } from '../config/kinds.js';
import { runDevnet } from '../devnet/devnet.js';
import { summaryText } from '../devnet/summary.js';
import { MAX_NODES } from '../devnet/traffic.js';
import { parseFlag } from './config-flags.js';
import { ExitCode, listenForStop } from './exit.js';

const RATE_MAX = 100_000;
const DURATION_S_MAX = 86_400;

interface DevnetFlags {
  readonly nodes: string;
  readonly rate: string;
  readonly duration: string;
  readonly json?: true;
}

async function devnet(flags: DevnetFlags): Promise<void> {
  const nodes = parseFlag('nodes', integer(2, MAX_NODES), flags.nodes);
  const ratePerSecond = parseFlag('rate', integer(1, RATE_MAX), flags.rate);
  const seconds = parseFlag('duration', integer(0, DURATION_S_MAX), flags.duration);
  const stop = listenForStop();
  // With --json, standard output holds the summary alone.
  const out = flags.json ? process.stderr : process.stdout;
  const summary = await runDevnet({ nodes, ratePerSecond, durationMs: seconds * 1000 }, out, stop.first);
  stop.release();
  process.stdout.write(flags.json ? `${JSON.stringify(summary)}\n` : summaryText(summary));
  process.exitCode = summary.ok ? ExitCode.Done : ExitCode.Failed;
}

export function registerDevnet(program: Command): void {
  program
    .command('devnet')
    .description('runs real nodes on this machine, each in its own process, and checks that no message is lost')
    .option('--nodes <N>', `number of nodes, 2 to ${MAX_NODES}`, '4')
    .option('--rate <R>', 'messages per second of all nodes together', '400')
    .option('--duration <S>', 'seconds of messages; 0 = until Ctrl-C', '10')
    .option('--json', 'print the summary as JSON')
    .action(devnet);
}
