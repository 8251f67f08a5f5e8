/** What is sent comes back: throughput with messages in flight, latency of a lone one and at a steady rate. */
import { atLeastTimes } from '../goals.js';
import { rates, warmUp, withPrograms } from '../measure.js';
import type { Run } from '../result.js';
import type { Case, Scenario, Settings } from '../scenario.js';

const PAYLOAD_BYTES = 128;
const targets = { node: 'targets/node.js', 'net echo': 'baselines/net-echo.js' } as const;

interface EchoCase {
  readonly name: string;
  readonly connections: number;
  readonly inFlight: number;
  readonly ratePerSecond?: number;
}

const cases: readonly EchoCase[] = [
  { name: '1 connection, 1 in flight', connections: 1, inFlight: 1 },
  { name: '1 connection, 32 in flight', connections: 1, inFlight: 32 },
  { name: '100 connections, 1 in flight', connections: 100, inFlight: 1 },
  { name: '100 connections, 32 in flight', connections: 100, inFlight: 32 },
  { name: '100 connections, 10,000/s', connections: 100, inFlight: 1, ratePerSecond: 10_000 },
];

function echoed(
  file: string,
  options: object,
  load: Omit<EchoCase, 'name'>,
  { seconds }: Settings,
): () => Promise<Run> {
  return () =>
    withPrograms(async (start) => {
      const target = await start(file, options);
      const echo = await start('load/echo.js', { port: target.port, payloadBytes: PAYLOAD_BYTES, ...load });
      // What was measured while everything warmed up is thrown away with the first reading.
      await warmUp(0.1);
      await echo.ask('latencies');
      const run = await rates({ target, load: [echo] }, seconds, { messages: () => echo.ask<number>('answers') });
      const latencyUs = await echo.ask<Record<string, number>>('latencies');
      return { ...run, values: { ...run.values, median: latencyUs.p50!, p99: latencyUs.p99! }, latencyUs };
    });
}

function echoCase({ name, ...load }: EchoCase, settings: Settings): Case {
  const { connections, inFlight } = load;
  return {
    name,
    parameters: { connections, inFlight },
    targets: {
      node: echoed(targets.node, { node: { workers: settings.workers } }, load, settings),
      'net echo': echoed(targets['net echo'], {}, load, settings),
    },
  };
}

export const echo: Scenario = {
  name: 'echo',
  title: 'messages that come back, 128 B',
  metrics: [
    { key: 'messages', title: 'messages back', unit: 'messages/s', better: 'more' },
    { key: 'median', title: 'median latency', unit: 'µs', better: 'less' },
    { key: 'p99', title: '99th percentile of latency', unit: 'µs', better: 'less' },
  ],
  goals: [
    atLeastTimes('100 connections, 32 in flight', 'messages', 1, 'net echo'),
    atLeastTimes('100 connections, 1 in flight', 'messages', 0.95, 'net echo'),
    {
      case: '1 connection, 1 in flight',
      metric: 'median',
      against: { target: 'net echo' },
      compare: 'ratio',
      bound: 'at most',
      value: 3,
    },
  ],
  notes: [
    '`net echo` writes back what it reads, without a look at it. The node frames, validates and dispatches, and its handler replies.',
    'At a steady rate a latency counts from when the message should have been sent; with a number in flight, from the answer that made room for it.',
  ],
  typical: '100 connections, 32 in flight',
  cases: (settings) =>
    (settings.smoke ? [{ name: 'smoke', connections: 2, inFlight: 4 }] : cases).map((one) => echoCase(one, settings)),
};
