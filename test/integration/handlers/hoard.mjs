/** What makes a node hold memory: handlers that are slow, and one that broadcasts whatever comes. */
export default {
  note: () => undefined,
  block: () => undefined,
  spread: (message, context) => context.broadcast('noise', message.payload),
  slow: {
    mode: 'queued',
    concurrency: 4,
    queueLength: 10_000,
    overflow: 'back-pressure',
    handler: () => new Promise((resolve) => setTimeout(resolve, 5)),
  },
  // What waits for it stays for a while, whoever sent it.
  tarry: {
    mode: 'queued',
    queueLength: 10_000,
    overflow: 'back-pressure',
    handler: () => new Promise((resolve) => setTimeout(resolve, 12)),
  },
};
