/** One thread of the seen-table tests: works through its list of messages as a worker would. Runs compiled code. */
import { parentPort, workerData } from 'node:worker_threads';
import { Arena } from '../../dist/src/shared/memory/arena.js';
import { SeenTable } from '../../dist/src/shared/memory/seen-table.js';

const { buffer, thread, order, handled, progress, rounds, roundMs, gate, threads } = workerData;
const table = new SeenTable(Arena.attach(buffer), thread);
table.forgetHeld();
const [handledCounts, progressWords, gateWords] = [handled, progress, gate].map((shared) => new Int32Array(shared));

/** Waits until all threads are here, so that they race for the same messages. */
function meet(round) {
  if (Atomics.add(gateWords, 0, 1) + 1 === threads * (round + 1)) {
    Atomics.store(gateWords, 1, round + 1);
    Atomics.notify(gateWords, 1);
    return;
  }
  while (Atomics.load(gateWords, 1) <= round) Atomics.wait(gateWords, 1, round);
}

for (let round = 0; round < rounds; round++) {
  if (threads > 1) meet(round);
  for (let i = progressWords[thread]; i < order.length; i++) {
    const [message, high, low] = order[i];
    const hold = table.add(high, low, 1000 + round * roundMs);
    if (hold !== null) {
      Atomics.add(handledCounts, round * order.length + message, 1);
      table.letGo(hold);
    }
    progressWords[thread] = i + 1;
  }
  if (round < rounds - 1) progressWords[thread] = 0;
}
parentPort.postMessage('done');
