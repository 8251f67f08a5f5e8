/**
 * Owns the command `id`: shows the ID of the node key. Main thread.
 */
import type { Command } from 'commander';
import { NodeError } from '../../shared/errors.js';
import { readNodeKey } from '../identity.js';
import { configFlag, dataDirOf } from './config-flags.js';

function showId(flags: { readonly dataDir?: string }): void {
  const dataDir = dataDirOf(flags.dataDir);
  const key = readNodeKey(dataDir);
  if (key === null) {
    const message = `there is no node key in '${dataDir}': make one with 'paw-p2p keygen', or start a node`;
    throw new NodeError('ERR_PAW_DATA_DIR', message);
  }
  process.stdout.write(`${key.nodeId}\n`);
}

export function registerId(program: Command): void {
  program.command('id').description('shows the ID of the node key').addOption(configFlag('dataDir')).action(showId);
}
