/** A worker is killed under load: how long until its peers are served again, and is anything lost? */
import { setTimeout as delay } from 'node:timers/promises';
import { atMost } from '../goals.js';
import { until, withPrograms } from '../measure.js';
import type { Run } from '../result.js';
import type { Scenario, Settings } from '../scenario.js';

const PAYLOAD_BYTES = 1024;

function killed(connections: number, { seconds }: Settings) {
  return (): Promise<Run> =>
    withPrograms(async (start) => {
      const target = await start('targets/node.js', { node: { workers: 1, logLevel: 'silent' } });
      const flood = await start('load/flood.js', {
        port: target.port,
        connections,
        type: 'tx',
        payloadBytes: PAYLOAD_BYTES,
      });
      const received = () => target.ask<number>('received', 'tx');
      await until(async () => (await received()) > 10_000, 'load');
      const recovery = await target.ask<number>('killWorkerAndWatch', 'tx');
      await delay(seconds * 1000);
      const sent = await flood.ask<number>('finish');
      // What was sent is still on its way; nothing comes after that.
      let last = -1;
      for (let now = await received(); now !== last && now < sent; now = await received()) {
        last = now;
        await delay(500);
      }
      return { values: { recovery, lost: sent - (await received()) }, cores: null, loadCores: null };
    });
}

export const crash: Scenario = {
  name: 'crash',
  title: 'a worker killed under load',
  metrics: [
    { key: 'recovery', title: 'time until messages are handled again', unit: 'ms', better: 'less' },
    { key: 'lost', title: 'messages lost', unit: 'messages', better: 'less' },
  ],
  goals: [atMost('a worker killed', 'recovery', 250), atMost('a worker killed', 'lost', 0)],
  notes: [
    'The only worker of the node is terminated while 16 connections send 1 KiB messages as fast as they are taken.',
  ],
  cases: (settings) => [
    { name: 'a worker killed', parameters: {}, targets: { node: killed(settings.smoke ? 2 : 16, settings) } },
  ],
};
