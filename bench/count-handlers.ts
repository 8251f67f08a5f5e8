/** Handlers of the node under test: the least that a handler can do. */
import type { HandlerModule } from '../src/main/index.js';

let bytes = 0;

const handlers: HandlerModule = {
  tx: (message) => {
    bytes += message.payloadBytes;
  },
  echo: (message, context) => {
    context.reply('echo', message.payload);
  },
};

export default handlers;
