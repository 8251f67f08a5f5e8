/** Hours of traffic and of peers that come and go: is anything lost, and does anything grow? */
import { setTimeout as delay } from 'node:timers/promises';
import { atMost } from '../goals.js';
import type { SoakCounts, SoakOptions } from '../load/soak.js';
import { until, withPrograms } from '../measure.js';
import type { Program } from '../program.js';
import { type Course, type Metric, type Run, spreadOf } from '../result.js';
import type { Scenario } from '../scenario.js';
import { type Point, type Trend, trendOf, windowsOf } from '../soak/trend.js';
import type { Vitals } from '../soak/vitals.js';
import { relayAll } from './mixed.js';

/** Pages of a ring are first used as its bytes come round: large rings would take an hour to look like no leak. */
const RING_SIZE = '64KiB';
/** Half a core in all, so that an hour of it can go on beside other work. */
const load = { residents: 25, ratePerSecond: 150, visitsPerSecond: 8, strangersPerSecond: 4 };
const smokeLoad = { residents: 3, ratePerSecond: 100, visitsPerSecond: 8, strangersPerSecond: 4 };
/**
 * On a machine with too much to do the load stands still for seconds, and a node would rightly drop peers that do not read,
 * and pass over those whose queue is full. That is for other tests to see: here both count as faults.
 */
const PATIENCE = {
  writeTimeout: '2m',
  readTimeout: '2m',
  handshakeTimeout: '2m',
  workerTimeout: '2m',
  sendQueue: '64MiB',
};
/** For residents, visitors, and those whose end the node has not seen yet. */
const PLACES = 200;
const ANNOUNCE_MS = 500;
/** The node dials and leaves a peer so often as it is looked at. */
const DIALS_PER_WINDOW = 1;

/** A machine that has too much to do needs long for what it was given last. */
const LEAVING_SECONDS = 60;

/** What a node reaches in its first minutes is not growth. */
const WARM_SHARE = 0.2;
const WINDOWS = 100;
const LOOKS_PER_WINDOW = 5;
const WINDOW_SECONDS_LEAST = 1;
/** The kill comes as often as this, and at least thrice. */
const KILL_SECONDS = 60;
const KILLS_LEAST = 3;

/**
 * Tables that are bounded look like leaks until they are full: reputation keeps 20,000 peers, the history 10,000 entries.
 * A run that is long enough to judge a trend fills them first.
 */
const FILL_FROM_SECONDS = 600;
const FILL_PEERS = 21_000;
const FILL_REFUSALS = 11_000;

const MIB = 1024 * 1024;
const HOURS_PER_DAY = 24;
/**
 * Growth that fails. Some 29,000 peers come in an hour: the smallest object that the heap could keep of each (an entry of a
 * map and what it points to, 64 bytes) were 1.8 MiB, and 64 bytes of each message 33 MiB.
 */
const HEAP_MIB_PER_HOUR = 1;
/** What the allocator keeps moves by some MiB however little is in use; a connection that is kept costs 6 KiB, 170 MiB an hour. */
const RESIDENT_MIB_PER_HOUR = 4;
/** Eight free chunks of 256 KiB, and a line of the cache each, are kept for what is sent next. */
const QUEUED_BYTES = 2.25 * MIB;
/** And buffers of large frames, as many as were in use at once: of a dozen blocks, on a machine that stood still. */
const HELD_BYTES = 16 * MIB;

/** Threads that are so many for so long are all that a node starts by itself. */
const STEADY_MS = 2000;

interface NodeVitals extends Vitals {
  readonly connections: number;
  readonly budgetBytes: number;
  /** Of the budget what waits to be sent or handled, free chunks included. */
  readonly queuedBytes: number;
  readonly restarts: number;
  /** Messages that full send queues passed over. */
  readonly skipped: number;
}

interface Look extends NodeVitals {
  readonly hours: number;
  readonly lagMs: number;
}

/** What a run of the soak may be asked for beside the settings of a bench. */
export interface SoakRun {
  readonly seconds: number;
  readonly workers: number;
  readonly seed: number;
  readonly isSmall?: boolean;
  /** Handlers other than those of the bench, by their path. */
  readonly handlers?: string;
  /** Workers are killed; a test that looks for a leak in them does not want that. */
  readonly kills?: boolean;
}

interface Watch {
  /** With garbage, several in each window. */
  readonly looks: readonly Look[];
  /** Without the main thread's garbage, one at the end of each window. */
  readonly collected: readonly Look[];
}

/** Fills what is bounded and fills slowly. */
async function fill(start: (file: string, options: object) => Promise<Program>, port: number): Promise<void> {
  const joining = await start('load/connector.js', { port, atOnce: 8 });
  await until(async () => (await joining.ask<number>('done')) >= FILL_PEERS, 'known peers', 600);
  await joining.stop();
  const refused = await start('load/refused.js', { port, ratePerSecond: 500, addresses: 100 });
  await until(async () => (await refused.ask<number>('closed')) >= FILL_REFUSALS, 'refusals', 600);
  await refused.stop();
}

async function dialAndPart(target: Program, address: string): Promise<void> {
  await target.ask('part', await target.ask<string>('dial', address));
}

async function watch(
  target: Program,
  peers: Program,
  dialled: Program,
  run: SoakRun,
  progress: (text: string) => void,
) {
  const looks: Look[] = [];
  const collected: Look[] = [];
  const windowSeconds = Math.max(run.seconds / WINDOWS, Math.min(WINDOW_SECONDS_LEAST, run.seconds / 8));
  const killSeconds = Math.min(KILL_SECONDS, run.seconds / (KILLS_LEAST + 1));
  const startMs = performance.now();
  const secondsGone = () => (performance.now() - startMs) / 1000;
  let kills = 0;
  const look = async (isCollected: boolean): Promise<Look> => {
    const hours = secondsGone() / 3600;
    const { max } = await target.ask<{ max: number }>('lag');
    return { ...(await target.ask<NodeVitals>('vitals', isCollected)), hours, lagMs: max };
  };
  for (let window = 1; secondsGone() < run.seconds; window++) {
    for (let i = 1; i <= LOOKS_PER_WINDOW; i++) {
      const dueSeconds = (window - 1 + i / LOOKS_PER_WINDOW) * windowSeconds;
      await delay(Math.max(0, dueSeconds - secondsGone()) * 1000);
      looks.push(await look(false));
    }
    collected.push(await look(true));
    for (let i = 0; i < DIALS_PER_WINDOW; i++) await dialAndPart(target, `127.0.0.1:${dialled.port}`);
    if (run.kills !== false && secondsGone() >= (kills + 1) * killSeconds) {
      kills++;
      await target.ask('killWorker');
    }
    progress(progressText(secondsGone(), collected.at(-1)!, await peers.ask<SoakCounts>('counts')));
  }
  return { looks, collected, kills };
}

function progressText(seconds: number, look: Look, counts: SoakCounts): string {
  const { lost, doubled, strange, damaged, dropped, echoesLost, echoesDoubled, letIn } = counts;
  const mib = (bytes: number) => (bytes / MIB).toFixed(1);
  return [
    `${Math.round(seconds)} s`,
    `resident ${mib(look.anonymousBytes)} MiB, heap ${mib(look.heapUsedBytes)} MiB, budget ${mib(look.budgetBytes)} MiB`,
    `${look.descriptors} descriptors for ${look.connections} connections, ${look.threads} threads`,
    `${counts.sent} sent by peers, ${counts.delivered} delivered to them, ${counts.visits} visits with ${counts.visitors} here now, ${counts.strangers} strangers`,
    `lost ${lost} + ${echoesLost}, doubled ${doubled} + ${echoesDoubled}, strange ${strange}, damaged ${damaged}, skipped ${look.skipped}, dropped ${dropped}, let in ${letIn}`,
    `workers restarted ${look.restarts}, timers late by ${look.lagMs.toFixed(0)} ms`,
  ].join('; ');
}

const figures = {
  resident: {
    title: 'resident memory with no file behind it',
    unit: 'MiB',
    of: (look: Look) => look.anonymousBytes / MIB,
  },
  heap: {
    title: 'heap of the main thread after a collection',
    unit: 'MiB',
    of: (look: Look) => look.heapUsedBytes / MIB,
  },
  buffers: { title: 'array buffers of the main thread', unit: 'MiB', of: (look: Look) => look.arrayBufferBytes / MIB },
  external: { title: 'external memory of the main thread', unit: 'MiB', of: (look: Look) => look.externalBytes / MIB },
  rss: { title: 'resident memory, mapped files included', unit: 'MiB', of: (look: Look) => look.rssBytes / MIB },
  budget: { title: 'memory budget in use', unit: 'MiB', of: (look: Look) => look.budgetBytes / MIB },
  beyond: {
    title: 'descriptors beyond one for each connection',
    unit: 'descriptors',
    of: (look: Look) => look.descriptors - look.connections,
  },
  threads: { title: 'threads', unit: 'threads', of: (look: Look) => look.threads },
  connections: { title: 'connections', unit: 'connections', of: (look: Look) => look.connections },
  lag: { title: 'longest delay of a timer of the main thread', unit: 'ms', of: (look: Look) => look.lagMs },
} as const;

function pointsOf({ looks, collected }: Watch, name: keyof typeof figures): Point[] {
  const { of } = figures[name];
  if (name === 'heap') return collected.map((look) => [look.hours, of(look)] as const);
  return windowsOf(
    looks.map((look) => [look.hours, of(look)] as const),
    LOOKS_PER_WINDOW,
  );
}

function courses(watched: Watch): Course[] {
  return (Object.keys(figures) as (keyof typeof figures)[]).map((name) => {
    const points = pointsOf(watched, name);
    const { title, unit } = figures[name];
    const rounded = (value: number) => Math.round(value * 1000) / 1000;
    return {
      title,
      unit,
      minutes: points.map(([hours]) => rounded(hours * 60)),
      values: points.map(([, y]) => rounded(y)),
    };
  });
}

/** A figure once it is warm. */
function settled(watched: Watch, name: keyof typeof figures): Point[] {
  const points = pointsOf(watched, name);
  return points.slice(Math.floor(points.length * WARM_SHARE));
}

/** What has come on top since it was warm: the last third of the time against the first. */
function grownBytes(watched: Watch, name: keyof typeof figures): number {
  const values = settled(watched, name).map(([, value]) => value);
  const third = Math.ceil(values.length / 3);
  return (spreadOf(values.slice(-third)).median - spreadOf(values.slice(0, third)).median) * MIB;
}

/** Trends once it is warm; nothing of a run in which tables still fill. */
function trends(watched: Watch, { seconds }: SoakRun): Record<string, number> {
  if (seconds < FILL_FROM_SECONDS) return {};
  const [resident, heap, budget] = (['resident', 'heap', 'budget'] as const).map((name) =>
    trendOf(settled(watched, name)),
  ) as [Trend, Trend, Trend];
  const aDay = (mibPerHour: number) => Math.max(0, mibPerHour) * HOURS_PER_DAY * MIB;
  return {
    growth: resident.slope,
    growthLeast: resident.least,
    growthDay: aDay(resident.most),
    heapGrowth: heap.slope,
    heapGrowthLeast: heap.least,
    heapGrowthDay: aDay(heap.most),
    budgetGrowthLeast: budget.least,
  };
}

/** One soak. Started by the bench, and by tests with handlers of their own. */
export function soaked(run: SoakRun) {
  return (progress: (text: string) => void = () => undefined): Promise<Run> =>
    withPrograms(async (start) => {
      const handlers = run.handlers === undefined ? {} : { handlers: [run.handlers] };
      const target = await start('targets/node.js', {
        peers: PLACES,
        node: { workers: run.workers, ringSize: RING_SIZE, logLevel: 'silent', ...PATIENCE, ...relayAll, ...handlers },
      });
      const dialled = await start('load/listener.js');
      if (run.seconds >= FILL_FROM_SECONDS) {
        progress('fills tables that are bounded');
        await fill(start, target.port);
      }
      await dialAndPart(target, `127.0.0.1:${dialled.port}`);
      await isLeft(target, 0);
      await isSettled(target);
      const before = await target.ask<NodeVitals>('vitals', true);
      const options: SoakOptions = { port: target.port, seed: run.seed, ...(run.isSmall ? smokeLoad : load) };
      const peers = await start('load/soak.js', options);
      await target.ask('announce', ANNOUNCE_MS);
      const cpu = async () => [(await target.usage()).cpuUs, (await peers.usage()).cpuUs] as const;
      const [cpuBefore, startMs] = [await cpu(), performance.now()];
      const watched = await watch(target, peers, dialled, run, progress);
      const [cpuAfter, elapsedUs] = [await cpu(), (performance.now() - startMs) * 1000];
      await peers.ask('emptyHouse');
      await isLeft(target, options.residents);
      const counts = await peers.ask<SoakCounts>('finish', await target.ask<number>('announced'));
      await isLeft(target, 0);
      await isClosed(target, before.descriptors);
      const after = await target.ask<NodeVitals>('vitals', true);
      progress(progressText(run.seconds, { ...after, hours: 0, lagMs: 0 }, counts));
      progress(`the node says: ${JSON.stringify(await target.ask('endings'))}`);
      return {
        values: {
          lost: counts.lost + counts.echoesLost,
          doubled: Math.max(0, counts.doubled + counts.echoesDoubled - watched.kills),
          strange: counts.strange,
          damaged: counts.damaged,
          skipped: after.skipped,
          dropped: counts.dropped,
          letIn: counts.letIn,
          grown: grownBytes(watched, 'resident'),
          heapGrown: grownBytes(watched, 'heap'),
          ...trends(watched, run),
          descriptors: after.descriptors - before.descriptors,
          threads: after.threads - before.threads,
          queued: after.queuedBytes - before.queuedBytes,
          held: after.budgetBytes - before.budgetBytes,
          delivered: counts.delivered,
          visits: counts.visits,
          strangers: counts.strangers,
          kills: watched.kills,
        },
        cores: (cpuAfter[0] - cpuBefore[0]) / elapsedUs,
        loadCores: (cpuAfter[1] - cpuBefore[1]) / elapsedUs,
        courses: courses(watched),
      };
    });
}

/** Waits until the node has no more connections than these. */
function isLeft(target: Program, connections: number): Promise<void> {
  const isIt = async () => (await target.ask<NodeVitals>('vitals', false)).connections <= connections;
  return until(isIt, 'peers to go', LEAVING_SECONDS);
}

/** Waits a while for sockets that linger; whatever is open then is found by the figures. */
/** The node keeps a thread in reserve, which it starts a moment after itself: what is counted before must hold it. */
async function isSettled(target: Program): Promise<void> {
  let threads = 0;
  let sinceMs = performance.now();
  const isSteady = async () => {
    const now = (await target.ask<NodeVitals>('vitals', false)).threads;
    if (now !== threads) sinceMs = performance.now();
    threads = now;
    return performance.now() - sinceMs >= STEADY_MS;
  };
  await until(isSteady, 'threads');
}

async function isClosed(target: Program, descriptors: number): Promise<void> {
  const isBack = async () => (await target.ask<NodeVitals>('vitals', false)).descriptors <= descriptors;
  await until(isBack, 'descriptors').catch(() => undefined);
}

const CASE = 'peers come and go';

const metrics: readonly Metric[] = [
  { key: 'lost', title: 'messages lost, or out of order', unit: 'messages', better: 'less' },
  { key: 'doubled', title: 'messages doubled, beyond one for each worker killed', unit: 'messages', better: 'less' },
  { key: 'strange', title: 'messages from nobody', unit: 'messages', better: 'less' },
  { key: 'damaged', title: 'messages damaged', unit: 'messages', better: 'less' },
  { key: 'skipped', title: 'messages that full queues passed over', unit: 'messages', better: 'less' },
  { key: 'dropped', title: 'peers dropped or refused that should not have been', unit: 'peers', better: 'less' },
  { key: 'letIn', title: 'strangers let in', unit: 'peers', better: 'less' },
  { key: 'grown', title: 'resident memory, last third more than first', unit: 'bytes', better: 'less' },
  { key: 'heapGrown', title: 'heap, last third more than first', unit: 'bytes', better: 'less' },
  { key: 'growth', title: 'growth of resident memory', unit: 'MiB/h', better: 'less' },
  { key: 'growthLeast', title: 'growth of resident memory, least by 95 %', unit: 'MiB/h', better: 'less' },
  { key: 'growthDay', title: 'growth of resident memory in a day, most by 95 %', unit: 'bytes', better: 'less' },
  { key: 'heapGrowth', title: 'growth of the heap', unit: 'MiB/h', better: 'less' },
  { key: 'heapGrowthLeast', title: 'growth of the heap, least by 95 %', unit: 'MiB/h', better: 'less' },
  { key: 'heapGrowthDay', title: 'growth of the heap in a day, most by 95 %', unit: 'bytes', better: 'less' },
  {
    key: 'budgetGrowthLeast',
    title: 'growth of the memory budget in use, least by 95 %',
    unit: 'MiB/h',
    better: 'less',
  },
  { key: 'descriptors', title: 'descriptors left open', unit: 'descriptors', better: 'less' },
  { key: 'threads', title: 'threads more than before', unit: 'threads', better: 'less' },
  { key: 'queued', title: 'queues still in use when all have left', unit: 'bytes', better: 'less' },
  { key: 'held', title: 'memory budget still in use when all have left', unit: 'bytes', better: 'less' },
  { key: 'delivered', title: 'messages delivered', unit: 'messages', better: 'more' },
  { key: 'visits', title: 'peers that came and went', unit: 'peers', better: 'more' },
  { key: 'strangers', title: 'strangers turned away', unit: 'peers', better: 'more' },
  { key: 'kills', title: 'workers killed', unit: 'threads', better: 'more' },
];

export const soak: Scenario = {
  name: 'soak',
  title: 'hours of traffic, and of peers that come and go',
  metrics,
  goals: [
    ...['lost', 'doubled', 'strange', 'damaged', 'skipped', 'dropped', 'letIn'].map((metric) =>
      atMost(CASE, metric, 0),
    ),
    atMost(CASE, 'growthLeast', RESIDENT_MIB_PER_HOUR),
    atMost(CASE, 'heapGrowthLeast', HEAP_MIB_PER_HOUR),
    atMost(CASE, 'budgetGrowthLeast', HEAP_MIB_PER_HOUR),
    atMost(CASE, 'descriptors', 0),
    atMost(CASE, 'threads', 0),
    atMost(CASE, 'queued', QUEUED_BYTES),
    atMost(CASE, 'held', HELD_BYTES),
  ],
  notes: [
    `${load.residents} peers stay and send ${load.ratePerSecond} messages a second and a \`block\` of 1 MiB every 2 s, all passed on to all; ${load.visitsPerSecond} a second come, talk and leave (goodbye, half-close, reset, half a frame), a quarter under new IDs; ${load.strangersPerSecond} a second are refused, crawl, or give up. The node broadcasts, dials, and loses a worker once a minute. Every message is numbered and checked by everybody who gets it.`,
    'Growth is the slope of Theil and Sen over medians of windows, without the first fifth, and its interval of 95 % by Kendall, widened for autocorrelation. Only told of runs of ten minutes or more, for which tables that are bounded are filled first. Linux only.',
  ],
  onlyByName: true,
  rounds: 1,
  cases: ({ soakSeconds: seconds, workers, smoke }) => {
    const seed = 1;
    return [
      {
        name: CASE,
        parameters: { seconds, seed, ...load },
        targets: { node: soaked({ seconds, workers, seed, isSmall: smoke }) },
      },
    ];
  },
};
