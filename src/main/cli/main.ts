#!/usr/bin/env node
/**
 * The program `paw-p2p`: parses the command line, runs the command, ends with its exit code. Main thread.
 */
import { endWhenOutputCloses, reportFailure } from './exit.js';
import { buildProgram } from './program.js';

/** A command that is done leaves nothing running; should something be left all the same, it must not hold the exit. */
const EXIT_GRACE_MS = 500;

endWhenOutputCloses();
try {
  await buildProgram().parseAsync();
} catch (error) {
  process.exitCode = reportFailure(error);
}
setTimeout(() => process.exit(), EXIT_GRACE_MS).unref();
