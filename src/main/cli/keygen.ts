/**
 * Owns the command `keygen`: makes the node key. Main thread.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Command } from 'commander';
import { NodeError } from '../../shared/errors.js';
import { openDataDir } from '../data-dir.js';
import { createNodeKey, NODE_KEY_FILE } from '../identity.js';
import { configFlag, dataDirOf } from './config-flags.js';

interface KeygenFlags {
  readonly dataDir?: string;
  readonly force?: true;
}

async function keygen(flags: KeygenFlags): Promise<void> {
  const dataDir = dataDirOf(flags.dataDir);
  // Held, so that the key does not change under a running node.
  const directory = await openDataDir(dataDir);
  try {
    const file = path.join(dataDir, NODE_KEY_FILE);
    if (!flags.force && existsSync(file)) {
      const message = `there is a node key already, '${file}': --force replaces it, and with it the node ID`;
      throw new NodeError('ERR_PAW_DATA_DIR', message);
    }
    process.stdout.write(`${createNodeKey(dataDir).nodeId}\n`);
  } finally {
    directory.release();
  }
}

export function registerKeygen(program: Command): void {
  program
    .command('keygen')
    .description('makes the node key and prints the node ID')
    .addOption(configFlag('dataDir'))
    .option('--force', 'replace an existing key')
    .action(keygen);
}
