/** The traffic of a busy chain: what 50 peers send is passed on to all the others. */
import { rates, warmUp, withPrograms } from '../measure.js';
import type { Program } from '../program.js';
import type { Run } from '../result.js';
import type { Scenario, Settings } from '../scenario.js';

export const PEERS = 50;
/** Messages a second that all peers together send. */
const RATES = [1000, 4000] as const;
export const relayAll = { relay: ['tx', 'vote', 'block'] };

/** Watches traffic that is already flowing. */
export async function watchTraffic(target: Program, chain: Program, seconds: number): Promise<Run> {
  await warmUp(0.3);
  await chain.ask('latencies');
  await chain.ask('blockLatencies');
  const counts = () => chain.ask<{ sent: number; delivered: number }>('counts');
  const counters = {
    messages: async () => (await counts()).delivered,
    sent: async () => (await counts()).sent,
  };
  const run = await rates({ target, load: [chain] }, seconds, counters);
  const latencyUs = await chain.ask<Record<string, number>>('latencies');
  const blocks = await chain.ask<Record<string, number>>('blockLatencies');
  const { messages, sent } = run.values as { messages: number; sent: number };
  return {
    ...run,
    values: {
      messages,
      sent,
      median: latencyUs.p50!,
      p99: latencyUs.p99!,
      ...(blocks.count! > 0 && { block: blocks.p50! / 1000 }),
    },
    latencyUs,
  };
}

function traffic(file: string, options: object, peers: number, ratePerSecond: number, seconds: number) {
  return (): Promise<Run> =>
    withPrograms(async (start) => {
      const target = await start(file, options);
      const chain = await start('load/chain.js', { port: target.port, peers, ratePerSecond });
      return watchTraffic(target, chain, seconds);
    });
}

export const mixed: Scenario = {
  name: 'mixed',
  title: `the traffic of a busy chain, passed on between ${PEERS} peers`,
  metrics: [
    { key: 'messages', title: 'messages delivered', unit: 'messages/s', better: 'more' },
    { key: 'sent', title: 'messages sent by peers', unit: 'messages/s', better: 'more' },
    { key: 'median', title: 'median latency', unit: 'µs', better: 'less' },
    { key: 'p99', title: '99th percentile of latency', unit: 'µs', better: 'less' },
    { key: 'block', title: 'median latency of a block', unit: 'ms', better: 'less' },
  ],
  goals: [],
  notes: [
    'About 75 % `tx` of 250 to 500 B, 25 % `vote` of 200 B, and a `block` of 1 MiB every 2 s. A latency counts from when a message should have been sent to when a peer has read it.',
    '`loop` is one thread that writes what a peer sends to each of the others, and looks for no duplicates.',
  ],
  cases: (settings: Settings) => {
    const peers = settings.smoke ? 3 : PEERS;
    // A block comes every 2 s: several have to be seen.
    const seconds = settings.smoke ? settings.seconds : Math.max(6, settings.seconds);
    return (settings.smoke ? [100] : RATES).map((ratePerSecond) => ({
      name: `${ratePerSecond.toLocaleString('en')} messages/s`,
      parameters: { ratePerSecond, peers },
      targets: {
        node: traffic(
          'targets/node.js',
          { node: { workers: settings.workers, ...relayAll } },
          peers,
          ratePerSecond,
          seconds,
        ),
        loop: traffic('baselines/hub.js', {}, peers, ratePerSecond, seconds),
      },
    }));
  },
};
