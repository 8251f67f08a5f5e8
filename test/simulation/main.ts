/**
 * `npm run simulate`: runs seed after seed on all cores until all are done or one fails; then finds the smallest part of
 * what went wrong that still fails, and says how to run it again.
 */
import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runSeed, seedRun, smallestFailure, type Task } from './seed-run.js';
import { defaults, type Outcome } from './simulation.js';

const USAGE = `npm run simulate -- [--seeds N] [--nodes M] [--from SEED] [--jobs J] [--recovery MS]    runs N seeds
npm run simulate -- --seed S [--nodes M] [--faults 3,17|none] [--recovery MS]            runs one, and shows what happens
`;
/** Lines of a trace that are shown before its end. */
const SHOWN_LINES = 40;
const PROGRESS_MS = 2000;
/** A seed takes seconds: one that takes so long hangs in a step. */
const SEED_MS_MAX = 10 * 60_000;
/** Fewer have too few netgroups for the outbound peers that each wants. */
const LEAST_NODES = 12;

const zeros = { steps: 0, simulatedMs: 0, messages: 0, connections: 0, deaths: 0, deathsAtWork: 0, shed: 0, cutOff: 0 };
const summed = Object.keys(zeros) as (keyof typeof zeros)[];

/** What a child says of a task; they are given one at a time. */
interface Done {
  readonly task: Task;
  readonly outcome: Outcome;
}

function refuse(why: string): never {
  process.stderr.write(`${why}\n\n${USAGE}`);
  process.exit(2);
}

function wholeNumber(name: string, text: string | undefined, fallback: number, least = 1): number {
  if (text === undefined) return fallback;
  if (/^[1-9]\d{0,8}$/.test(text) && Number(text) >= least) return Number(text);
  return refuse(`--${name} is '${text}', must be a whole number from ${least}`);
}

function faultNumbers(text: string | undefined): readonly number[] | undefined {
  if (text === undefined) return undefined;
  if (text === 'none') return [];
  if (/^\d+(,\d+)*$/.test(text)) return text.split(',').map(Number);
  return refuse(`--faults is '${text}', must be numbers of faults such as 3,17, or none`);
}

/** Runs in a child: a seed in, an outcome out. */
function serve(): void {
  process.on('message', async (task: Task) => {
    const outcome = await runSeed(seedRun(task));
    process.send!({ task, outcome } satisfies Done);
  });
  process.on('disconnect', () => process.exit(0));
}

async function runMany(seeds: number, first: Task, jobs: number): Promise<void> {
  const begun = performance.now();
  const sums = { done: 0, recoveredMs: 0, spreadMs: 0, ...zeros };
  const { nodes, seed: from } = first;
  let next = from;
  let failed: Done | null = null;
  const progress = (end: string) => {
    const seconds = (performance.now() - begun) / 1000;
    const left = ((seeds - sums.done) * seconds) / Math.max(1, sums.done);
    const rate = (sums.done / seconds).toFixed(2);
    process.stdout.write(
      `${sums.done} of ${seeds} seeds of ${nodes} nodes, ${rate}/s, ${Math.ceil(left)} s to go${end}`,
    );
  };
  const isTerminal = process.stdout.isTTY;
  const timer = setInterval(() => progress(isTerminal ? '   \r' : '\n'), isTerminal ? PROGRESS_MS : 10 * PROGRESS_MS);
  await new Promise<void>((resolve, reject) => {
    let running = 0;
    for (let job = 0; job < jobs; job++) {
      const child = fork(fileURLToPath(import.meta.url), ['--child']);
      running++;
      let current = from;
      let hanging: NodeJS.Timeout | undefined;
      const give = () => {
        clearTimeout(hanging);
        if (failed !== null || next >= from + seeds) {
          child.disconnect();
          return;
        }
        current = next++;
        hanging = setTimeout(() => child.kill('SIGKILL'), SEED_MS_MAX);
        child.send({ ...first, seed: current } satisfies Task);
      };
      child.on('message', (done: Done) => {
        sums.done++;
        for (const key of summed) sums[key] += done.outcome[key];
        sums.recoveredMs = Math.max(sums.recoveredMs, done.outcome.recoveredMs);
        sums.spreadMs = Math.max(sums.spreadMs, done.outcome.spreadMs);
        if (done.outcome.violation !== null) failed ??= done;
        give();
      });
      child.on('exit', (code, signal) => {
        clearTimeout(hanging);
        if (code !== 0) reject(new Error(`seed ${current}: its process ended with ${code ?? signal}`));
        else if (--running === 0) resolve();
      });
      give();
    }
  });
  clearInterval(timer);
  progress('\n');
  const hours = (sums.simulatedMs / 3_600_000).toFixed(1);
  process.stdout.write(
    `${hours} h simulated, ${sums.steps} steps, ${sums.connections} connections, ` +
      `${sums.deaths} deaths of workers, ${sums.deathsAtWork} of them at work, ${sums.messages} gossip messages dispatched, ` +
      `${sums.shed} messages shed, ${sums.cutOff} peers cut off for want of memory; ` +
      `longest recovery ${sums.recoveredMs} ms, longest spread ${sums.spreadMs} ms\n`,
  );
  if (failed === null) return;
  await tellFailure(failed);
  process.exitCode = 1;
}

async function tellFailure({ task, outcome }: Done): Promise<void> {
  process.stdout.write(`seed ${task.seed} fails: ${outcome.violation!.what}\nlooking for the smallest part of it …\n`);
  const { run, numbers, tries } = await smallestFailure(seedRun(task), outcome);
  const lines: string[] = [];
  await runSeed(run, { trace: (line) => lines.push(line) });
  process.stdout.write(`${lines.slice(-SHOWN_LINES).join('\n')}\n`);
  process.stdout.write(`${numbers.length} faults are enough (${tries} plans tried). Again:\n`);
  const faults = numbers.length === 0 ? 'none' : numbers.join(',');
  const { seed, nodes, recoveryMs } = task;
  const recovery = recoveryMs === defaults.recoveryMs ? '' : ` --recovery ${recoveryMs}`;
  process.stdout.write(`  npm run simulate -- --seed ${seed} --nodes ${nodes}${recovery} --faults ${faults}\n`);
}

async function runOne(task: Task, only: readonly number[] | undefined): Promise<void> {
  const outcome = await runSeed(seedRun(task, only), { trace: (line) => process.stdout.write(`${line}\n`) });
  process.stdout.write(`${JSON.stringify(outcome)}\n`);
  if (outcome.violation !== null) process.exitCode = 1;
}

type Values = { readonly [name in keyof typeof options]?: string | undefined };

function given(): Values {
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    return refuse((error as Error).message);
  }
}

const text = { type: 'string' } as const;
const options = { seeds: text, nodes: text, from: text, jobs: text, seed: text, faults: text, recovery: text } as const;
if (process.argv[2] === '--child') serve();
else {
  const values = given();
  const nodes = wholeNumber('nodes', values.nodes, 50, LEAST_NODES);
  const recoveryMs = wholeNumber('recovery', values.recovery, defaults.recoveryMs);
  const only = faultNumbers(values.faults);
  if (values.seed !== undefined) {
    await runOne({ seed: wholeNumber('seed', values.seed, 1), nodes, recoveryMs }, only);
  } else {
    if (only !== undefined) refuse('--faults needs --seed');
    const seeds = wholeNumber('seeds', values.seeds, 100);
    const jobs = Math.min(seeds, wholeNumber('jobs', values.jobs, availableParallelism()));
    await runMany(seeds, { seed: wholeNumber('from', values.from, 1), nodes, recoveryMs }, jobs);
  }
}
