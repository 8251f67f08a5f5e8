/** Throws an error that quotes the payload. */
export default { parse: (message) => void JSON.parse(String(message.payload)) };
