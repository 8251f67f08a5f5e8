/** Gossip: how long a message takes over a line of nodes, and from one peer of a hub to all others. */
import { rates, until, warmUp, withPrograms } from '../measure.js';
import type { Run } from '../result.js';
import type { Scenario, Settings } from '../scenario.js';

const NODES = 5;
const PAYLOAD_BYTES = 256;
const LINE_RATE = 500;
const HUB_RATE = 1000;
const HUB_PEERS = 100;
const relaying = { relay: ['tx'] };

type Start = Parameters<Parameters<typeof withPrograms>[0]>[0];

async function measured(start: Start, ports: readonly [number, number], hops: number, load: object, seconds: number) {
  const [port, farPort] = ports;
  const line = await start('load/line.js', { port, farPort, payloadBytes: PAYLOAD_BYTES, ...load });
  await until(async () => (await line.ask<number>('delivered')) > 0, 'the first message to arrive');
  await warmUp(0.1);
  await line.ask('latencies');
  const run = await rates({ target: line, load: [] }, seconds, { messages: () => line.ask<number>('delivered') });
  const latencyUs = await line.ask<Record<string, number>>('latencies');
  const values = { ...run.values, hop: latencyUs.p50! / hops, p99: latencyUs.p99! };
  return { values, cores: null, loadCores: run.cores, latencyUs };
}

function line(nodes: number, { seconds }: Settings) {
  return (): Promise<Run> =>
    withPrograms(async (start) => {
      const chain = [];
      for (let i = 0; i < nodes; i++) chain.push(await start('targets/node.js', { node: { workers: 1, ...relaying } }));
      for (const [i, node] of chain.entries()) {
        if (i > 0) await node.ask('dial', `127.0.0.1:${chain[i - 1]!.port}`);
      }
      const ports = [chain[0]!.port, chain.at(-1)!.port] as const;
      // In and out of the line are hops, too.
      return measured(start, ports, nodes + 1, { ratePerSecond: LINE_RATE, receivers: 1 }, seconds);
    });
}

function hub(file: string, options: object, receivers: number, { seconds }: Settings) {
  return (): Promise<Run> =>
    withPrograms(async (start) => {
      const { port } = await start(file, options);
      return measured(start, [port, port], 2, { ratePerSecond: HUB_RATE, receivers }, seconds);
    });
}

export const relay: Scenario = {
  name: 'relay',
  title: 'gossip over a line of nodes and through a hub',
  metrics: [
    { key: 'hop', title: 'median latency per hop', unit: 'µs', better: 'less' },
    { key: 'p99', title: '99th percentile of the whole way', unit: 'µs', better: 'less' },
    { key: 'messages', title: 'messages delivered', unit: 'messages/s', better: 'more' },
  ],
  goals: [],
  notes: [
    `${LINE_RATE} messages a second of ${PAYLOAD_BYTES} B go over the line, ${HUB_RATE} into the hub; a latency counts from when a message should have been sent.`,
    '`loop` is one thread that writes what a peer sends to each of the others, and looks for no duplicates.',
  ],
  cases: (settings) => {
    const nodes = settings.smoke ? 2 : NODES;
    const peers = settings.smoke ? 3 : HUB_PEERS;
    const node = { node: { workers: settings.workers, ...relaying } };
    return [
      { name: `a line of ${nodes} nodes`, parameters: { nodes }, targets: { node: line(nodes, settings) } },
      {
        name: `a hub of ${peers}`,
        parameters: { peers },
        targets: {
          node: hub('targets/node.js', node, peers - 1, settings),
          loop: hub('baselines/hub.js', {}, peers - 1, settings),
        },
      },
    ];
  },
};
