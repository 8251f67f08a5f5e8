/** The same work done by js-libp2p, where it is installed. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { atLeastTimes } from '../goals.js';
import { rates, warmUp, withPrograms } from '../measure.js';
import type { Run } from '../result.js';
import type { Scenario, Settings } from '../scenario.js';
import { flooded, payloadName } from './ingest.js';

/** In a clone; its dependencies are its own, and only installed on demand. */
const folder = fileURLToPath(new URL('../../../bench/libp2p/', import.meta.url));
const CONNECTIONS = 16;

function libp2p(security: string, payloadBytes: number, connections: number, { seconds }: Settings) {
  return (): Promise<Run> =>
    withPrograms(async (start) => {
      const target = await start(join(folder, 'server.mjs'), { security });
      const address = await target.ask<string>('address');
      const load = await start(join(folder, 'client.mjs'), { address, security, connections, payloadBytes });
      await warmUp();
      return rates({ target, load: [load] }, seconds, { messages: () => target.ask<number>('received') });
    });
}

const caseName = (payloadBytes: number) => `${payloadName(payloadBytes)}, ${CONNECTIONS} connections`;

const goal = (payloadBytes: number, target: string, value: number) =>
  atLeastTimes(caseName(payloadBytes), 'messages', value, target);

export const libp2pScenario: Scenario = {
  name: 'libp2p',
  title: 'ingest against js-libp2p (TCP, yamux, plaintext and noise)',
  metrics: [{ key: 'messages', title: 'messages handled', unit: 'messages/s', better: 'more' }],
  goals: [128, 1024].flatMap((bytes) => [goal(bytes, 'libp2p plaintext', 2), goal(bytes, 'libp2p noise', 5)]),
  notes: [
    'One stream a connection, frames of the same form, parsed in place. Version 1 of PAW encrypts nothing: compare with plaintext.',
  ],
  onlyByName: true,
  missing: () => {
    if (existsSync(join(folder, 'node_modules'))) return null;
    return "the packages of js-libp2p, which 'npm ci --ignore-scripts --prefix bench/libp2p' brings in a clone";
  },
  cases: (settings) => {
    const connections = settings.smoke ? 2 : CONNECTIONS;
    return (settings.smoke ? [128] : [128, 1024]).map((payloadBytes) => ({
      name: caseName(payloadBytes),
      parameters: { payloadBytes, connections },
      targets: {
        node: flooded('targets/node.js', { node: { workers: settings.workers } }, payloadBytes, connections, settings),
        'libp2p plaintext': libp2p('plaintext', payloadBytes, connections, settings),
        'libp2p noise': libp2p('noise', payloadBytes, connections, settings),
      },
    }));
  },
};
