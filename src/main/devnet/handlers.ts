/**
 * Handlers of a devnet node: every message is checked and counted; the node itself passes it on. Worker thread, loaded
 * by URL.
 */
import type { HandlerContext, HandlerModule, Message } from '../../shared/handler.js';
import { tally } from './arrival-tally.js';

function receive(message: Message, context: HandlerContext): void {
  tally.arrived(message, context);
}

export default { tx: receive, block: receive } satisfies HandlerModule;
