/**
 * Owns the command line as a whole: the commands, and errors of usage in one line. Main thread.
 */
import { Command } from 'commander';
import { version } from '../version.js';
import { registerBans } from './bans.js';
import { registerBench } from './bench.js';
import { registerCrawl } from './crawl.js';
import { registerDevnet } from './devnet.js';
import { registerDoctor } from './doctor.js';
import { registerDrain } from './drain.js';
import { registerHistory } from './history.js';
import { registerId } from './id.js';
import { registerKeygen } from './keygen.js';
import { registerNode } from './node-command.js';
import { registerPeers } from './peers.js';
import { registerReload } from './reload.js';
import { registerSend } from './send.js';
import { registerStatus } from './status.js';
import { registerTap } from './tap.js';

/** The commands, ready to parse. Throws CommanderError instead of ending the process. */
export function buildProgram(): Command {
  const program = new Command('paw-p2p')
    .description('PAW peer-to-peer node')
    .version(version)
    .exitOverride()
    .configureOutput({
      // A suggestion comes on a line of its own; a failure is one line.
      outputError: (text, write) =>
        write(
          `paw-p2p: ${text
            .replace(/^error: /, '')
            .trimEnd()
            .replaceAll('\n', ' ')}\n`,
        ),
    });
  // Commands take over these settings when they are made, so they come last.
  for (const register of [
    registerNode,
    registerDevnet,
    registerSend,
    registerTap,
    registerCrawl,
    registerStatus,
    registerPeers,
    registerBans,
    registerHistory,
    registerReload,
    registerDrain,
    registerDoctor,
    registerKeygen,
    registerId,
    registerBench,
  ]) {
    register(program);
  }
  return program;
}
