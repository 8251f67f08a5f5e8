/**
 * Tells an emitter's listeners of what happened, in order, once whatever has brought it about is through: a listener may
 * close the node, or ban whoever is just coming. Main thread.
 */
import type { EventEmitter } from 'node:events';
import { setImmediate } from 'node:timers';

export class EventQueue<Events extends Record<keyof Events, unknown[]>> {
  readonly #emitter: EventEmitter<Events>;
  /** What has happened and has not been told. */
  readonly #untold: { readonly event: keyof Events; readonly what: unknown[] }[] = [];

  constructor(emitter: EventEmitter<Events>) {
    this.#emitter = emitter;
  }

  /** Something has happened: it is told at the end of the microtask. */
  add<E extends keyof Events>(event: E, ...what: Events[E]): void {
    if (this.#untold.length === 0) queueMicrotask(() => this.#tellAll());
    this.#untold.push({ event, what });
  }

  #tellAll(): void {
    // Listeners may add to it.
    for (let i = 0; i < this.#untold.length; i++) this.#tell(this.#untold[i]!.event, this.#untold[i]!.what);
    this.#untold.length = 0;
  }

  /**
   * Every listener is told, whatever another throws. That is its program's, as with every emitter, and ends in its handler of
   * uncaught exceptions; who lives on with it has a node whose slots and peers add up.
   */
  #tell(event: keyof Events, what: unknown[]): void {
    for (const listener of (this.#emitter as EventEmitter).rawListeners(event as string)) {
      try {
        Reflect.apply(listener, this.#emitter, what);
      } catch (error) {
        setImmediate(() => {
          throw error;
        });
      }
    }
  }
}
