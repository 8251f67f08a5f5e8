/**
 * What Piscina loads in a worker thread. CommonJS on purpose: Piscina tries `require` first, and Node 20 aborts the whole
 * process if a thread is terminated while it requires an ES module. A dynamic import ends quietly with its thread.
 */
import type { WorkerInit } from '../shared/worker-protocol.js' with { 'resolution-mode': 'import' };

// Begun at once, so that a spare thread has it when it becomes a worker. Who runs the task is told if it fails.
const loading = import('./worker.js');
loading.catch(() => undefined);

module.exports = async function run(init: WorkerInit): Promise<void> {
  const worker = await loading;
  await worker.default(init);
};
