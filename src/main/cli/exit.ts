/**
 * Owns how commands end: exit codes, the one line that reports a failure, signals, a standard output that goes
 * away. Main thread.
 */
import { CommanderError } from 'commander';
import { ConfigError, NodeError, PeerError } from '../../shared/errors.js';
import { harmless } from '../harmless-text.js';

export const ExitCode = {
  Done: 0,
  /** The command could not do it. */
  Failed: 1,
  /** It was called wrongly: an unknown option, a wrong value. */
  Usage: 2,
  /** As shells report a death by signal: 128 and its number. */
  Interrupted: 130,
  Terminated: 143,
} as const;

function writeFailure(line: string): void {
  process.stderr.write(`paw-p2p: ${harmless(line)}\n`);
}

/** An error code as documents write it. */
export function hexCode(code: number): string {
  return `0x${code.toString(16).toUpperCase().padStart(2, '0')}`;
}

/** Reports a failure on standard error, in one line if it is one that users can fix, and gives the exit code. */
export function reportFailure(error: unknown): number {
  if (error instanceof CommanderError) {
    // Commander has written its line, or the help that was asked for.
    return error.exitCode === 0 ? ExitCode.Done : ExitCode.Usage;
  }
  if (error instanceof ConfigError) {
    writeFailure(error.message);
    return ExitCode.Usage;
  }
  if (error instanceof PeerError) {
    writeFailure(`${error.message} (${hexCode(error.code)} ${error.codeName})`);
    return ExitCode.Failed;
  }
  if (error instanceof NodeError) {
    writeFailure(error.message);
    return ExitCode.Failed;
  }
  // A fault of this program, not of its user: everything that helps to find it.
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return ExitCode.Failed;
}

/** Signals that ask a long-running command to end. */
export interface StopSignals {
  /** Settles with the first signal. */
  readonly first: Promise<NodeJS.Signals>;
  /** Gives the signals back to their default. */
  release(): void;
}

/** Waits for SIGINT or SIGTERM. The first one asks, a second one ends the process at once. */
export function listenForStop(): StopSignals {
  let asked = false;
  let tell: (signal: NodeJS.Signals) => void;
  const first = new Promise<NodeJS.Signals>((resolve) => {
    tell = resolve;
  });
  const onSignal = (signal: NodeJS.Signals): void => {
    if (asked) process.exit(signal === 'SIGINT' ? ExitCode.Interrupted : ExitCode.Terminated);
    asked = true;
    tell(signal);
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  return { first, release: () => void process.off('SIGINT', onSignal).off('SIGTERM', onSignal) };
}

/** `paw-p2p tap … | head` closes our output: that is the reader's way to say enough, not a failure. */
export function endWhenOutputCloses(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(ExitCode.Done);
  });
}
