/**
 * Entry of a worker thread: Piscina runs the default export once, and it ends when the node stops. Drives the turns of
 * a `WorkerCore`; parks without blocking when there is nothing to do, so that async handlers, timers and commands go on.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { receiveMessageOnPort } from 'node:worker_threads';
import { type Clock, systemClock } from '../shared/clock.js';
import { errorTrace } from '../shared/error-trace.js';
import type { HandlerLog } from '../shared/handler.js';
import { MAX_PUBLISHED_BYTES } from '../shared/limits.js';
import { Arena } from '../shared/memory/arena.js';
import { Header, Worker } from '../shared/memory/arena-layout.js';
import { addCounter } from '../shared/memory/counters.js';
import { MemoryBudget } from '../shared/memory/memory-budget.js';
import { Signal } from '../shared/memory/signal.js';
import { encodeValue } from '../shared/wire/msgpack.js';
import type { WorkerCommand, WorkerInit, WorkerNotice } from '../shared/worker-protocol.js';
import { HandlerErrors } from './handler-errors.js';
import type { HandlerRegistry } from './handler-registry.js';
import { logFields, logText } from './log-fields.js';
import type { Pipeline } from './pipeline.js';
import { WorkerCore } from './worker-core.js';

/** A worker that always has work still lets its event loop turn this often. */
const YIELD_MS = 5;
/**
 * A worker that has handled so many bytes since it last had nothing to do will soon have more: it naps for so long, and
 * is not woken for each read of the main thread.
 */
const NAP_AFTER_BYTES = 128 * 1024;
const NAP_MS = 0.5;
/** Memory kept for the next large frames: one of the largest, or a share of what all workers have beside the arena. */
const MIN_FREE_BYTES = 16 * 1024 * 1024;
const FREE_SHARE = 1 / 4;
/** How often connections that wait for the memory budget try again. */
const RETRY_MS = 20;

/**
 * Runs one worker until it is told to stop. A fault in the worker itself ends its thread, not just its task: handlers
 * that are still running must not go on writing into a ring that a replacement owns.
 */
export default async function run(init: WorkerInit): Promise<void> {
  const worker = new WorkerThread(init);
  await worker.load();
  try {
    await worker.loop();
  } catch (error) {
    worker.reportFault(error);
    process.exit(1);
  }
}

class WorkerThread {
  readonly #init: WorkerInit;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #epoch: number;
  readonly #clock: Clock = systemClock();
  readonly #signal: Signal;
  readonly #core: WorkerCore;
  readonly #registry: HandlerRegistry;
  readonly #pipeline: Pipeline;
  readonly #handlerErrors: HandlerErrors;
  #seenEpoch: number;
  #stopped = false;
  #retryTimer: NodeJS.Timeout | null = null;

  constructor(init: WorkerInit) {
    const arena = Arena.attach(init.arena);
    const { worker } = init;
    const block = arena.layout.worker(worker);
    this.#init = init;
    this.#words = arena.words;
    this.#epoch = block + Worker.CommandEpoch;
    this.#seenEpoch = 0;
    this.#signal = new Signal(arena.words, block + Worker.Signal);
    const mainSignal = new Signal(arena.words, Header.MainSignal);
    const raiseMain = () => mainSignal.raise();
    const budget = new MemoryBudget(arena);
    const besideArena = budget.budgetBytes - arena.buffer.byteLength;
    const log = this.#log();
    this.#handlerErrors = new HandlerErrors(log, this.#clock);
    const handlerErrors = arena.layout.workerCounter(worker, 'handlerErrors');
    this.#core = new WorkerCore({
      arena,
      worker,
      clock: this.#clock,
      later: { afterTurn: setImmediate, afterMs: (ms, callback) => void setTimeout(callback, ms).unref() },
      budget,
      gossipKey: init.gossipKey,
      sendQueueBytes: init.sendQueueBytes,
      maxFreeBytes: Math.max(MIN_FREE_BYTES, (besideArena * FREE_SHARE) / arena.layout.geometry.workers),
      asides: init.asides,
      segments: init.segments,
      log,
      onAside: (id, buffer) => this.#tell({ kind: 'aside', id, buffer }),
      onSegment: (id, buffer) => this.#tell({ kind: 'segment', id, buffer }),
      onError: (type, error) => {
        addCounter(arena.words, handlerErrors, 1);
        this.#handlerErrors.failed(type, error);
      },
      onPolicies: () => this.#tellPolicies(),
      onQueueMoved: () => this.#queueMoved(),
      afterSend: () => this.#flushSoon(),
      encodeOpaque: (value) => encodeValue(value, MAX_PUBLISHED_BYTES),
      takeCommands: () => this.#takeCommands(),
      raiseMain,
      drainMain: raiseMain,
    });
    this.#registry = this.#core.registry;
    this.#pipeline = this.#core.pipeline;
  }

  /** Takes the policy table up, then says that this worker is ready. */
  async load(): Promise<void> {
    this.#registry.relay(this.#init.relay);
    this.#registry.declare(this.#init.types);
    try {
      for (const url of this.#init.handlers) await this.#registry.load(url);
    } catch (error) {
      // Said by a notice, since an error loses its code on the way to another thread.
      this.#tell({ kind: 'failed', message: (error as Error).message });
      throw error;
    }
    for (const type of this.#init.subscriptions) this.#registry.subscribe(type, true);
    this.#core.adoptQueues();
    // The listener holds the event loop open: waiting on shared memory does not.
    this.#init.port.on('message', (command: WorkerCommand) => this.#obey(command));
    this.#tell({ kind: 'ready', policies: this.#registry.policies() });
    this.#core.startQueues();
  }

  async loop(): Promise<void> {
    let yieldedMs = this.#clock.nowMs();
    while (!this.#stopped) {
      this.#takeCommands();
      this.#pipeline.turn();
      if (this.#pipeline.hasWaiting) this.#retryLater();
      if (this.#pipeline.hasWork) {
        if (this.#clock.nowMs() - yieldedMs < YIELD_MS) continue;
        await nextTurn();
      } else if (this.#pipeline.takeHandledBytes() >= NAP_AFTER_BYTES) {
        this.#signal.nap(NAP_MS, () => this.#hasCalls());
        if (this.#clock.nowMs() - yieldedMs < YIELD_MS) continue;
        await nextTurn();
      } else {
        await this.#park();
      }
      yieldedMs = this.#clock.nowMs();
    }
    if (this.#retryTimer !== null) clearTimeout(this.#retryTimer);
    this.#pipeline.flush();
    this.#handlerErrors.close();
    this.#init.port.close();
  }

  reportFault(error: unknown): void {
    this.#tell({ kind: 'log', level: 'error', message: 'worker failed', fields: { ...errorTrace(error) } });
  }

  async #park(): Promise<void> {
    const ticket = this.#signal.park();
    if (this.#hasCalls()) {
      this.#signal.unpark();
      return;
    }
    await this.#signal.wait(ticket);
  }

  #hasCalls(): boolean {
    return this.#pipeline.hasWork || this.#seenEpoch !== Atomics.load(this.#words, this.#epoch) || this.#stopped;
  }

  /** Empties the port before bytes are read that arrived after the commands were posted. */
  #takeCommands(): void {
    const epoch = Atomics.load(this.#words, this.#epoch);
    if (epoch === this.#seenEpoch) return;
    this.#seenEpoch = epoch;
    for (;;) {
      const received = receiveMessageOnPort(this.#init.port);
      if (received === undefined) return;
      this.#obey(received.message as WorkerCommand);
    }
  }

  #obey(command: WorkerCommand): void {
    if (command.kind === 'stop') this.#stopped = true;
    else if (command.kind === 'spare') this.#core.spareMemory();
    else if (command.kind === 'subscribe') this.#registry.subscribe(command.type, command.wanted);
    else {
      this.#registry.relay(command.relay);
      this.#tellPolicies();
    }
    this.#signal.raise();
  }

  /** What is sent outside a turn, from async handlers, is published at the end of the microtask that sent it. */
  #flushSoon(): void {
    if (!this.#pipeline.inTurn) queueMicrotask(() => this.#pipeline.flush());
  }

  /** A queued handler is through: whoever waited for room is visited again. */
  #queueMoved(): void {
    if (!this.#pipeline.hasWaiting) return;
    this.#pipeline.retryWaiting();
    this.#signal.raise();
  }

  #retryLater(): void {
    if (this.#retryTimer !== null) return;
    this.#retryTimer = setTimeout(() => {
      this.#retryTimer = null;
      this.#queueMoved();
    }, RETRY_MS);
  }

  #log(): HandlerLog {
    const at =
      (level: 'debug' | 'info' | 'warn' | 'error') =>
      (message: string, fields: Record<string, unknown> = {}) =>
        this.#tell({ kind: 'log', level, message: logText(message), fields: logFields(fields) });
    return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  }

  #tellPolicies(): void {
    this.#tell({ kind: 'policies', policies: this.#registry.policies() });
  }

  #tell(notice: WorkerNotice): void {
    this.#init.port.postMessage(notice);
  }
}
