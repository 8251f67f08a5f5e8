/** The node under test, with a handler module that counts in the workers. Argument: number of workers. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createNode } from '../src/main/index.js';
import { CHAIN_ID, serve } from './target.js';

const dataDir = mkdtempSync(join(tmpdir(), 'paw-bench-'));
process.on('exit', () => rmSync(dataDir, { recursive: true, force: true }));
const node = await createNode({
  chainId: CHAIN_ID,
  dataDir,
  listen: '127.0.0.1:0',
  admin: 'off',
  logLevel: 'warn',
  maxPeers: 2000,
  maxInbound: 2000,
  memoryBudget: '2GiB',
  workers: Number(process.argv[2] ?? 1),
  handlers: [new URL('./count-handlers.js', import.meta.url)],
  ...(process.env.BENCH_RING && { ringSize: process.env.BENCH_RING }),
});
const port = Number(node.listen.slice(node.listen.lastIndexOf(':') + 1));
serve(port, () => node.stats().messages.receivedByType.tx ?? 0);
