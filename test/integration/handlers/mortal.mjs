import { existsSync, writeFileSync } from 'node:fs';

/** Answers what it gets, and dies in several ways when told so. */
export default {
  seq: (message, context) => {
    context.reply('ack', message.payload.subarray(0, 4));
  },
  exit: () => process.exit(3),
  exitOnce: (message) => {
    const file = message.payload.toString();
    if (existsSync(file)) return;
    writeFileSync(file, '');
    process.exit(3);
  },
  hang: () => {
    for (;;);
  },
  hangOnce: (message) => {
    const file = message.payload.toString();
    if (existsSync(file)) return;
    writeFileSync(file, '');
    for (;;);
  },
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
