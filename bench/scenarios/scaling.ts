/** What more worker threads bring. */
import { cpus } from 'node:os';
import type { Scenario } from '../scenario.js';
import { flooded, payloadName } from './ingest.js';

const CONNECTIONS = 64;

export const scaling: Scenario = {
  name: 'scaling',
  title: 'ingest with 1, 2, 4 and 8 workers',
  metrics: [{ key: 'messages', title: 'messages handled', unit: 'messages/s', better: 'more' }],
  goals: [],
  notes: [
    `This machine has ${cpus().length} cores, which the load shares: where they are few, more workers show little.`,
  ],
  cases: (settings) =>
    (settings.smoke ? [1] : [1, 2, 4, 8]).flatMap((workers) =>
      (settings.smoke ? [128] : [128, 1024]).map((payloadBytes) => ({
        name: `${payloadName(payloadBytes)}, ${workers} workers`,
        parameters: { workers, payloadBytes },
        targets: {
          node: flooded(
            'targets/node.js',
            { node: { workers } },
            payloadBytes,
            settings.smoke ? 2 : CONNECTIONS,
            settings,
          ),
        },
      })),
    ),
};
