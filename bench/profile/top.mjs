/** Prints where CPU profiles of Node spent their time: the functions with the most of their own, for each thread. */
import { readFileSync } from 'node:fs';
import { basename, isAbsolute, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROWS = 15;
/** Not a function: the thread waited outside of JavaScript. */
const IDLE = '(idle)';

/** V8 takes a tick each millisecond. */
const TICK_US = 1000;

function placeOf(url, line) {
  if (url === '') return '';
  const path = url.startsWith('file:') ? fileURLToPath(url) : url;
  return `${isAbsolute(path) ? relative(process.cwd(), path) : path}:${line}`;
}

/** [name, place, microseconds, is idle] of each sample of a profile of Node. */
function* samplesOfProfile({ nodes, samples, timeDeltas }) {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  for (const [i, id] of samples.entries()) {
    const frame = frames.get(id);
    // The time until the next sample belongs to this one.
    const us = Math.max(0, timeDeltas[i + 1] ?? 0);
    yield [frame.functionName, placeOf(frame.url, frame.lineNumber + 1), us, frame.functionName === IDLE];
  }
}

/** [name, place] of a frame of JavaScript, null of any other. */
function jsFrame({ name, type }) {
  const match = type === 'JS' ? /^(.*?) ?(\S+):(\d+):\d+$/.exec(name) : null;
  return match === null ? null : [match[1], placeOf(match[2], match[3])];
}

/**
 * The same of what 0x made of V8's log. Native functions are named, with the JavaScript that called them. There are no
 * times, and nothing tells waiting from work.
 */
function* samplesOfTicks(ticks) {
  for (const stack of ticks) {
    const top = stack.at(-1) ?? { name: '(program)' };
    const js = jsFrame(top);
    if (js !== null) yield [...js, TICK_US, false];
    else yield [top.name, stack.map(jsFrame).findLast((frame) => frame !== null)?.[1] ?? '', TICK_US, false];
  }
}

/** The functions by their own time, in percent of the time that the thread was busy. @param profile as parsed */
export function topOf(profile, rows = ROWS) {
  const byFunction = new Map();
  let busyUs = 0;
  let idleUs = 0;
  for (const [name, place, us, isIdle] of Array.isArray(profile)
    ? samplesOfTicks(profile)
    : samplesOfProfile(profile)) {
    if (isIdle) {
      idleUs += us;
      continue;
    }
    busyUs += us;
    const key = `${name} ${place}`;
    const entry = byFunction.get(key) ?? { name: name || '(anonymous)', place, us: 0 };
    entry.us += us;
    byFunction.set(key, entry);
  }
  const functions = [...byFunction.values()].sort((a, b) => b.us - a.us).slice(0, rows);
  return {
    busyMs: busyUs / 1000,
    idleMs: idleUs / 1000,
    functions: functions.map(({ name, place, us }) => ({ name, place, percent: (100 * us) / (busyUs || 1) })),
  };
}

/** The same as lines of text, titled with the thread's name. @param path of a .cpuprofile, or of Clinic Flame's samples */
export function topText(path, rows = ROWS) {
  const { busyMs, idleMs, functions } = topOf(JSON.parse(readFileSync(path, 'utf8')), rows);
  const width = Math.max(0, ...functions.map(({ name }) => name.length));
  const thread = basename(path).split('.')[0];
  return [
    `${thread}: busy ${(busyMs / 1000).toFixed(2)} s, idle ${(idleMs / 1000).toFixed(2)} s`,
    ...functions.map(({ name, place, percent }) =>
      `  ${percent.toFixed(1).padStart(5)} %  ${name.padEnd(width)}  ${place}`.trimEnd(),
    ),
  ].join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const paths = process.argv.slice(2);
  if (paths.length === 0) {
    process.stderr.write('usage: node bench/profile/top.mjs FILE.cpuprofile...\n');
    process.exitCode = 2;
  } else process.stdout.write(`${paths.map((path) => topText(path)).join('\n\n')}\n`);
}
