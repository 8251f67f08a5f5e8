/**
 * One node process as the devnet sees it: starts it, takes its answers in, ends it. Main thread of the devnet.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { mkdirSync, openSync } from 'node:fs';
import path from 'node:path';
import type { OriginArrivals } from './ledger.js';
import type { Answer, NodePlan, NodeReport, Order } from './reports.js';

/** A node that said what it must say before it may be stopped. */
export interface Collected {
  readonly report: NodeReport;
  readonly arrivals: readonly OriginArrivals[];
}

/** How a process ended. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class Member {
  readonly plan: NodePlan;
  /** Set once it is ready. */
  nodeId = '';
  listen = '';
  report: NodeReport | null = null;
  /** Messages that it has sent, once it sends no more. */
  generated: number | null = null;
  collected: Collected | null = null;
  ending: Ending | null = null;
  readonly ended: Promise<void>;
  readonly #process: ChildProcess;
  /** Called with the reason when the node fails or ends before it was told to. */
  readonly #onFailure: (reason: string) => void;
  #isClosing = false;

  private constructor(plan: NodePlan, logFile: string, onFailure: (reason: string) => void) {
    this.plan = plan;
    this.#onFailure = onFailure;
    const log = openSync(logFile, 'a');
    const script = new URL('./node-process.js', import.meta.url);
    this.#process = fork(script, { stdio: ['ignore', log, log, 'ipc'] });
    this.#process.on('message', (answer: Answer) => this.#take(answer));
    this.ended = new Promise((resolve) => {
      this.#process.once('exit', (code, signal) => {
        this.ending = { code, signal };
        if (!this.#isClosing) this.#onFailure(`${this.name} ended with ${signal ?? `exit code ${code}`}`);
        resolve();
      });
    });
    this.tell({ kind: 'open', plan });
  }

  /** Starts a process; its directory and log stand in `folder`. */
  static start(folder: string, plan: Omit<NodePlan, 'dataDir'>, onFailure: (reason: string) => void): Member {
    const dataDir = path.join(folder, `node-${plan.index + 1}`);
    mkdirSync(dataDir, { mode: 0o700 });
    return new Member({ ...plan, dataDir }, path.join(folder, `node-${plan.index + 1}.log`), onFailure);
  }

  /** As people count: from 1. */
  get name(): string {
    return `node ${this.plan.index + 1} (pid ${this.#process.pid})`;
  }

  get isReady(): boolean {
    return this.listen !== '';
  }

  tell(order: Order): void {
    if (order.kind === 'close') this.#isClosing = true;
    // A process that has just died takes nothing: its exit says so, and is what counts.
    if (this.#process.connected) this.#process.send(order, () => undefined);
  }

  /** Ends the process at once; only ever the one that this object started. */
  kill(): void {
    this.#isClosing = true;
    if (this.ending === null) this.#process.kill('SIGKILL');
  }

  #take(answer: Answer): void {
    switch (answer.kind) {
      case 'ready':
        this.nodeId = answer.nodeId;
        this.listen = answer.listen;
        break;
      case 'report':
        this.report = answer.report;
        break;
      case 'generated':
        this.generated = answer.sent;
        break;
      case 'collected':
        this.report = answer.report;
        this.collected = { report: answer.report, arrivals: answer.arrivals };
        break;
      case 'failed':
        this.#onFailure(`${this.name}: ${answer.message}`);
        break;
    }
  }
}
