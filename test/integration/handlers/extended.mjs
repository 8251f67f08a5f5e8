/** Publishes what the main thread's msgpackr has not been taught, then what it has. */
import { addExtension } from 'msgpackr';

class Height {}
addExtension({ Class: Height, type: 10, pack: () => Buffer.of(7), unpack: () => new Height() });

export default {
  height: (message, context) => {
    context.publish(new Height());
    context.publish(message.payload.length);
  },
};
