import { existsSync, writeFileSync } from 'node:fs';

/** Else a first message would be handled as one of a queue is. */
const inline = (handler) => ({ mode: 'inline', handler });

/** Answers what it gets, and dies in several ways when told so. */
export default {
  seq: (message, context) => {
    context.reply('ack', message.payload.subarray(0, 4));
  },
  exit: inline(() => process.exit(3)),
  exitOnce: inline((message) => {
    const file = message.payload.toString();
    if (existsSync(file)) return;
    writeFileSync(file, '');
    process.exit(3);
  }),
  hang: inline(() => {
    for (;;);
  }),
  hangOnce: inline((message) => {
    const file = message.payload.toString();
    if (existsSync(file)) return;
    writeFileSync(file, '');
    for (;;);
  }),
  burn: (message) => {
    const endMs = performance.now() + Number(message.payload);
    while (performance.now() < endMs);
  },
  throwLater: () => {
    setTimeout(() => {
      throw new Error('uncaught');
    }, 0);
  },
};
