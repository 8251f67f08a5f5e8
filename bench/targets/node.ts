/** The node under test. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createNode, type NodeOptions } from '../../src/main/index.js';
import type { RunningNode } from '../../src/main/node.js';
import { CHAIN_ID, collectGarbage, optionsOf, serve } from '../channel.js';
import { NODE_ORIGIN, stampedPayload } from '../soak/stamp.js';
import { readVitals } from '../soak/vitals.js';

export interface NodeTargetOptions {
  /** Peers that it has places for, as an operator would set it who expects so many: rings are the larger, the fewer they are. */
  readonly peers?: number;
  /** Logs into a file from this level on; left out, only errors are logged. */
  readonly log?: 'info' | 'silent';
  /** Beside those of every bench. */
  readonly node?: NodeOptions;
}

/** Messages that are broadcast before the event loop turns. */
const BROADCASTS_PER_TURN = 16;

const { peers = 100, log, node: options = {} } = optionsOf<NodeTargetOptions>();
const dataDir = mkdtempSync(join(tmpdir(), 'paw-bench-'));
process.on('exit', () => rmSync(dataDir, { recursive: true, force: true }));
// With what programs do not see: its threads.
const node = (await createNode({
  chainId: CHAIN_ID,
  dataDir,
  listen: '127.0.0.1:0',
  admin: 'off',
  logLevel: log ?? 'error',
  ...(log !== undefined && { logFile: join(dataDir, 'node.log') }),
  maxPeers: peers,
  maxInbound: peers,
  maxOutbound: peers,
  minOutbound: 0,
  memoryBudget: '4GiB',
  pex: false,
  handlers: [new URL('./handlers.js', import.meta.url)],
  ...options,
})) as RunningNode;
const lag = monitorEventLoopDelay({ resolution: 1 });
lag.enable();

let broadcasting = false;
function broadcast(type: string, payload: Buffer): void {
  if (!broadcasting) return;
  // A peer whose queue is full would be passed over: a turn of the loop drains it.
  for (let i = 0; i < BROADCASTS_PER_TURN; i++) if (node.broadcast(type, payload).skipped > 0) break;
  setImmediate(broadcast, type, payload);
}

let announced = 0;
let announcing: NodeJS.Timeout | undefined;

serve(Number(node.listen.slice(node.listen.lastIndexOf(':') + 1)), {
  received: (type: string) => node.stats().messages.receivedByType[type] ?? 0,
  peers: () => node.stats().peers.total,
  refused: () => node.stats().connections.rejectedInbound,
  admin: () => node.admin,
  dial: async (address: string) => (await node.dial(address)).id,
  part: (peerId: string) => node.disconnect(peerId),
  /** What the node holds. @param isCollected its main thread's garbage is collected before that */
  vitals: (isCollected: boolean) => {
    if (isCollected) collectGarbage();
    const { peers, connections, memory, workers, messages } = node.stats();
    return {
      ...readVitals(),
      connections: peers.total + connections.handshaking,
      budgetBytes: memory.used,
      queuedBytes: memory.by.sendQueues + memory.by.handlerQueues,
      skipped: messages.sendsSkipped,
      restarts: workers.reduce((sum, { restarts }) => sum + restarts, 0),
    };
  },
  /** Why connections ended, by the name of the code. */
  endings: () => {
    const { disconnectsByCode, handshakesFailedByCode } = node.stats().connections;
    return { disconnectsByCode, handshakesFailedByCode };
  },
  /** Broadcasts a numbered message every so often. */
  announce: (everyMs: number) => {
    announcing = setInterval(() => {
      node.broadcast('vote', stampedPayload('vote', { origin: NODE_ORIGIN, number: announced++ }));
    }, everyMs);
  },
  /** Broadcasts no more of these. @returns how many there were */
  announced: () => {
    clearInterval(announcing);
    return announced;
  },
  /** Kills a worker, whatever it is doing. */
  killWorker: async () => {
    await node.workerThreads[0]!.terminate();
  },
  dialAll: async ({ port, atOnce, seconds }: { port: number; atOnce: number; seconds: number }) => {
    const endMs = performance.now() + seconds * 1000;
    const one = async () => {
      while (performance.now() < endMs) node.disconnect((await node.dial(`127.0.0.1:${port}`)).id);
    };
    await Promise.all(Array.from({ length: atOnce }, one));
  },
  broadcast: ({ type, payloadBytes }: { type: string; payloadBytes: number }) => {
    broadcasting = true;
    broadcast(type, Buffer.alloc(payloadBytes, 0x5a));
  },
  quiet: () => {
    broadcasting = false;
  },
  /** The delay of timers on the main thread since this was last asked, in milliseconds. */
  lag: () => {
    // The histogram counts the whole period of its timer.
    const figures = { p50: lag.percentile(50) / 1e6 - 1, p99: lag.percentile(99) / 1e6 - 1, max: lag.max / 1e6 - 1 };
    lag.reset();
    return figures;
  },
  /** How long after a worker was killed the next message was handled, in milliseconds. */
  killWorkerAndWatch: async (type: string) => {
    const count = () => node.stats().messages.receivedByType[type] ?? 0;
    const thread = node.workerThreads[0]!;
    await thread.terminate();
    const goneMs = performance.now();
    const before = count();
    while (count() === before) {
      if (performance.now() - goneMs > 10_000) throw new Error('no message was handled in 10 s');
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return performance.now() - goneMs;
  },
});
