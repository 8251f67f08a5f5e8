/**
 * Owns the table of worker threads. Browser.
 */
import type { WorkerStatus } from '../../api.js';
import { byId } from './element.js';
import { count, milliseconds, rate } from './format.js';
import { Rows } from './rows.js';

/** Bytes that wait so long in a ring show that a worker can't keep up. */
const LAG_WARN_MS = 100;
const LAG_FAIL_MS = 1000;

interface WorkerRow extends WorkerStatus {
  readonly index: number;
  readonly perSecond: number | null;
}

export class WorkersTable {
  readonly #rows = new Rows<WorkerRow>({
    body: byId('workers-body', HTMLTableSectionElement),
    keyOf: ({ index }) => String(index),
    columns: [
      { key: 'index', label: 'Worker', text: ({ index }) => String(index) },
      { key: 'number', label: 'Peers', text: ({ connections }) => count(connections) },
      { key: 'number', label: 'Messages/s', text: ({ perSecond }) => rate(perSecond) },
      {
        key: 'number',
        label: 'Lag',
        text: ({ lagMs }) => milliseconds(lagMs),
        tone: ({ lagMs }) => (lagMs >= LAG_FAIL_MS ? 'fail' : lagMs >= LAG_WARN_MS ? 'warn' : 'plain'),
      },
      { key: 'number', label: 'Queue', text: ({ queuedMessages }) => count(queuedMessages) },
      {
        key: 'number',
        label: 'Restarts',
        text: ({ restarts }) => count(restarts),
        tone: ({ restarts }) => (restarts > 0 ? 'warn' : 'plain'),
      },
    ],
  });

  update(workers: readonly WorkerStatus[], perSecond: readonly (number | null)[]): void {
    this.#rows.show(workers.map((worker, index) => ({ ...worker, index, perSecond: perSecond[index] ?? null })));
  }
}
