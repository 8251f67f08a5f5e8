/** Handlers of the node under test: the least that a handler can do, so that the node is measured and not they. */
import type { HandlerModule } from '../../src/main/index.js';

const BURN_MS = 50;

const handlers: HandlerModule = {
  tx: (message) => {
    if (message.payloadBytes < 0) throw new RangeError('a payload of less than nothing');
  },
  vote: (message) => {
    if (message.payloadBytes < 0) throw new RangeError('a payload of less than nothing');
  },
  block: (message) => {
    if (message.payloadBytes < 0) throw new RangeError('a payload of less than nothing');
  },
  echo: (message, context) => {
    context.reply('echo', message.payload);
  },
  burn: () => {
    const endMs = performance.now() + BURN_MS;
    while (performance.now() < endMs);
  },
};

export default handlers;
