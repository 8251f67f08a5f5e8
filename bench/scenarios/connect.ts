/** How fast peers come and go: accept, handshake, close; and the other way round. */
import { atLeastTimes } from '../goals.js';
import { rates, until, warmUp, withPrograms } from '../measure.js';
import type { Run } from '../result.js';
import type { Scenario, Settings } from '../scenario.js';

const AT_ONCE = 32;

function accepting(file: string, options: object, { seconds }: Settings) {
  return (): Promise<Run> =>
    withPrograms(async (start) => {
      const target = await start(file, options);
      const load = await start('load/connector.js', { port: target.port, atOnce: AT_ONCE });
      await warmUp();
      const run = await rates({ target, load: [load] }, seconds, { connections: () => load.ask<number>('done') });
      const failed = await load.ask<number>('failed');
      if (failed > 0) throw new Error(`${file}: ${failed} connections failed`);
      return { ...run, latencyUs: await load.ask<Record<string, number>>('latencies') };
    });
}

function dialling(file: string, options: object, { seconds }: Settings) {
  return (): Promise<Run> =>
    withPrograms(async (start) => {
      const target = await start(file, options);
      const load = await start('load/listener.js');
      const dialled = target.ask('dialAll', { port: load.port, atOnce: AT_ONCE / 2, seconds: seconds + 2 });
      await until(async () => (await load.ask<number>('exchanges')) > 0, 'the first dial');
      await warmUp();
      const run = await rates({ target, load: [load] }, seconds, { connections: () => load.ask<number>('exchanges') });
      await dialled;
      return run;
    });
}

export const connect: Scenario = {
  name: 'connect',
  title: 'peers that come and go',
  metrics: [{ key: 'connections', title: 'connections made and closed', unit: 'connections/s', better: 'more' }],
  goals: [atLeastTimes('accept, handshake, close', 'connections', 0.85, 'exchange')],
  notes: ['`exchange` accepts or dials and exchanges 65 bytes; it checks nothing and remembers nobody.'],
  cases: (settings) => {
    const node = { node: { workers: settings.workers } };
    return [
      {
        name: 'accept, handshake, close',
        parameters: {},
        targets: {
          node: accepting('targets/node.js', node, settings),
          exchange: accepting('baselines/exchange.js', {}, settings),
        },
      },
      {
        name: 'dial, handshake, close',
        parameters: {},
        targets: {
          node: dialling('targets/node.js', node, settings),
          exchange: dialling('baselines/exchange.js', {}, settings),
        },
      },
    ];
  },
};
