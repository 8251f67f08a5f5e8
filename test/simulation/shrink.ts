/** Makes the plan of a failed run as small as it can: what is left out, part by part, as long as the run still fails alike. */
import type { PlannedEvent } from './plan.js';

/** Plans that are tried at most. */
const MAX_TRIES = 200;

/**
 * Delta debugging over the events of a plan.
 * @param fails whether a plan fails in the same way
 * @returns the smallest plan that was found to fail, and how many were tried
 */
export async function shrink(
  plan: readonly PlannedEvent[],
  fails: (plan: readonly PlannedEvent[]) => Promise<boolean>,
): Promise<{ readonly plan: readonly PlannedEvent[]; readonly tries: number }> {
  let smallest = plan;
  let tries = 0;
  for (let parts = 2; smallest.length > 0 && tries < MAX_TRIES; ) {
    const size = Math.ceil(smallest.length / parts);
    let isSmaller = false;
    for (let from = 0; from < smallest.length && tries < MAX_TRIES; from += size) {
      const rest = [...smallest.slice(0, from), ...smallest.slice(from + size)];
      tries++;
      if (!(await fails(rest))) continue;
      smallest = rest;
      isSmaller = true;
      break;
    }
    if (isSmaller) parts = Math.max(2, parts - 1);
    else if (size === 1) break;
    else parts = Math.min(smallest.length, parts * 2);
  }
  return { plan: smallest, tries };
}
