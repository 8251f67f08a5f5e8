/**
 * How long the doctor waits for what may never come: a resolver or a file system that hangs. Main thread.
 */
import { setTimeout as delay } from 'node:timers/promises';

const PATIENCE_MS = 1500;

/** What a promise comes to, or `late` if that takes too long. */
export async function within<T>(promise: Promise<T>, late: T): Promise<T> {
  const waiting = new AbortController();
  const timer = delay(PATIENCE_MS, late, { signal: waiting.signal }).catch(() => late);
  const result = await Promise.race([promise, timer]);
  waiting.abort();
  return result;
}
