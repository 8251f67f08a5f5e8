/**
 * Answers numbered messages, inline and queued, and tells all peers of some. Dies in every manner, of a message once or
 * each time that it gets it: what died of it before stands in a folder, since nothing else outlives a thread.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';

const NEWS_EVERY = 20;

const manners = {
  exit: () => process.exit(3),
  hang: () => {
    for (;;);
  },
  heap: () => {
    // Not by Array.fill: V8 14 (Node 26) interrupts no loop around it, and the thread could not even be terminated.
    const leak = [];
    for (let i = 0; ; i++) leak.push({ i });
  },
  // Nobody catches it: it is thrown where no handler is on the stack.
  throw: () => {
    setTimeout(() => {
      throw new Error(`secret payload ${process.pid}`);
    }, 0);
  },
};

/** `{ manner, file? }`: with a file only if it is not there yet. */
function die(message, context, answer) {
  const { manner, file } = JSON.parse(message.payload.toString());
  if (file === undefined || !existsSync(file)) {
    if (file !== undefined) writeFileSync(file, '');
    manners[manner]();
    if (manner === 'throw') return false;
  }
  context.reply(answer, message.payload);
  return true;
}

/** [number, ...]: answered, and now and then told to all. */
function answer(message, context, ack, news) {
  const n = message.payload.readUInt32BE(0);
  if (n % NEWS_EVERY === 0) context.broadcast(news, Buffer.from(`${message.peerId} ${n}`));
  context.reply(ack, message.payload.subarray(0, 4));
}

export default {
  seq: (message, context) => answer(message, context, 'ack', 'news'),
  queued: async (message, context) => {
    // Some wait for a moment, others not at all.
    const n = message.payload.readUInt32BE(0);
    if (n % 7 === 0) await turn();
    if (n % 50 === 0) await delay(1);
    answer(message, context, 'qack', 'qnews');
  },
  die: {
    mode: 'inline',
    handler: (message, context) => void die(message, context, 'died'),
  },
  dieFirst: (message, context) => void die(message, context, 'died'),
  dieQueued: {
    mode: 'queued',
    handler: async (message, context) => {
      if (!die(message, context, 'died')) await new Promise(() => undefined);
    },
  },
  dieLater: async (message, context) => {
    await turn();
    if (!die(message, context, 'died')) await new Promise(() => undefined);
  },
};
