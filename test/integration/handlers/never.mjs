/** What waits for it stays. */
export default {
  never: { mode: 'queued', queueLength: 10_000, handler: () => new Promise(() => undefined) },
};
