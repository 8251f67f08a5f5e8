/** One message at a time, four may wait, and each takes a while. */
export default {
  slow: {
    mode: 'queued',
    queueLength: 4,
    handler: async (message, context) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      context.publish(message.payload[0]);
    },
  },
};
