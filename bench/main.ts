/**
 * `npm run bench`: messages per second of the node against its baselines, in the same run, interleaved, as medians.
 * Options: --rounds N, --seconds S, --payload BYTES, --connections N.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { cpus } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { Reading, Ready } from './target.js';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    payload: { type: 'string', default: '128,1024' },
    connections: { type: 'string', default: '16' },
    workers: { type: 'string', default: '1' },
  },
});
const targets = {
  node: ['./node-target.js', values.workers],
  ceiling: ['./baselines/ceiling.js'],
  naive: ['./baselines/naive.js'],
} as const;
type TargetName = keyof typeof targets;

async function start(file: string, args: readonly string[]): Promise<ChildProcess> {
  return fork(new URL(file, import.meta.url), args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
}

async function read(child: ChildProcess): Promise<Reading> {
  const answer = once(child, 'message');
  child.send('read');
  return (await answer)[0] as Reading;
}

interface Round {
  readonly perSecond: number;
  readonly cpu: number;
  readonly loadCpu: number;
}

async function measure(name: TargetName, payload: number): Promise<Round> {
  const [file, ...args] = targets[name];
  const target = await start(file, args);
  const [ready] = (await once(target, 'message')) as [Ready];
  const load = await start('./load/flood.js', [String(ready.port), values.connections, String(payload)]);
  await delay(700);
  const [before, loadBefore, startMs] = [await read(target), await read(load), performance.now()];
  await delay(Number(values.seconds) * 1000);
  const [after, loadAfter] = [await read(target), await read(load)];
  const seconds = (performance.now() - startMs) / 1000;
  for (const child of [load, target]) {
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }
  return {
    perSecond: (after.messages - before.messages) / seconds,
    cpu: (after.cpuUs - before.cpuUs) / 1e6 / seconds,
    loadCpu: (loadAfter.cpuUs - loadBefore.cpuUs) / 1e6 / seconds,
  };
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

console.log(
  `Node ${process.version}, ${cpus().length} cores, ${values.connections} connections, medians of ${values.rounds}`,
);
console.log('payload   target     messages/s   of ceiling   spread          cores   load cores');
for (const payload of values.payload.split(',').map(Number)) {
  const rounds: Record<TargetName, Round[]> = { node: [], ceiling: [], naive: [] };
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const name of Object.keys(targets) as TargetName[]) rounds[name].push(await measure(name, payload));
  }
  const ceiling = median(rounds.ceiling.map((round) => round.perSecond));
  for (const name of Object.keys(targets) as TargetName[]) {
    const figures = rounds[name].map((round) => round.perSecond);
    const spread = `${(Math.min(...figures) / 1e6).toFixed(2)}-${(Math.max(...figures) / 1e6).toFixed(2)} M`;
    const row = [
      String(payload).padEnd(9),
      name.padEnd(10),
      `${(median(figures) / 1e6).toFixed(2)} M`.padStart(10),
      (median(figures) / ceiling).toFixed(2).padStart(12),
      spread.padStart(15),
      median(rounds[name].map((round) => round.cpu))
        .toFixed(2)
        .padStart(9),
      median(rounds[name].map((round) => round.loadCpu))
        .toFixed(2)
        .padStart(9),
    ];
    console.log(row.join(' '));
  }
}
