/** Of many inputs the few that together do what all of them do. */
import type { Coverage } from './coverage.js';
import { failureOf } from './fuzzer.js';
import type { Target } from './target.js';

/** Short inputs first: each that does something that no shorter one did stays. */
export function smallestSet(target: Target, inputs: readonly Uint8Array[], coverage: Coverage): Uint8Array[] {
  const noted = new Set<number>();
  coverage.forget();
  return [...inputs]
    .sort((a, b) => a.length - b.length)
    .filter((input) => {
      const before = noted.size;
      failureOf(target, input, (what) => noted.add(what));
      const isNew = coverage.takeNew();
      return isNew || noted.size > before;
    });
}
