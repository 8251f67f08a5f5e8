/** Keeps its worker busy for as many milliseconds as the message says. */
export default {
  busy: (message) => {
    const endMs = performance.now() + message.payload.readUInt16BE(0);
    while (performance.now() < endMs);
  },
};
