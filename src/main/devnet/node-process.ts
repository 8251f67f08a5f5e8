/**
 * One node of a devnet: the script of a forked process. Its main thread owns the node, the generator and the ledger of
 * what arrived. It does what the parent orders over IPC and ends when the parent does, however that ends.
 */
import { rmdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../shared/clock.js';
import { createNode } from '../index.js';
import { directLogger } from '../logger.js';
import { isArrivalDelta } from './arrival-tally.js';
import { LatencyHistogram } from './latency.js';
import { ArrivalLedger } from './ledger.js';
import type { Answer, NodePlan, NodeReport, Order } from './reports.js';
import { generate, SEND_QUEUE_BYTES, SendWindow, type SentCount, windowBytes } from './traffic.js';
import { messageTypes, wallNowMs } from './wire-message.js';

const REPORT_EVERY_MS = 200;

type PawNode = Awaited<ReturnType<typeof createNode>>;

/** Sends to the parent; a parent that is gone is told nothing, `disconnect` ends this process. */
function tell(answer: Answer): void {
  // With a callback a broken channel is no 'error' of the process, which would end it before it has cleaned up.
  if (process.connected) process.send!(answer, () => undefined);
}

class DevnetNode {
  readonly #plan: NodePlan;
  readonly #node: PawNode;
  readonly #ledger = new ArrivalLedger();
  readonly #latency = new LatencyHistogram();
  readonly #window: SendWindow;
  readonly #sent: SentCount = { messages: 0, bytes: 0 };
  readonly #reports: NodeJS.Timeout;
  #received = 0;
  #corrupted = 0;
  #stopped = false;

  constructor(plan: NodePlan, node: PawNode) {
    this.#plan = plan;
    this.#node = node;
    this.#window = new SendWindow(windowBytes(plan.nodes));
    node.on('published', (value, worker) => this.#arrived(value, worker));
    this.#reports = setInterval(() => tell({ kind: 'report', report: this.#report() }), REPORT_EVERY_MS);
  }

  static async open(plan: NodePlan): Promise<DevnetNode> {
    const node = await createNode({
      preset: plan.preset,
      chainId: 'paw-devnet',
      dataDir: plan.dataDir,
      listen: '127.0.0.1:0',
      admin: '127.0.0.1:0',
      seeds: plan.seed === null ? [] : [plan.seed],
      nonStrictAddresses: true,
      minOutbound: plan.minOutbound,
      relay: messageTypes,
      handlers: [new URL('./handlers.js', import.meta.url)],
      workers: plan.workers,
      sendQueue: SEND_QUEUE_BYTES,
      // A file that nobody waits for: no thread for a few lines.
      logger: directLogger('info'),
    });
    return new DevnetNode(plan, node);
  }

  obey(order: Order): void {
    switch (order.kind) {
      case 'open':
        throw new Error('this node is open already');
      case 'generate':
        void this.#generate();
        break;
      case 'passed':
        this.#window.passed(order.sequence);
        break;
      case 'stop':
        this.#stopped = true;
        break;
      case 'collect':
        tell({ kind: 'collected', report: this.#report(), arrivals: this.#ledger.arrivals() });
        break;
      case 'close':
        void this.#close();
        break;
    }
  }

  tellReady(): void {
    const { nodeId, listen, admin } = this.#node;
    tell({ kind: 'ready', nodeId, listen, admin });
  }

  async #generate(): Promise<void> {
    const clock = systemClock();
    const { index: origin, nodes, ratePerSecond, durationMs } = this.#plan;
    const world = {
      nowMs: clock.nowMs,
      wallMs: wallNowMs,
      random: Math.random,
      pause: async (ms: number) => void (await (ms === 0 ? nextTurn() : sleep(ms))),
      send: (type: string, payload: Buffer) => void this.#node.broadcast(type, payload),
      isStopped: () => this.#stopped,
    };
    await generate(world, { origin, nodes, ratePerSecond, durationMs }, this.#window, this.#sent);
    tell({ kind: 'generated', sent: this.#sent.messages });
  }

  #arrived(value: unknown, worker: number): void {
    if (!isArrivalDelta(value)) return;
    this.#ledger.fold(worker, value.runs);
    this.#latency.merge(value.latency);
    this.#corrupted += value.corrupted;
    for (let i = 0; i + 2 < value.runs.length; i += 3) this.#received += value.runs[i + 2]! - value.runs[i + 1]!;
  }

  #report(): NodeReport {
    const { peers, bytes, messages, workers, gossip } = this.#node.stats();
    return {
      peers: peers.total,
      sent: this.#sent.messages,
      received: this.#received,
      corrupted: this.#corrupted,
      origins: this.#ledger.counts(),
      latency: this.#latency.pairs(),
      bytesIn: bytes.received,
      bytesOut: bytes.sent,
      sendsSkipped: messages.sendsSkipped,
      relayed: gossip.relayed,
      duplicates: gossip.duplicates,
      handlerErrors: messages.handlerErrors,
      workerRestarts: workers.reduce((sum, { restarts }) => sum + restarts, 0),
    };
  }

  /** After this nothing keeps the process alive; that it ends by itself shows that the node leaves nothing behind. */
  async #close(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#reports);
    await this.#node.close();
    process.off('disconnect', abandoned);
    process.disconnect();
  }
}

let plan: NodePlan | null = null;
let node: DevnetNode | null = null;

/** The parent is gone without a word: what it would have removed is removed here, by the last one the whole of it. */
function abandoned(): void {
  if (plan !== null) {
    rmSync(plan.dataDir, { recursive: true, force: true });
    const parentDir = path.dirname(plan.dataDir);
    rmSync(path.join(parentDir, `node-${plan.index + 1}.log`), { force: true });
    try {
      rmdirSync(parentDir);
    } catch {
      // Others still have theirs in it.
    }
  }
  process.exit(1);
}

async function open(order: NodePlan): Promise<void> {
  plan = order;
  node = await DevnetNode.open(order);
  node.tellReady();
}

function fail(error: unknown): never {
  const message = error instanceof Error ? error.message : String(error);
  console.error(error);
  // `exit` at once would lose the message.
  if (process.connected) process.send!({ kind: 'failed', message } satisfies Answer, () => process.exit(1));
  else process.exit(1);
  throw error;
}

process.on('disconnect', abandoned);
process.on('message', (order: Order) => {
  if (order.kind === 'open') open(order.plan).catch(fail);
  else node?.obey(order);
});
// A terminal's Ctrl-C goes to the whole process group; when this node ends is the parent's decision.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
