/** One seed: its plan, its run, and, where that fails, the smallest part of the plan that still does. */
import { makePlan, type PlannedEvent } from './plan.js';
import { Seeded } from './seeded.js';
import { shrink } from './shrink.js';
import { defaults, type Outcome, Simulation } from './simulation.js';

/** Faults of a run by nodes: what happens to one node does not depend on how many there are. */
const FAULTS_PER_NODE = 1;

/** One seed in so many has little memory beside its rings, so that it is short now and then. */
const TIGHT_EVERY = 4;
const tight = { ringSize: '64KiB', outboundRing: '2MiB' } as const;

/** What is run. */
export interface Task {
  readonly seed: number;
  readonly nodes: number;
  /** Milliseconds that the network has to recover. */
  readonly recoveryMs: number;
}

/** A plan in two parts: what goes wrong, and nodes that start. */
export interface SeedRun extends Task {
  readonly faults: readonly PlannedEvent[];
  readonly starts: readonly PlannedEvent[];
}

/** The plan of a seed. @param only numbers of the faults that happen, all by default */
export function seedRun(task: Task, only?: readonly number[]): SeedRun {
  const { seed, nodes } = task;
  const { faultsMs } = defaults;
  const plan = makePlan({ nodes, faultsMs, faults: nodes * FAULTS_PER_NODE }, new Seeded(seed, 'plan'));
  const starts = plan.filter(({ event }) => event.kind === 'start');
  const faults = plan.filter(({ event }) => event.kind !== 'start');
  return { ...task, starts, faults: only === undefined ? faults : faults.filter((_, index) => only.includes(index)) };
}

export interface Watching {
  /** Gets each line of what happens. */
  readonly trace?: (line: string) => void;
  /** Plants a fault, to see whether it is found. */
  readonly plant?: (simulation: Simulation) => void;
}

export function runSeed({ starts, faults, ...task }: SeedRun, { trace, plant }: Watching = {}): Promise<Outcome> {
  const options = task.seed % TIGHT_EVERY === 0 ? tight : {};
  const traced = trace === undefined ? {} : { trace };
  const simulation = new Simulation({ ...defaults, ...traced, ...task, options }, [...starts, ...faults]);
  plant?.(simulation);
  return simulation.run();
}

/** The kind of a violation: what it says, without the names and numbers in it. */
export function kindOf({ violation }: Outcome): string | null {
  return violation === null ? null : violation.what.split('\n')[0].replace(/node-\d+|\d[\d.]*/g, '#');
}

/** A failed run with the fewest faults that were found to be enough, and their numbers in the plan of the seed. */
export async function smallestFailure(run: SeedRun, outcome: Outcome, watching: Watching = {}) {
  const kind = kindOf(outcome);
  const { faults: all } = seedRun(run);
  const { plan: faults, tries } = await shrink(
    run.faults,
    async (rest) => kindOf(await runSeed({ ...run, faults: rest }, watching)) === kind,
  );
  // Made anew from the seed: the same by their times.
  const numbers = faults.map(({ atMs }) => all.findIndex((fault) => fault.atMs === atMs));
  return { run: { ...run, faults }, numbers, tries };
}
