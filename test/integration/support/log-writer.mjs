/**
 * A process that logs so many numbered lines through a node's log and ends in one of the ways that processes end.
 * Options come as JSON in its first argument; over IPC it says how long its event loop was held, what it used and what it
 * was warned of. It may have other logs beside that one, each with one line in a file of its own.
 */
import { statSync } from 'node:fs';
import { NodeLog } from '../../../dist/src/main/logger.js';

const options = JSON.parse(process.argv[2]);
const { lines, file = null, format = 'json', end, filler = '', logLevel = 'info', otherFiles = [] } = options;
const warnings = [];
process.on('warning', ({ name }) => warnings.push(name));
const settings = { logLevel, logFormat: format, logFile: file };
const log = NodeLog.open(settings, { nodeId: 'writer', chainId: 'paw-test' }, undefined);

for (const logFile of otherFiles) {
  const other = NodeLog.open({ ...settings, logFile }, { nodeId: 'another', chainId: 'paw-test' }, undefined);
  other.logger.info({ number: 0 }, 'line');
  // While its thread starts, pino has a listener of its own for the end of the process.
  while (statSync(logFile).size === 0) await new Promise((resolve) => setTimeout(resolve, 5));
}

let longestMs = 0;
let turnMs = performance.now();
for (let number = 0; number < lines; number++) {
  log.logger.info({ number, filler }, 'line');
  if (number % 100 !== 99) continue;
  await new Promise((resolve) => setImmediate(resolve));
  longestMs = Math.max(longestMs, performance.now() - turnMs);
  turnMs = performance.now();
}
process.send?.({ longestMs, rss: process.memoryUsage.rss(), warnings });

const ends = {
  close: async () => {
    await log.close();
    process.disconnect?.();
  },
  exit: () => process.exit(3),
  throw: () => {
    setImmediate(() => {
      throw new Error('a fault of the application');
    });
  },
  /** Goes on until it is told to end. */
  wait: () => process.once('message', () => void ends.close()),
  nothing: () => process.disconnect?.(),
};
ends[end]();
