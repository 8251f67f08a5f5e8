/**
 * Owns the command `node`: configuration, start, signals, end. Main thread.
 */
import type { Command } from 'commander';
import { ConfigError, NodeError } from '../../shared/errors.js';
import { loadSettings } from '../config/load.js';
import { printSettings } from '../config/print.js';
import type { Settings } from '../config/settings.js';
import type { Node } from '../public-node.js';
import { addConfigFlags } from './config-flags.js';
import { listenForStop } from './exit.js';

interface NodeFlags extends Readonly<Record<string, unknown>> {
  readonly config?: string;
  readonly printConfig?: true;
}

/** Runs a node of these settings; `readSettings` reads them again. */
async function runNode(settings: Settings, readSettings: () => Settings): Promise<void> {
  // Before the start, so that a signal during it closes the node as well.
  const stop = listenForStop();
  let node: Node | null = null;
  let isReopenWanted = false;
  let isReloadWanted = false;
  // Before the start as well, and for good: unheard, these two end the process. What they ask for is done once it runs.
  process.on('SIGHUP', () => {
    if (node === null) isReloadWanted = true;
    else reload(node);
  });
  process.on('SIGUSR2', () => {
    if (node === null) isReopenWanted = true;
    else node.reopenLog();
  });
  // Here, because the other commands need none of this and should start fast.
  const { startNode } = await import('../node.js');
  // The node says when it is ready and when it has closed.
  node = await startNode(settings, { readSettings });
  if (isReopenWanted) node.reopenLog();
  if (isReloadWanted) reload(node);
  await Promise.race([stop.first, node.closed]);
  await node.close();
}

function reload(node: Node): void {
  try {
    node.reload();
  } catch (error) {
    // The node has told in its log what is wrong, and goes on as it was.
    const isTooLate = error instanceof NodeError && error.code === 'ERR_PAW_CLOSED';
    if (!(error instanceof ConfigError) && !isTooLate) throw error;
  }
}

async function nodeCommand({ config, printConfig, ...flags }: NodeFlags): Promise<void> {
  const file = config === undefined ? {} : { configFile: config };
  const readSettings = () => loadSettings({ flags, env: process.env, ...file });
  const settings = readSettings();
  if (printConfig) process.stdout.write(printSettings(settings));
  else await runNode(settings, readSettings);
}

export function registerNode(program: Command): void {
  const command = program
    .command('node')
    .description(
      'runs a node until SIGINT or SIGTERM (a second signal ends it at once); SIGHUP reloads its configuration',
    )
    .option('--config <FILE>', 'configuration file (TOML)')
    .option('--print-config', 'print the effective configuration as TOML and exit');
  addConfigFlags(command);
  command.action(nodeCommand);
}
