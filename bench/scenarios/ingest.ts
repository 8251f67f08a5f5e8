/** Frames that arrive as fast as they can be taken, by size and number of connections. */
import { frameBytes } from '../../src/shared/wire/frame.js';
import { atLeastTimes } from '../goals.js';
import { rates, warmUp, withPrograms } from '../measure.js';
import type { Case, Scenario, Settings } from '../scenario.js';

const FEW = 16;
const payloads = [128, 1024, 64 * 1024, 1024 * 1024] as const;
const connectionCounts = [1, 16, 100, 1000] as const;

export function payloadName(bytes: number): string {
  if (bytes >= 1024 * 1024) return `${bytes / 1024 / 1024} MiB`;
  return bytes >= 1024 ? `${bytes / 1024} KiB` : `${bytes} B`;
}

const caseName = (payloadBytes: number, connections: number) =>
  `${payloadName(payloadBytes)}, ${connections} connections`;

/** One run of ingest: a target takes what a flood sends. */
export function flooded(
  file: string,
  options: object,
  payloadBytes: number,
  connections: number,
  { seconds }: Settings,
) {
  return () =>
    withPrograms(async (start) => {
      const target = await start(file, options);
      const load = await start('load/flood.js', { port: target.port, connections, type: 'tx', payloadBytes });
      await warmUp();
      return rates({ target, load: [load] }, seconds, { messages: () => target.ask<number>('received', 'tx') });
    });
}

function ingestCase(payloadBytes: number, connections: number, settings: Settings): Case {
  const run = (file: string, options: object = {}) => flooded(file, options, payloadBytes, connections, settings);
  return {
    name: caseName(payloadBytes, connections),
    parameters: { payloadBytes, connections },
    targets: {
      node: run('targets/node.js', { peers: Math.max(100, connections), node: { workers: settings.workers } }),
      ceiling: run('baselines/ceiling.js'),
      naive: run('baselines/naive.js'),
      // It has no share a turn: with many connections it hardly finds the time to answer the harness.
      ...(connections <= FEW && {
        sink: run('baselines/sink.js', { frameBytes: frameBytes('tx'.length, payloadBytes) }),
      }),
    },
  };
}

const atLeast = (payloadBytes: number, target: string, value: number) =>
  atLeastTimes(caseName(payloadBytes, 16), 'messages', value, target);

export const ingest: Scenario = {
  name: 'ingest',
  title: 'pipelined frames that arrive and are handled',
  metrics: [{ key: 'messages', title: 'messages handled', unit: 'messages/s', better: 'more' }],
  goals: [
    atLeast(128, 'ceiling', 0.85),
    atLeast(128, 'naive', 5),
    atLeast(1024, 'ceiling', 0.85),
    atLeast(1024, 'naive', 2.5),
    atLeast(64 * 1024, 'sink', 0.9),
    atLeast(1024 * 1024, 'sink', 0.8),
    atLeastTimes(caseName(1024, 1000), 'messages', 0.7, 'node', caseName(1024, 16)),
  ],
  notes: [
    '`ceiling` is one thread that reads into one buffer and parses in place; `naive` one thread with data events and concatenation; `sink` reads and throws away.',
  ],
  typical: caseName(128, 16),
  cases: (settings) =>
    settings.smoke
      ? [ingestCase(128, 2, settings)]
      : payloads.flatMap((bytes) => connectionCounts.map((count) => ingestCase(bytes, count, settings))),
};
