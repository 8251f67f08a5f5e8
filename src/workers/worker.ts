/**
 * Entry of a worker thread: Piscina runs the default export once, and it ends when the node stops. Builds the worker's
 * parts and drives the pipeline's turns; parks without blocking when there is nothing to do, so that async handlers,
 * timers and commands go on.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { receiveMessageOnPort } from 'node:worker_threads';
import { Packr } from 'msgpackr';
import { type Clock, systemClock } from '../shared/clock.js';
import { errorTrace } from '../shared/error-trace.js';
import type { HandlerLog } from '../shared/handler.js';
import { Arena } from '../shared/memory/arena.js';
import { Header, Worker } from '../shared/memory/arena-layout.js';
import { addCounter } from '../shared/memory/counters.js';
import { Claim, MemoryBudget, TrackedAllowance } from '../shared/memory/memory-budget.js';
import { OutboundWriter } from '../shared/memory/outbound-ring.js';
import { heldBy } from '../shared/memory/queue-segment.js';
import { Signal } from '../shared/memory/signal.js';
import { TypeTable } from '../shared/memory/type-table.js';
import { ControlType } from '../shared/wire/message-type.js';
import type { WorkerCommand, WorkerInit, WorkerNotice } from '../shared/worker-protocol.js';
import { AsideStore } from './aside-store.js';
import { Sender } from './context.js';
import { Dispatcher } from './dispatcher.js';
import { FrameDecoder } from './frame-decoder.js';
import { Gossip } from './gossip.js';
import { HandlerErrors } from './handler-errors.js';
import { HandlerQueue } from './handler-queue.js';
import { HandlerRegistry, newRoute, type Route, unknownRoute } from './handler-registry.js';
import { logFields, logText } from './log-fields.js';
import { Outbox } from './outbox.js';
import { Pipeline } from './pipeline.js';
import { QueueGate } from './queue-gate.js';
import { QueueLog } from './queue-log.js';
import { TypeInterner } from './type-interner.js';

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
/** Of that, as much again for messages that wait for queued handlers. */
const QUEUES_SHARE = 1 / 2;
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
  readonly #registry: HandlerRegistry;
  readonly #dispatcher: Dispatcher;
  readonly #pipeline: Pipeline;
  /** Memory of messages that wait for queued handlers. */
  readonly #segments: AsideStore;
  readonly #gate = new QueueGate();
  readonly #handlerErrors: HandlerErrors;
  readonly #asides: AsideStore;
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
    const queueBudget = new TrackedAllowance(budget, arena.words, block + Worker.QueuedKib, Claim.Inbound);
    const asideBudget = new TrackedAllowance(budget, arena.words, block + Worker.AsideKib, Claim.Inbound);
    const table = new TypeTable(arena, worker);
    const types = new TypeInterner<Route>((name) => table.intern(name), unknownRoute);
    const log = this.#log();
    this.#handlerErrors = new HandlerErrors(log, this.#clock);
    const handlerErrors = arena.layout.workerCounter(worker, 'handlerErrors');
    const onError = (type: string, error: unknown) => {
      addCounter(arena.words, handlerErrors, 1);
      this.#handlerErrors.failed(type, error);
    };
    const ring = new OutboundWriter(arena, worker, raiseMain);
    const gossip = new Gossip({ arena, worker, clock: this.#clock, key: init.gossipKey });
    gossip.seen.forgetHeld(heldBy(init.segments.values()));
    const besideArena = budget.budgetBytes - arena.buffer.byteLength;
    const maxFreeBytes = Math.max(MIN_FREE_BYTES, (besideArena * FREE_SHARE) / arena.layout.geometry.workers);
    const mayKeep = () => budget.hasRoom(Claim.Spare);
    this.#segments = new AsideStore(
      queueBudget,
      maxFreeBytes * QUEUES_SHARE,
      (id, buffer) => this.#tell({ kind: 'segment', id, buffer }),
      mayKeep,
    );
    const logParts = { arena, worker, store: this.#segments, seen: gossip.seen, keep: () => ring.markProgress() };
    this.#registry = new HandlerRegistry(types, (type, policy) => {
      const number = table.intern(type);
      return new HandlerQueue({
        policy,
        log: new QueueLog(types.declare(type, newRoute).bytes, logParts),
        gate: this.#gate,
        onError: (error) => onError(type, error),
        onDone: () => this.#queueMoved(),
        addWaiting: (messages) => Atomics.add(arena.words, block + Worker.QueuedMessages, messages),
        clock: this.#clock,
        took: (ms) => table.addHandled(number, ms * 1000, 1),
      });
    });
    const outbox = new Outbox(arena, worker, ring, init.sendQueueBytes, budget);
    const packr = new Packr({ useRecords: false });
    const sender = new Sender({
      worker,
      log,
      outbox,
      gossip,
      types,
      encodeOpaque: (value) => packr.pack(value),
      afterSend: () => this.#flushSoon(),
    });
    this.#asides = new AsideStore(
      asideBudget,
      maxFreeBytes,
      (id, buffer) => this.#tell({ kind: 'aside', id, buffer }),
      mayKeep,
    );
    const pong = types.declare(ControlType.pong, () => unknownRoute);
    this.#dispatcher = new Dispatcher({ arena, worker, sender, types, pong, onError });
    this.#pipeline = new Pipeline({
      arena,
      worker,
      clock: this.#clock,
      ring,
      outbox,
      gossip,
      types,
      table,
      decoder: new FrameDecoder(arena, worker, this.#asides, types),
      dispatcher: this.#dispatcher,
      raiseMain,
      asides: init.asides,
    });
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
    const suspects = this.#dispatcher.adoptQueues(this.#init.segments, this.#segments);
    // The listener holds the event loop open: waiting on shared memory does not.
    this.#init.port.on('message', (command: WorkerCommand) => this.#obey(command));
    this.#tell({ kind: 'ready', policies: this.#registry.policies() });
    this.#gate.isolate(suspects);
    this.#gate.startAll();
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
    else if (command.kind === 'spare') {
      this.#asides.clear();
      this.#segments.clear();
    } else if (command.kind === 'subscribe') this.#registry.subscribe(command.type, command.wanted);
    else {
      this.#registry.relay(command.relay);
      this.#tell({ kind: 'policies', policies: this.#registry.policies() });
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

  #tell(notice: WorkerNotice): void {
    this.#init.port.postMessage(notice);
  }
}
