/** A worker is killed under load: how long until its peers are served again, and how much goes uncounted? */
import { setTimeout as delay } from 'node:timers/promises';
import { atMost } from '../goals.js';
import { until, withPrograms } from '../measure.js';
import type { Run } from '../result.js';
import type { Scenario, Settings } from '../scenario.js';

const PAYLOAD_BYTES = 1024;
/** What one visit of a connection may handle, and count only at its end: 256 KiB. */
const VISIT_MESSAGES = 256;

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
      return { values: { recovery, uncounted: sent - (await received()) }, cores: null, loadCores: null };
    });
}

export const crash: Scenario = {
  name: 'crash',
  title: 'a worker killed under load',
  metrics: [
    { key: 'recovery', title: 'time until messages are handled again', unit: 'ms', better: 'less' },
    { key: 'uncounted', title: 'messages that the node did not count', unit: 'messages', better: 'less' },
  ],
  goals: [atMost('a worker killed', 'recovery', 250), atMost('a worker killed', 'uncounted', VISIT_MESSAGES)],
  notes: [
    'The only worker of the node is terminated while 16 connections send 1 KiB messages as fast as they are taken.',
    'What the visit under way had handled by then is not counted. That no message is lost is shown by their numbers in test/integration/kills.test.ts.',
  ],
  cases: (settings) => [
    { name: 'a worker killed', parameters: {}, targets: { node: killed(settings.smoke ? 2 : 16, settings) } },
  ],
};
