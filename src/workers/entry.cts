/**
 * What Piscina loads in a worker thread. CommonJS on purpose: Piscina tries `require` first, and Node 20 aborts the whole
 * process if a thread is terminated while it requires an ES module. A dynamic import ends quietly with its thread.
 */
import type { WorkerInit } from '../shared/worker-protocol.js' with { 'resolution-mode': 'import' };

module.exports = async function run(init: WorkerInit): Promise<void> {
  const worker = await import('./worker.js');
  await worker.default(init);
};
