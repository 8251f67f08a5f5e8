/**
 * Owns the command `node`: configuration, start, signals, end. Main thread.
 */
import type { Command } from 'commander';
import { loadSettings } from '../config/load.js';
import { printSettings } from '../config/print.js';
import type { Settings } from '../config/settings.js';
import type { Node } from '../node.js';
import { addConfigFlags } from './config-flags.js';
import { listenForStop } from './exit.js';

interface NodeFlags extends Readonly<Record<string, unknown>> {
  readonly config?: string;
  readonly printConfig?: true;
}

async function runNode(settings: Settings): Promise<void> {
  // Before the start, so that a signal during it closes the node as well.
  const stop = listenForStop();
  let node: Node | null = null;
  let isReopenWanted = false;
  // For good: without a listener the signal would end the process.
  process.on('SIGUSR2', () => {
    if (node === null) isReopenWanted = true;
    else node.reopenLog();
  });
  // Here, because the other commands need none of this and should start fast.
  const { startNode } = await import('../node.js');
  // The node says when it is ready and when it has closed.
  node = await startNode(settings);
  if (isReopenWanted) node.reopenLog();
  await stop.first;
  await node.close();
}

async function nodeCommand({ config, printConfig, ...flags }: NodeFlags): Promise<void> {
  const file = config === undefined ? {} : { configFile: config };
  const settings = loadSettings({ flags, env: process.env, ...file });
  if (printConfig) process.stdout.write(printSettings(settings));
  else await runNode(settings);
}

export function registerNode(program: Command): void {
  const command = program
    .command('node')
    .description('runs a node until SIGINT or SIGTERM; a second signal ends it at once')
    .option('--config <FILE>', 'configuration file (TOML)')
    .option('--print-config', 'print the effective configuration as TOML and exit');
  addConfigFlags(command);
  command.action(nodeCommand);
}
