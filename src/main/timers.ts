/**
 * Timers as the node uses them. Main thread. The simulation has its own, on its own clock. Node's own, not the globals: a
 * program's tests put others there, and one that never fires would hold up a node for good.
 */
import { clearInterval, clearTimeout, setImmediate, setInterval, setTimeout } from 'node:timers';

/** Something that will run. */
export interface Timer {
  cancel(): void;
}

export interface Timers {
  after(ms: number, run: () => void): Timer;
  every(ms: number, run: () => void): Timer;
  /** Once what has come in this turn of the event loop has been read. */
  soon(run: () => void): void;
}

/** The timers of Node.js. */
export const systemTimers: Timers = {
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return { cancel: () => clearTimeout(timer) };
  },
  every(ms, run) {
    const timer = setInterval(run, ms);
    return { cancel: () => clearInterval(timer) };
  },
  soon(run) {
    setImmediate(run);
  },
};

/** Settles after `ms`. */
export function delay(timers: Timers, ms: number): Promise<void> {
  return new Promise((resolve) => {
    timers.after(ms, resolve);
  });
}
