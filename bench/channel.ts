/**
 * What a program of the bench says to the harness that started it, over its IPC channel: where it listens, and answers
 * to questions. Its options come as JSON in its first argument.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

export interface Ready {
  readonly kind: 'ready';
  readonly port: number;
}

export interface Question {
  readonly id: number;
  readonly name: string;
  readonly argument?: unknown;
}

export interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

/** What a process has used since it began, threads included. */
export interface Usage {
  readonly cpuUs: number;
  readonly rssBytes: number;
}

export const CHAIN_ID = 'paw-bench';

/** The options that the harness gave this program. */
export function optionsOf<T>(): T {
  return JSON.parse(process.argv[2] ?? '{}') as T;
}

type Answers = Readonly<Record<string, (argument: never) => unknown>>;

function usage(): Usage {
  const { user, system } = process.cpuUsage();
  return { cpuUs: user + system, rssBytes: process.memoryUsage.rss() };
}

let collect: (() => void) | null = null;

/** Collects the garbage of this thread. */
export function collectGarbage(): void {
  if (collect === null) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
  }
  collect();
}

/** Resident memory once garbage is gone. */
function rssAfterCollection(): number {
  collectGarbage();
  return process.memoryUsage.rss();
}

/**
 * Speaks for a program until the harness goes away. Every program answers `usage` and `rssAfterCollection`.
 * @param port where it listens; 0 if it does not
 */
export function serve(port: number, answers: Answers = {}): void {
  const all: Answers = { usage, rssAfterCollection, ...answers };
  process.on('message', async ({ id, name, argument }: Question) => {
    let answer: Answer;
    // Ends as a program does that is done, so that profilers can write what they have seen.
    if (name === 'exit') process.exit(0);
    try {
      const answering = all[name];
      if (answering === undefined) throw new Error(`no answer to '${name}'`);
      answer = { id, value: await answering(argument as never) };
    } catch (error) {
      answer = { id, error: (error as Error).stack ?? String(error) };
    }
    process.send!(answer);
  });
  process.on('disconnect', () => process.exit(0));
  process.send!({ kind: 'ready', port } satisfies Ready);
}
