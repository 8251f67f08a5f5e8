/**
 * `npm run profile -- TOOL [SCENARIO]`: runs the node of one case of a scenario under one of clinic's tools, with the
 * scenario as its load, and says where the reports are. In a clone only: clinic has packages of its own
 * (`bench/profile`), which are installed when they are first needed.
 */
import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Program, stopAll } from './program.js';
import type { Settings } from './scenario.js';
import { scenarios } from './scenarios/index.js';

/** Plain JavaScript that stays where it is: loaded by its path. */
type Collector = typeof import('./profile/collect.mjs');
type Tool = import('./profile/collect.mjs').Tool;
type Top = typeof import('./profile/top.mjs');

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = join(root, 'bench', 'profile');

class UsageError extends Error {}

function oneOf(what: string, value: string | undefined, known: readonly string[]): string {
  if (value !== undefined && known.includes(value)) return value;
  throw new UsageError(
    `${what} is ${value === undefined ? 'not named' : `'${value}'`}: must be one of ${known.join(', ')}`,
  );
}

async function profile(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { case: { type: 'string' }, seconds: { type: 'string', default: '5' }, smoke: { type: 'boolean' } },
  });
  if (!existsSync(folder)) throw new UsageError('profiling needs a clone of the repository, with bench/profile');
  const load = (name: string) => import(new URL(`file://${join(folder, name)}`).href);
  const collector = (await load('collect.mjs')) as Collector;
  const tool = oneOf('tool', positionals[0], collector.TOOLS) as Tool;
  const name = oneOf(
    'scenario',
    positionals[1] ?? 'ingest',
    scenarios.map((one) => one.name),
  );
  const seconds = Number(values.seconds);
  if (!(seconds > 0 && seconds <= 600))
    throw new UsageError(`seconds is '${values.seconds}': must be a number up to 600`);
  const scenario = scenarios.find((one) => one.name === name)!;
  const settings: Settings = { seconds, workers: 1, soakSeconds: seconds, smoke: values.smoke ?? false };
  const cases = scenario.cases(settings);
  const wanted = values.case ?? scenario.typical;
  const chosen = cases.find((one) => one.name === wanted) ?? (values.case === undefined ? cases[0] : undefined);
  if (chosen === undefined)
    oneOf(
      'case',
      values.case,
      cases.map((one) => one.name),
    );

  await collector.install();
  const stamp = new Date()
    .toISOString()
    .replace(/\.\d+Z$/, '')
    .replaceAll(/[:-]/g, '');
  const prepared = await collector.prepare(tool, join(root, 'profiles', `${stamp}-${name}-${tool}`));
  let pid = 0;
  // Where a scenario has several nodes, the first is looked into.
  Program.instrument = (file) => {
    if (file !== 'targets/node.js' || pid !== 0) return null;
    pid = -1;
    return {
      ...prepared,
      stop: (child) => {
        pid = child.pid!;
        return collector.stop(child);
      },
    };
  };
  process.stderr.write(`${name}, ${chosen!.name}, for ${seconds} s under ${tool}\n`);
  try {
    await chosen!.targets.node!(() => undefined);
  } finally {
    await stopAll();
  }
  const { htmlPath, workerHtmlPaths, workerProfiles, topPaths } = await prepared.report(pid);
  const { topText } = (await load('top.mjs')) as Top;
  for (const path of topPaths) process.stdout.write(`${topText(path)}\n\n`);
  const shown = (path: string) => relative(process.cwd(), path);
  process.stdout.write(`main thread  ${shown(htmlPath)}\n`);
  for (const path of [...workerHtmlPaths, ...workerProfiles]) process.stdout.write(`worker       ${shown(path)}\n`);
}

try {
  await profile();
} catch (error) {
  const isUsage = error instanceof UsageError || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS');
  process.stderr.write(`profile: ${isUsage ? (error as Error).message : (error as Error).stack}\n`);
  process.exitCode = isUsage ? 2 : 1;
}
