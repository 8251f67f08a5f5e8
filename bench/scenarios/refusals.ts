/** What the log costs a node that refuses a thousand connections a second. */
import { atMostAbove } from '../goals.js';
import { rates, until, warmUp, withPrograms } from '../measure.js';
import type { Run } from '../result.js';
import type { Scenario, Settings } from '../scenario.js';

const RATE = 1000;
const MANY = 1000;
/** Of a second: 5 % of a core. */
const LOG_MS_MAX = 50;
/** The node is measured so much longer than elsewhere: what is looked for is smaller than the noise of a second. */
const SECONDS_FACTOR = 3;

function refusing(log: 'info' | 'silent', addresses: number, { workers, seconds, smoke }: Settings) {
  return (): Promise<Run> =>
    withPrograms(async (start) => {
      const target = await start('targets/node.js', { log, node: { workers } });
      const ratePerSecond = smoke ? 100 : RATE;
      const load = await start('load/refused.js', { port: target.port, ratePerSecond, addresses });
      const refused = () => target.ask<number>('refused');
      await until(async () => (await refused()) > 0, 'the first refusal');
      await warmUp(smoke ? 0 : 2);
      const run = await rates({ target, load: [load] }, seconds * SECONDS_FACTOR, { refused });
      // By refusal, not by second: on a busy machine the load may fall short of its rate.
      return { ...run, values: { ...run.values, cpu: (run.cores! * 1e6) / run.values.refused! } };
    });
}

export const refusals: Scenario = {
  name: 'refusals',
  title: 'a thousand refused connections a second, with a log and without',
  metrics: [
    { key: 'cpu', title: `processor time of the node for ${RATE} refusals`, unit: 'ms', better: 'less' },
    { key: 'refused', title: 'connections refused', unit: 'connections/s', better: 'more' },
  ],
  goals: [
    atMostAbove('one address', 'cpu', LOG_MS_MAX, 'silent'),
    atMostAbove(`${MANY} addresses`, 'cpu', LOG_MS_MAX, 'silent'),
  ],
  notes: ['`node` logs at info into a file, `silent` logs nothing. The difference is what the log costs.'],
  cases: (settings) =>
    [1, MANY].map((addresses) => ({
      name: addresses === 1 ? 'one address' : `${addresses} addresses`,
      parameters: { addresses },
      targets: { node: refusing('info', addresses, settings), silent: refusing('silent', addresses, settings) },
    })),
};
