/** How a figure comes about: programs are started, warmed up, read before and after a while, and ended. */
import { setTimeout as delay } from 'node:timers/promises';
import { Program } from './program.js';
import type { Run } from './result.js';

/** Time for code to be compiled and buffers to be touched before anything is counted. */
const WARM_SECONDS = 0.7;

export interface Watched {
  /** The program under test. */
  readonly target: Program;
  readonly load: readonly Program[];
}

/** Waits until a run is worth counting. @param moreSeconds for what needs longer than most */
export function warmUp(moreSeconds = 0): Promise<void> {
  return delay((WARM_SECONDS + moreSeconds) * 1000);
}

/** What was counted a second while it was watched, and the cores that were busy for it. */
export async function rates(
  { target, load }: Watched,
  seconds: number,
  counters: Readonly<Record<string, () => Promise<number>>>,
): Promise<Run> {
  const look = async () => {
    // All at once: a program that is busy answers late.
    const [counts, usage, loads] = await Promise.all([
      Promise.all(Object.values(counters).map((counter) => counter())),
      target.usage(),
      Promise.all(load.map((one) => one.usage())),
    ]);
    const loadCpuUs = loads.reduce((sum, { cpuUs }) => sum + cpuUs, 0);
    return { atMs: performance.now(), counts, cpuUs: usage.cpuUs, loadCpuUs };
  };
  const before = await look();
  await delay(seconds * 1000);
  const after = await look();
  const elapsedS = (after.atMs - before.atMs) / 1000;
  const values: Record<string, number> = {};
  for (const [i, name] of Object.keys(counters).entries()) {
    values[name] = (after.counts[i]! - before.counts[i]!) / elapsedS;
  }
  return {
    values,
    cores: (after.cpuUs - before.cpuUs) / 1e6 / elapsedS,
    loadCores: (after.loadCpuUs - before.loadCpuUs) / 1e6 / elapsedS,
  };
}

/** Starts programs for one run, and ends them all after it, whatever happened. */
export async function withPrograms<T>(
  use: (start: (file: string, options?: object) => Promise<Program>) => Promise<T>,
): Promise<T> {
  const started: Program[] = [];
  try {
    return await use(async (file, options = {}) => {
      const program = await Program.start(file, options);
      started.push(program);
      return program;
    });
  } finally {
    await Promise.all(started.map((program) => program.stop()));
  }
}

/** Waits for something that another process knows. @throws Error after a while, naming what was waited for */
export async function until(isTrue: () => Promise<boolean>, what: string, seconds = 30): Promise<void> {
  const endMs = performance.now() + seconds * 1000;
  while (!(await isTrue())) {
    if (performance.now() > endMs) throw new Error(`waited ${seconds} s for ${what}`);
    await delay(5);
  }
}
