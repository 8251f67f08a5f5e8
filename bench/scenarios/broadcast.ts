/** One message to many peers. */
import { frameBytes } from '../../src/shared/wire/frame.js';
import { atLeastTimes } from '../goals.js';
import { rates, warmUp, withPrograms } from '../measure.js';
import type { Run } from '../result.js';
import type { Scenario, Settings } from '../scenario.js';
import { payloadName } from './ingest.js';

function broadcasting(file: string, options: object, payloadBytes: number, peers: number, { seconds }: Settings) {
  return (): Promise<Run> =>
    withPrograms(async (start) => {
      const target = await start(file, options);
      const load = await start('load/receivers.js', { port: target.port, connections: peers });
      await target.ask('broadcast', { type: 'tx', payloadBytes });
      const bytes = frameBytes('tx'.length, payloadBytes);
      await warmUp();
      return rates({ target, load: [load] }, seconds, {
        messages: async () => (await load.ask<number>('bytes')) / bytes,
      });
    });
}

const sizes = [128, 1024, 64 * 1024];

export const broadcast: Scenario = {
  name: 'broadcast',
  title: 'one message to many peers',
  metrics: [{ key: 'messages', title: 'messages delivered', unit: 'messages/s', better: 'more' }],
  goals: [atLeastTimes('1 KiB to 100', 'messages', 2, 'loop')],
  notes: ['`loop` writes each message to each socket, and waits for sockets that are full.'],
  typical: '1 KiB to 100',
  cases: (settings) =>
    (settings.smoke ? [2] : [10, 100]).flatMap((peers) =>
      (settings.smoke ? [128] : sizes).map((payloadBytes) => ({
        name: `${payloadName(payloadBytes)} to ${peers}`,
        parameters: { payloadBytes, peers },
        targets: {
          node: broadcasting('targets/node.js', { node: { workers: settings.workers } }, payloadBytes, peers, settings),
          loop: broadcasting('baselines/hub.js', {}, payloadBytes, peers, settings),
        },
      })),
    ),
};
