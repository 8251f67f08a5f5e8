/**
 * Which queued handlers of a worker may be called now. Worker thread. Those that were at work when the worker before this
 * one died come first and each alone, so that the one that brings a worker down is found and takes no other with it. And
 * handlers that never really wait must let the event loop turn.
 */

/** Handlers that wait for something else may keep the others waiting for so long, all of them together. */
const ALONE_MS = 1000;
/** Time that handlers may take before the event loop gets a turn. */
const SHIFT_MS = 2;

export interface Startable {
  start(): void;
}

export class QueueGate {
  readonly #queues: Startable[] = [];
  readonly #waiting = new Set<Startable>();
  /** Handlers to be called alone that are not through. */
  #suspects = 0;
  #isSuspectAtWork = false;
  #spentMs = 0;
  #timer: NodeJS.Timeout | null = null;

  add(queue: Startable): void {
    this.#queues.push(queue);
  }

  /** So many messages were at work when a worker died. */
  isolate(suspects: number): void {
    if (suspects === 0) return;
    this.#suspects += suspects;
    this.#timer ??= setTimeout(() => this.#open(), ALONE_MS).unref();
  }

  /** Whether a queue's next message may be handled now. If not, the queue is started when it may. */
  admits(queue: Startable, isSuspect: boolean): boolean {
    if (this.#spentMs >= SHIFT_MS) {
      this.#restFor(queue);
      return false;
    }
    if (this.#suspects === 0) return true;
    if (!isSuspect || this.#isSuspectAtWork) return false;
    this.#isSuspectAtWork = true;
    return true;
  }

  /** A handler's call took so long. */
  spent(ms: number): void {
    this.#spentMs += ms;
  }

  /** The handler of a message that was at work when a worker died is through, or will not be called. */
  through(wasAtWork: boolean): void {
    if (this.#suspects === 0) return;
    if (wasAtWork) this.#isSuspectAtWork = false;
    if (--this.#suspects === 0) this.#open();
    else this.startAll();
  }

  #open(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#suspects = 0;
    this.#isSuspectAtWork = false;
    this.startAll();
  }

  startAll(): void {
    for (const queue of this.#queues) queue.start();
  }

  #restFor(queue: Startable): void {
    if (this.#waiting.size === 0) setImmediate(() => this.#nextShift());
    this.#waiting.add(queue);
  }

  #nextShift(): void {
    this.#spentMs = 0;
    const queues = [...this.#waiting];
    this.#waiting.clear();
    for (const queue of queues) queue.start();
  }
}
