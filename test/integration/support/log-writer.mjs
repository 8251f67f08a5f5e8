/**
 * A process that logs so many numbered lines through a node's log and ends in one of the ways that processes end.
 * Options come as JSON in its first argument; over IPC it says how long its event loop was held and what it used.
 */
import { NodeLog } from '../../../dist/src/main/logger.js';

const { lines, file = null, format = 'json', end, filler = '', logLevel = 'info' } = JSON.parse(process.argv[2]);
const settings = { logLevel, logFormat: format, logFile: file };
const log = NodeLog.open(settings, { nodeId: 'writer', chainId: 'paw-test' }, undefined);

let longestMs = 0;
let turnMs = performance.now();
for (let number = 0; number < lines; number++) {
  log.logger.info({ number, filler }, 'line');
  if (number % 100 !== 99) continue;
  await new Promise((resolve) => setImmediate(resolve));
  longestMs = Math.max(longestMs, performance.now() - turnMs);
  turnMs = performance.now();
}
process.send?.({ longestMs, rss: process.memoryUsage.rss() });

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
