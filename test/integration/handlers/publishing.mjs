/** Publishes what peers say. */
export default {
  parsed: (message, context) => context.publish(JSON.parse(message.payload.toString())),
  bytes: (message, context) => context.publish({ bytes: message.payload }),
};
