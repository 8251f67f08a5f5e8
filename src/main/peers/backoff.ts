/** When to dial an address again (specification 3.3, rulings 5). Pure. */
import { MAX_BACKOFF_MS } from '../../shared/limits.js';

/**
 * Delay before the next dial: min(2^attempts seconds, 600 s), plus up to `jitter` of that at random, so that peers of a
 * restarted hub don't come back all at once.
 * @param attempts failed dials in a row, at least 1
 * @param random from 0 inclusive to 1 exclusive
 */
export function backoffMs(attempts: number, jitter: number, random: number): number {
  const delayMs = Math.min(2 ** Math.min(attempts, 30) * 1000, MAX_BACKOFF_MS);
  return delayMs * (1 + jitter * random);
}
