/**
 * Simulated time: what is to happen, in the order in which it does. What is due at the same moment happens in the order in
 * which it was asked for, so that a run is the same each time.
 */
import type { Timer, Timers } from '../../src/main/timers.js';

class Entry implements Timer {
  readonly atMs: number;
  readonly order: number;
  readonly actor: unknown;
  run: (() => void) | null;

  constructor(atMs: number, order: number, actor: unknown, run: () => void) {
    this.atMs = atMs;
    this.order = order;
    this.actor = actor;
    this.run = run;
  }

  cancel(): void {
    this.run = null;
  }
}

export class Schedule implements Timers {
  nowMs = 0;
  /** Whose code runs: of whoever asked for it, unless it says otherwise. */
  actor: unknown = null;
  /** Things that have happened. */
  steps = 0;
  readonly #heap: Entry[] = [];
  #asked = 0;

  after(ms: number, run: () => void): Timer {
    const entry = new Entry(this.nowMs + Math.max(0, ms), this.#asked++, this.actor, run);
    this.#push(entry);
    return entry;
  }

  every(ms: number, run: () => void): Timer {
    let next: Timer;
    const again = () => {
      next = this.after(ms, again);
      run();
    };
    next = this.after(ms, again);
    return { cancel: () => next.cancel() };
  }

  soon(run: () => void): void {
    this.after(0, run);
  }

  /** The next thing that is due until `untilMs`, with the time moved to when it is; null for none, with the time at `untilMs`. */
  take(untilMs: number): (() => void) | null {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined || first.atMs > untilMs) {
        this.nowMs = untilMs;
        return null;
      }
      this.#pop();
      if (first.run === null) continue;
      this.nowMs = first.atMs;
      this.steps++;
      this.actor = first.actor;
      return first.run;
    }
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(entry, heap[parent])) break;
      heap[at] = heap[parent];
      at = parent;
    }
    heap[at] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child++;
      if (!isBefore(heap[child], last)) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
