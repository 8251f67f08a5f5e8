/** One type for each way to be handled. */
const held = [];

/** As programs wrap their handlers to time or trace them: what it returns is no async function. */
function timed(handler) {
  return (message, context) => handler(message, context);
}

export default {
  inline: (message, context) => {
    context.reply('echo', message.payload);
  },
  later: async (message, context) => {
    await new Promise((resolve) => setTimeout(resolve, 1));
    context.reply('echo', message.payload);
  },
  wrapped: timed(async (message, context) => {
    await new Promise((resolve) => setTimeout(resolve, 1));
    context.reply('echo', message.payload);
  }),
  promises: { mode: 'inline', handler: async () => undefined },
  vote: {
    codec: 'msgpack',
    handler: (message, context) => context.reply('vote', { ...message.value, seenBy: message.type }),
  },
  forward: (message, context) => {
    context.broadcast('news', message.payload, { exclude: message.peerId });
  },
  direct: (message, context) => {
    context.send(message.payload.toString(), 'mail', Buffer.from(message.peerId));
  },
  tell: (message, context) => {
    context.publish({ text: message.payload.toString(), worker: context.worker, bytes: message.payloadBytes });
  },
  fails: () => {
    throw new Error('on purpose');
  },
  failsLater: async () => {
    await null;
    throw new Error('on purpose, later');
  },
  log: (message, context) => context.log.warn('from a handler', { about: message.payload.toString() }),
  hold: {
    mode: 'queued',
    concurrency: 2,
    queueLength: 3,
    overflow: 'back-pressure',
    handler: (message, context) =>
      new Promise((resolve) => held.push(resolve)).then(() => context.reply('held', message.payload)),
  },
  dropNew: {
    mode: 'queued',
    queueLength: 3,
    overflow: 'drop-new',
    handler: (message, context) =>
      new Promise((resolve) => held.push(resolve)).then(() => context.reply('held', message.payload)),
  },
  dropOld: {
    mode: 'queued',
    queueLength: 3,
    overflow: 'drop-old',
    handler: (message, context) =>
      new Promise((resolve) => held.push(resolve)).then(() => context.reply('held', message.payload)),
  },
  release: async () => {
    while (held.length > 0) {
      held.shift()();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  },
  burn: (message) => {
    const endMs = performance.now() + message.payload[0];
    while (performance.now() < endMs);
  },
};
