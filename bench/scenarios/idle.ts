/** What a connection costs in memory that does nothing. */
import { setTimeout as delay } from 'node:timers/promises';
import { until, withPrograms } from '../measure.js';
import type { Run } from '../result.js';
import type { Scenario } from '../scenario.js';

/** Time for garbage of the handshakes to go. */
const SETTLE_MS = 3000;
const counts = [100, 1000, 10_000];

function held(file: string, options: object, connections: number, settleMs: number) {
  return (): Promise<Run> =>
    withPrograms(async (start) => {
      const target = await start(file, options);
      const load = await start('load/idle.js', { port: target.port });
      // The first tenth brings in code and pools that no further one needs.
      const first = Math.ceil(connections / 10);
      await load.ask('hold', first);
      await until(async () => (await target.ask<number>('peers')) === first, `${first} peers`);
      await delay(settleMs);
      const before = await target.ask<number>('rssAfterCollection');
      await load.ask('hold', connections);
      await until(async () => (await target.ask<number>('peers')) === connections, `${connections} peers`);
      await delay(settleMs);
      const after = await target.ask<number>('rssAfterCollection');
      return { values: { bytes: (after - before) / (connections - first) }, cores: null, loadCores: null };
    });
}

export const idle: Scenario = {
  name: 'idle',
  title: 'memory of connections that keep still',
  metrics: [{ key: 'bytes', title: 'resident memory per connection', unit: 'bytes', better: 'less' }],
  goals: [
    {
      case: '10,000 connections',
      metric: 'bytes',
      against: { target: 'bare sockets' },
      compare: 'difference',
      bound: 'at most',
      value: 8 * 1024,
    },
  ],
  notes: ['Rings in their smallest configuration, 4 KiB. Measured after a garbage collection, beyond the first tenth.'],
  rounds: 3,
  cases: ({ smoke, workers }) =>
    (smoke ? [20] : counts).map((connections) => ({
      name: `${connections.toLocaleString('en')} connections`,
      parameters: { connections },
      targets: {
        node: held(
          'targets/node.js',
          { peers: 10_000, node: { ringSize: '4KiB', workers } },
          connections,
          smoke ? 100 : SETTLE_MS,
        ),
        'bare sockets': held('baselines/holder.js', {}, connections, smoke ? 100 : SETTLE_MS),
      },
    })),
};
