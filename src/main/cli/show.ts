/**
 * Owns how commands show what a running node tells: once or again every second, as JSON or as text. Main thread.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { listenForStop } from './exit.js';

const WATCH_INTERVAL_MS = 1000;
const CLEAR_SCREEN = '\x1b[H\x1b[2J';

export interface ShowFlags {
  readonly json?: true;
  readonly watch?: true;
}

/** What is shown: an answer as it came, and how people read it. */
export interface Shown {
  readonly json: string;
  readonly text: () => string;
}

/** Shows what `look` finds; with `watch` again and again until a signal. */
export async function show(flags: ShowFlags, look: () => Promise<Shown>): Promise<void> {
  const showOnce = async (): Promise<void> => {
    const { json, text } = await look();
    if (flags.watch && !flags.json && process.stdout.isTTY) process.stdout.write(CLEAR_SCREEN);
    process.stdout.write(flags.json ? `${json}\n` : text());
  };
  await (flags.watch ? repeatUntilStopped(showOnce) : showOnce());
}

/** What lines may measure: a terminal's width; files and pipes take any. */
export function outputColumns(): number {
  return process.stdout.isTTY ? process.stdout.columns || 80 : Number.POSITIVE_INFINITY;
}

async function repeatUntilStopped(showOnce: () => Promise<void>): Promise<void> {
  const stop = listenForStop();
  const waiting = new AbortController();
  void stop.first.then(() => waiting.abort());
  while (!waiting.signal.aborted) {
    await showOnce();
    // An abort is the way out of the wait, not a failure.
    await delay(WATCH_INTERVAL_MS, undefined, { signal: waiting.signal }).catch(() => undefined);
  }
  stop.release();
}
