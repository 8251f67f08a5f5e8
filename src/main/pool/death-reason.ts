/**
 * Why a worker died, in words that may be shown to anybody. Pure; main thread. An error's message is none: it may quote
 * what a peer sent.
 */
import { errorTrace } from '../../shared/error-trace.js';

/** What Piscina says of a thread that ended, and Node of one that ran out of heap. */
const EXITED = /^worker exited with code: (\d{1,3})$/;
const OUT_OF_HEAP = 'ERR_WORKER_OUT_OF_MEMORY';

/** Types that are named. */
const TYPES_SHOWN = 3;

export function deathReason(error: Error): string {
  const exit = EXITED.exec(typeof error.message === 'string' ? error.message : '');
  if (exit !== null) return `exited with code ${exit[1]}`;
  const { error: kind, at } = errorTrace(error);
  if (kind.endsWith(` ${OUT_OF_HEAP}`)) return `ran out of heap (${OUT_OF_HEAP})`;
  return at.length === 0 ? kind : `${kind} at ${at[0]}`;
}

/**
 * What a worker was at when it died, to follow its reason; nothing if nobody knows.
 * @param inHand type whose handler had been called and had not returned
 * @param waitedFor types whose handlers had returned promises that had not settled
 */
export function whatItWasAt(inHand: string | null, waitedFor: readonly string[]): string {
  if (inHand !== null) return ` with a message of type '${inHand}' in hand`;
  if (waitedFor.length === 0) return '';
  const shown = waitedFor.slice(0, TYPES_SHOWN).map((type) => `'${type}'`);
  const more = waitedFor.length > TYPES_SHOWN ? ` and ${waitedFor.length - TYPES_SHOWN} more` : '';
  return ` with handlers of ${shown.join(', ')}${more} under way`;
}
