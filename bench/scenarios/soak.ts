/** Hours of traffic and of peers that come and go: does memory or the number of descriptors grow? */
import { readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { withPrograms } from '../measure.js';
import type { Run } from '../result.js';
import type { Scenario, Settings } from '../scenario.js';
import { PEERS, relayAll } from './mixed.js';

/** Pages of a ring are first used as its bytes come round: large rings would take an hour to look like no leak. */
const RING_SIZE = '64KiB';
const RATE = 500;
const JOINS_PER_SECOND = 20;
/** What a node reaches in its first minutes is not growth. */
const WARM_SHARE = 0.2;
const SAMPLES = 200;

interface Sample {
  readonly hours: number;
  readonly mib: number;
  readonly descriptors: number;
}

function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** The slope of a line through points, by least squares. */
function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (at: 0 | 1) => points.reduce((sum, point) => sum + point[at], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  const above = points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0);
  return above / points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0);
}

function soaked({ soakSeconds, workers, smoke }: Settings) {
  return (): Promise<Run> =>
    withPrograms(async (start) => {
      const target = await start('targets/node.js', { node: { workers, ringSize: RING_SIZE, ...relayAll } });
      await start('load/chain.js', { port: target.port, peers: smoke ? 3 : PEERS, ratePerSecond: RATE });
      await start('load/connector.js', { port: target.port, ratePerSecond: JOINS_PER_SECOND });
      const samples: Sample[] = [];
      const startMs = performance.now();
      const everyMs = (soakSeconds * 1000) / SAMPLES;
      while (samples.length < SAMPLES) {
        await delay(everyMs);
        const { rssBytes } = await target.usage();
        const hours = (performance.now() - startMs) / 3_600_000;
        samples.push({ hours, mib: rssBytes / 1024 / 1024, descriptors: descriptorsOf(target.pid) });
      }
      const settled = samples.slice(Math.floor(SAMPLES * WARM_SHARE));
      const values = {
        growth: slope(settled.map(({ hours, mib }) => [hours, mib] as const)),
        descriptors: settled.at(-1)!.descriptors - settled[0]!.descriptors,
      };
      return { values, cores: null, loadCores: null };
    });
}

export const soak: Scenario = {
  name: 'soak',
  title: 'hours of traffic, and of peers that come and go',
  metrics: [
    { key: 'growth', title: 'growth of resident memory', unit: 'MiB/h', better: 'less' },
    { key: 'descriptors', title: 'growth of open descriptors', unit: 'descriptors', better: 'less' },
  ],
  goals: [],
  notes: [
    `${RATE} messages a second between ${PEERS} peers, and ${JOINS_PER_SECOND} peers a second that come and go. The first fifth of the time does not count. Linux only.`,
  ],
  onlyByName: true,
  rounds: 1,
  cases: (settings) => [
    {
      name: `${Math.round(settings.soakSeconds / 60)} minutes`,
      parameters: { seconds: settings.soakSeconds },
      targets: { node: soaked(settings) },
    },
  ],
};
