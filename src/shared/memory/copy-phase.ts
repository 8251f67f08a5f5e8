/**
 * Where a copy of shared memory is to lie. V8 moves shared bytes eight at a time only where source and target are equally
 * far behind a multiple of eight, which is their phase; else byte by byte, at a fifth of the speed (ARCHITECTURE.md,
 * "Copies in phase"). Whoever chooses where a copy goes chooses a place in phase.
 */
const PERIOD = 8;

/** Most bytes that are left out before a copy to put it in phase. */
export const MAX_PHASE_BYTES = PERIOD - 1;

/** The first place from `at` on that is in phase with `source`. */
export function inPhase(at: number, source: number): number {
  return at + ((source - at) & MAX_PHASE_BYTES);
}
