/**
 * Owns the one clock that decisions get passed in. Milliseconds are monotonic and agree on all threads of a process:
 * each thread's `performance.now()` starts at its own zero, so it is shifted onto the process-wide `hrtime`.
 */
// Imported: the global is a getter that looks itself up each time, which shows where the clock is read often.
import { performance } from 'node:perf_hooks';

export interface Clock {
  /** Monotonic milliseconds, the same on every thread of this process. */
  nowMs(): number;
  /** Wall clock, milliseconds since 1970. */
  wallMs(): number;
}

/** The real clock of this thread. */
export function systemClock(): Clock {
  const [seconds, nanoseconds] = process.hrtime();
  const shiftMs = seconds * 1000 + nanoseconds / 1e6 - performance.now();
  return {
    nowMs: () => performance.now() + shiftMs,
    wallMs: () => Date.now(),
  };
}

/** Milliseconds as the 32-bit words in shared memory hold them. Never 0, which means `none` there. */
export function toSharedMs(nowMs: number): number {
  return Math.trunc(nowMs) | 1;
}

/** How long ago a shared time was. Right for spans under 24 days, however long the process has run. */
export function sinceSharedMs(nowMs: number, sharedMs: number): number {
  return (Math.trunc(nowMs) - sharedMs) | 0;
}
