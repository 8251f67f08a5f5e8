/** Handlers of the node under test: the least that a handler can do. */
import type { HandlerModule } from '../src/main/index.js';

const handlers: HandlerModule = {
  tx: (message) => {
    if (message.payloadBytes < 0) throw new RangeError('a payload of less than nothing');
  },
  echo: (message, context) => {
    context.reply('echo', message.payload);
  },
};

export default handlers;
