/**
 * Runs a Node program under one of clinic's tools, threads included, and makes the reports. Plain JavaScript, because
 * clinic has no types and packages of its own, which are only installed on demand.
 *
 * Clinic's collectors, analyses and reports are used as they are, but its `collect()` starts nothing here: it gives the
 * program no IPC channel, takes worker threads for the main thread (doctor, bubbleprof), or hangs with them, and 0x may
 * pick the V8 log of any thread. So the program is started with the flags that clinic would give, `preload.cjs` keeps
 * the collectors to the main thread, and what other threads left in the files is sorted out before the analysis. No
 * command of clinic is run, so nothing of it asks, opens a browser or reports usage.
 *
 * A program is ended with SIGINT: it needs no handler of its own, and its `exit` listeners run. What ends it some other
 * way loses the last samples (doctor, bubbleprof); SIGKILL loses all of them.
 */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { appendFile, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const require = createRequire(import.meta.url);
const folder = fileURLToPath(new URL('.', import.meta.url));
const root = fileURLToPath(new URL('../..', import.meta.url));
const PRELOAD = join(folder, 'preload.cjs');
/** How V8's log has it, whatever it escapes in the rest of the path. */
const PRELOAD_MARK = 'profile/preload.cjs';
const STOP_MS_MAX = 30_000;
/** As clinic has it; Node's own default is too coarse for a run of seconds. */
const HEAP_INTERVAL_BYTES = 32_768;
/** The reports would load fonts from here when they are opened. */
const FONTS_URL = 'https://clinicjs.org/assets/css/fonts.css';

/** Installs clinic beside this file, unless it is there as the lock file has it. */
export async function install() {
  const at = (file) =>
    stat(join(folder, file)).then(
      ({ mtimeMs }) => mtimeMs,
      () => 0,
    );
  if ((await at('node_modules/.package-lock.json')) >= (await at('package-lock.json'))) return;
  execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: folder, stdio: ['ignore', 2, 2] });
}

/** Renames profiles, which Node calls CPU.date.time.pid.thread.sequence.cpuprofile, after their threads. */
async function profilesOf(dir, extension) {
  const threads = [];
  for (const file of await readdir(dir)) {
    const thread = new RegExp(`^(?:CPU|Heap)\\.\\d+\\.\\d+\\.\\d+\\.(\\d+)\\.\\d+\\.${extension}$`).exec(file)?.[1];
    if (thread !== undefined) threads.push({ thread: Number(thread), file });
  }
  threads.sort((a, b) => a.thread - b.thread);
  const paths = [];
  for (const { thread, file } of threads) {
    const path = join(dir, `${thread === 0 ? 'main' : `worker-${thread}`}.${extension}`);
    await rename(join(dir, file), path);
    paths.push(path);
  }
  return paths;
}

/** Joins the trace files of a run, and leaves out what other threads than the main thread did. */
async function traceOfMainThread(dir, to) {
  const parse = require('@clinic/trace-events-parser');
  const files = (await readdir(dir)).filter((file) => /^node_trace\.\d+\.log$/.test(file));
  const number = (file) => Number(file.split('.')[1]);
  files.sort((a, b) => number(a) - number(b));
  let mainThread;
  let separator = '';
  async function* ofMainThread(events) {
    for await (const event of events) {
      if (event.cat === '__metadata') continue;
      // No other thread is there before it.
      mainThread ??= event.tid;
      if (event.tid !== mainThread) continue;
      yield separator + JSON.stringify(event);
      separator = ',\n';
    }
  }
  await writeFile(to, '{"traceEvents":[\n');
  for (const file of files) {
    await pipeline(createReadStream(join(dir, file)), parse(), ofMainThread, createWriteStream(to, { flags: 'a' }));
    await rm(join(dir, file));
  }
  await appendFile(to, '\n]}\n');
}

/** Clinic Flame's input from V8's log of the main thread, as 0x makes it. */
async function flameOfMainThread(dir, pid, data) {
  const toTicks = require('0x/lib/v8-log-to-ticks');
  const isLog = (file) => file.endsWith(`-${pid}-v8.log`);
  for (const log of (await readdir(dir)).filter(isLog)) {
    // Every thread has a log of its own, and the names tell nothing. Only the main thread has loaded the preload.
    if (!(await readFile(join(dir, log), 'latin1')).includes(PRELOAD_MARK)) continue;
    await writeFlameData(data, await toTicks(join(dir, log), { pathToNodeBinary: process.execPath, collectDelay: 0 }));
    // What 0x has made of it lies beside it.
    for (const file of await readdir(dir)) if (file.startsWith('isolate-')) await rm(join(dir, file));
    return;
  }
  throw new Error(`no V8 log of process ${pid} in ${dir}`);
}

/** Clinic Flame's input from a CPU profile of Node. */
async function flameOfProfile(path, data) {
  const { nodes, samples } = JSON.parse(await readFile(path, 'utf8'));
  const stacks = new Map();
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])));
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const stackOf = (id) => {
    let stack = stacks.get(id);
    if (stack !== undefined) return stack;
    const { functionName, url, lineNumber, columnNumber } = byId.get(id).callFrame;
    const parent = parents.get(id);
    if (parent === undefined) stack = [];
    else if (url === '') stack = [...stackOf(parent), { name: functionName, type: 'CPP' }];
    else {
      const name = `${functionName || '(anonymous)'} ${url}:${lineNumber + 1}:${columnNumber + 1}`;
      stack = [...stackOf(parent), { name, type: 'JS', kind: '' }];
    }
    stacks.set(id, stack);
    return stack;
  };
  const isBusy = (id) => byId.get(id).callFrame.functionName !== '(idle)';
  await writeFlameData(data, samples.filter(isBusy).map(stackOf));
}

async function writeFlameData(data, ticks) {
  await mkdir(data, { recursive: true });
  const at = (name) => join(data, `${basename(data)}-${name}`);
  const { version } = require('@clinic/flame/package.json');
  const info = { mainDirectory: root, pathSeparator: sep, nodeVersions: process.versions, toolVersion: version };
  await writeFile(at('systeminfo'), JSON.stringify(info));
  await writeFile(at('inlinedfunctions'), '{}');
  await writeFile(at('samples'), JSON.stringify(ticks));
}

const v8Trace = (dir, categories) => [
  '--trace-events-enabled',
  `--trace-event-categories=${categories}`,
  `--trace-event-file-pattern=${join(dir, `node_trace.\${rotation}.log`)}`,
];

/**
 * For each tool: its package, the flags and the variables of the program, and what makes clinic's input of what the run
 * left. `inputs` answers with clinic's input for each thread that is reported, the main thread's first.
 */
const tools = {
  doctor: {
    package: '@clinic/doctor',
    flags: (dir) => v8Trace(dir, 'v8'),
    env: (dir) => ({
      NODE_CLINIC_DOCTOR_DATA_PATH: dir,
      NODE_CLINIC_DOCTOR_NAME: 'main',
      NODE_CLINIC_DOCTOR_SAMPLE_INTERVAL: '10',
      NODE_CLINIC_DOCTOR_TIMEOUT_DELAY: '0',
      NODE_CLINIC_DOCTOR_COLLECT_LOOP_UTILIZATION: 'true',
    }),
    async inputs(dir) {
      const data = join(dir, 'main.clinic-doctor');
      await traceOfMainThread(dir, join(data, 'main.clinic-doctor-traceevent'));
      return [data];
    },
  },
  bubbleprof: {
    package: '@clinic/bubbleprof',
    flags: (dir) => v8Trace(dir, 'node.async_hooks'),
    env: (dir) => ({ NODE_CLINIC_BUBBLEPROF_DATA_PATH: dir, NODE_CLINIC_BUBBLEPROF_NAME: 'main' }),
    async inputs(dir) {
      const data = join(dir, 'main.clinic-bubbleprof');
      await traceOfMainThread(dir, join(data, 'main.clinic-bubbleprof-traceevent'));
      return [data];
    },
  },
  flame: {
    package: '@clinic/flame',
    flags: (dir) => ['--prof', `--logfile=${join(dir, '%p-v8.log')}`],
    env: () => ({}),
    extension: 'cpuprofile',
    async inputs(dir, pid, profiles) {
      const inputs = [join(dir, 'main.clinic-flame')];
      await flameOfMainThread(dir, pid, inputs[0]);
      for (const profile of profiles) {
        const data = profile.replace(/\.cpuprofile$/, '.clinic-flame');
        await flameOfProfile(profile, data);
        inputs.push(data);
      }
      return inputs;
    },
  },
  heapprofiler: {
    package: '@clinic/heap-profiler',
    flags: (dir) => ['--heap-prof', `--heap-prof-dir=${dir}`, `--heap-prof-interval=${HEAP_INTERVAL_BYTES}`],
    env: () => ({}),
    extension: 'heapprofile',
    inputs: async (_dir, _pid, profiles) => profiles,
  },
};

export const TOOLS = Object.keys(tools);

async function writeReport(tool, input, html, seconds) {
  const Tool = require(tools[tool].package);
  const clinic = new Tool({});
  // Flame shows it; its own `collect()` would have set it.
  clinic.elapsedTime = Math.round(seconds);
  clinic.on('warning', (warning) => process.stderr.write(`profile: ${warning}\n`));
  await promisify(clinic.visualize.bind(clinic))(input, html);
  await writeFile(html, (await readFile(html, 'utf8')).replaceAll(FONTS_URL, 'data:text/css,'));
}

/**
 * What a program has to be started with to be seen by a tool, for a caller that starts it itself.
 * @param tool one of TOOLS
 * @param out a folder for this run alone; made if it is not there
 * @returns `execArgv` and `env` for the program, and `report(pid)`, which is called once it has ended and answers with
 * `Reports` (`collect.d.mts`)
 */
export async function prepare(tool, out) {
  const { flags, env, extension, inputs } = tools[tool];
  const dir = resolve(out);
  await mkdir(dir, { recursive: true });
  const startMs = performance.now();
  return {
    execArgv: ['--require', PRELOAD, ...flags(dir)],
    env: { ...env(dir), PAW_PROFILE_TOOL: tool, PAW_PROFILE_DIR: dir },
    async report(pid) {
      const seconds = (performance.now() - startMs) / 1000;
      const profiles = extension === undefined ? [] : await profilesOf(dir, extension);
      const data = await inputs(dir, pid, profiles);
      const reports = [];
      for (const input of data) {
        const html = join(dirname(input), `${tool}-${basename(input).split('.')[0]}.html`);
        await writeReport(tool, input, html, seconds);
        reports.push(html);
      }
      return {
        htmlPath: reports[0],
        dataPath: data[0],
        workerHtmlPaths: reports.slice(1),
        workerProfiles: profiles.filter((path) => basename(path).startsWith('worker-')),
        topPaths: tool === 'flame' ? [join(data[0], 'main.clinic-flame-samples'), ...profiles] : [],
      };
    },
  };
}

/** Ends a program that `prepare` has had a hand in, and waits until it has written all that it saw. */
export async function stop(child) {
  if (child.exitCode === null && child.signalCode === null) {
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
    const gone = once(child, 'exit');
    child.kill('SIGINT');
    await gone;
    clearTimeout(timer);
  }
  if (child.exitCode !== 0) throw new Error(`the profiled program ended with ${child.signalCode ?? child.exitCode}`);
}
