/**
 * Which queued handlers of a worker may be called now. Worker thread. Those that may have brought the worker before this
 * one down come first and each alone, so that the one that does it is found and takes no other with it. And handlers that
 * never really wait must let the event loop turn.
 */
import type { Clock } from '../shared/clock.js';

/** Handlers that wait for something else may keep the others waiting for so long, all of them together. */
const ALONE_MS = 200;
/** For so long handlers may be called without a turn of the event loop, whatever else the thread did meanwhile. */
const SHIFT_MS = 5;

export interface Startable {
  start(): void;
}

/** How a worker's parts are called back. The callbacks are not cancelled, and do no harm when they come late. */
export interface Later {
  /** As soon as the event loop has turned. */
  afterTurn(callback: () => void): void;
  afterMs(ms: number, callback: () => void): void;
}

export class QueueGate {
  readonly #clock: Clock;
  readonly #later: Later;
  readonly #queues: Startable[] = [];
  readonly #resting = new Set<Startable>();
  readonly #nextShift = () => this.#endShift();
  /** Handlers to be called alone that are not through. */
  #suspects = 0;
  #isSuspectAtWork = false;
  /** A handler has been called since the event loop last turned. */
  #isShift = false;
  #shiftStartMs = 0;

  constructor(clock: Clock, later: Later) {
    this.#clock = clock;
    this.#later = later;
  }

  add(queue: Startable): void {
    this.#queues.push(queue);
  }

  /** So many messages are to be handled alone. Before any handler is called. */
  isolate(suspects: number): void {
    if (suspects === 0) return;
    this.#suspects = suspects;
    this.#later.afterMs(ALONE_MS, () => this.#open());
  }

  /** Whether a queue's next message may be handled now. If not, the queue is started when it may. */
  admits(queue: Startable, isSuspect: boolean): boolean {
    if (!this.#hasTime()) {
      this.#resting.add(queue);
      return false;
    }
    if (this.#suspects === 0) return true;
    if (!isSuspect || this.#isSuspectAtWork) return false;
    this.#isSuspectAtWork = true;
    return true;
  }

  /** The handler of a message that was to be handled alone is through, or will not be called. */
  through(wasAtWork: boolean): void {
    if (this.#suspects === 0) return;
    if (wasAtWork) this.#isSuspectAtWork = false;
    if (--this.#suspects === 0) this.#open();
    else this.startAll();
  }

  startAll(): void {
    for (const queue of this.#queues) queue.start();
  }

  #open(): void {
    this.#suspects = 0;
    this.#isSuspectAtWork = false;
    this.startAll();
  }

  #hasTime(): boolean {
    const nowMs = this.#clock.nowMs();
    if (this.#isShift) return nowMs - this.#shiftStartMs < SHIFT_MS;
    this.#isShift = true;
    this.#shiftStartMs = nowMs;
    this.#later.afterTurn(this.#nextShift);
    return true;
  }

  #endShift(): void {
    this.#isShift = false;
    const queues = [...this.#resting];
    this.#resting.clear();
    for (const queue of queues) queue.start();
  }
}
