/**
 * Handlers of the devnet's seed: every message is checked and counted, and goes on to all nodes but the one that it came
 * from. Worker thread, loaded by URL.
 */
import type { HandlerContext, HandlerModule, Message } from '../../shared/handler.js';
import { tally } from './arrival-tally.js';

function relay(message: Message, context: HandlerContext): void {
  // What is corrupted goes on too: whoever gets it counts it.
  tally.arrived(message, context);
  context.broadcast(message.type, message.payload, { exclude: message.peerId });
}

export default { tx: relay, block: relay } satisfies HandlerModule;
