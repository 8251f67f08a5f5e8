/**
 * Why a worker died, in words that may be shown to anybody. Pure; main thread. An error's message is none: it may quote
 * what a peer sent.
 */
import { errorTrace } from '../../shared/error-trace.js';

/** What Piscina says of a thread that ended, and Node of one that ran out of heap. */
const EXITED = /^worker exited with code: (\d{1,3})$/;
const OUT_OF_HEAP = 'ERR_WORKER_OUT_OF_MEMORY';

export function deathReason(error: Error): string {
  const exit = EXITED.exec(typeof error.message === 'string' ? error.message : '');
  if (exit !== null) return `exited with code ${exit[1]}`;
  const { error: kind, at } = errorTrace(error);
  if (kind.endsWith(` ${OUT_OF_HEAP}`)) return `ran out of heap (${OUT_OF_HEAP})`;
  return at.length === 0 ? kind : `${kind} at ${at[0]}`;
}
