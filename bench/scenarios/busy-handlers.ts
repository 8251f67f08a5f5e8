/** All workers burn CPU in handlers: does the main thread still do its work? */
import { atMost } from '../goals.js';
import { rates, until, warmUp, withPrograms } from '../measure.js';
import type { Run } from '../result.js';
import type { Scenario, Settings } from '../scenario.js';

/** New peers a second that are timed. */
const JOINS_PER_SECOND = 20;

interface Lag {
  readonly p99: number;
}

function burning(connections: number, { seconds, workers }: Settings) {
  return (): Promise<Run> =>
    withPrograms(async (start) => {
      const target = await start('targets/node.js', { node: { workers } });
      const flood = await start('load/flood.js', { port: target.port, connections, type: 'burn', payloadBytes: 16 });
      await until(async () => (await target.ask<number>('received', 'burn')) > 0, 'the first handler');
      const joins = await start('load/connector.js', { port: target.port, ratePerSecond: JOINS_PER_SECOND });
      await warmUp(0.1);
      await Promise.all([target.ask('lag'), joins.ask('latencies')]);
      const run = await rates({ target, load: [flood, joins] }, seconds, {
        burnt: () => target.ask<number>('received', 'burn'),
      });
      const { p99 } = await target.ask<Lag>('lag');
      const latencyUs = await joins.ask<Record<string, number>>('latencies');
      return { ...run, values: { lag: p99, handshake: latencyUs.p99! / 1000 }, latencyUs };
    });
}

export const busyHandlers: Scenario = {
  name: 'busy-handlers',
  title: 'handlers that burn 50 ms each on all workers',
  metrics: [
    { key: 'lag', title: 'lag of the main loop, 99th percentile', unit: 'ms', better: 'less' },
    { key: 'handshake', title: 'handshake of a new peer, 99th percentile', unit: 'ms', better: 'less' },
  ],
  goals: [atMost('all workers busy', 'lag', 10), atMost('all workers busy', 'handshake', 50)],
  notes: [
    'A handshake is timed from when the peer should have connected. The latencies shown are those of handshakes.',
  ],
  cases: (settings) => [
    {
      name: 'all workers busy',
      parameters: {},
      targets: { node: burning(settings.smoke ? 2 : 16, { ...settings, seconds: Math.max(settings.seconds, 1) }) },
    },
  ],
};
