import { setTimeout as sleep } from 'node:timers/promises';

const textOf = (message) => message.payload.toString('latin1', 0, Math.min(24, message.payloadBytes));

/** Publishes what it handles; `bad` messages are penalised, and those that `throw` are not taken well. */
function handle(message, context) {
  const text = textOf(message);
  if (text.startsWith('bad')) context.penalize(`not good: ${text}`);
  if (text.startsWith('throw')) throw new Error(text);
  context.publish(text);
}

export default {
  tx: { gossip: true, handler: handle },
  few: { gossip: true, fanout: 3, handler: handle },
  slow: {
    gossip: true,
    concurrency: 8,
    handler: async (message, context) => {
      await sleep(1);
      handle(message, context);
    },
  },
  late: {
    concurrency: 8,
    handler: async (message, context) => {
      await sleep(300);
      handle(message, context);
    },
  },
  manual: async (message, context) => {
    await sleep(1);
    context.publish([textOf(message), context.relay(), context.relay()]);
  },
  tell: (message, context) => context.broadcast('tx', message.payload),
};
