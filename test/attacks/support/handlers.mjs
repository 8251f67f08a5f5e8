/** The application of a node under attack. */
export default {
  /** Says that it has got a numbered message. */
  seq: (message, context) => {
    context.reply('ack', message.payload.subarray(0, 4));
  },
  /** Gives back all that it gets, as long as it is taken. */
  mirror: (message, context) => {
    context.reply('mirrored', message.payload);
  },
  /** Tells everybody. */
  shout: (message, context) => {
    context.broadcast('news', message.payload);
  },
  /** Typed: its payload is decoded before the handler gets it. */
  vote: {
    codec: 'msgpack',
    handler: (message, context) => {
      context.reply('voted', message.value);
    },
  },
};
