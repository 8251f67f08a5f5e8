/** The real event loop, as far as a simulation has to do with it: it has no timers there, but promises and their errors. */

/** Whatever was promised by now has happened. */
export function settled(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}

/** As well, and errors that nobody has caught by now have been told: the real event loop has turned, which takes some microseconds. */
export function turned(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Until it is restored, whatever nobody catches comes here, and to nobody else. */
export function divert(caught: (error: unknown) => void): () => void {
  const events = ['uncaughtException', 'unhandledRejection'] as const;
  const before = events.map((event) => process.rawListeners(event));
  for (const event of events) process.removeAllListeners(event).on(event, caught);
  return () => {
    for (const [index, event] of events.entries()) {
      process.removeAllListeners(event);
      for (const listener of before[index]) process.on(event, listener as () => void);
    }
  };
}
