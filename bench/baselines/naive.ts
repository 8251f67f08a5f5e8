/**
 * What most people write: one thread, `'data'` events, `Buffer.concat`, and a parser that makes a string of the type and
 * hands a slice of the payload to a handler. Honest: it frames and dispatches as our node does, and answers handshakes.
 */
import { type AddressInfo, createServer } from 'node:net';
import { HANDSHAKE_BYTES, MAX_FRAME_LENGTH } from '../../src/shared/limits.js';
import { encodeHandshake } from '../../src/shared/wire/handshake.js';
import { CHAIN_ID, serve } from '../channel.js';

let messages = 0;
const handlers: Record<string, (payload: Buffer) => void> = {
  tx: (payload) => {
    if (payload.length >= 0) messages++;
  },
};

const server = createServer({ noDelay: true }, (socket) => {
  let buffer = Buffer.alloc(0);
  let greeted = false;
  socket.on('error', () => undefined);
  socket.on('data', (data) => {
    buffer = buffer.length === 0 ? data : Buffer.concat([buffer, data]);
    if (!greeted) {
      if (buffer.length < HANDSHAKE_BYTES) return;
      greeted = true;
      buffer = buffer.subarray(HANDSHAKE_BYTES);
      socket.write(encodeHandshake(CHAIN_ID, 'naive'));
    }
    while (buffer.length >= 4) {
      const length = buffer.readUInt32BE(0);
      if (length > MAX_FRAME_LENGTH) {
        socket.destroy();
        return;
      }
      if (buffer.length < 4 + length) return;
      const typeBytes = buffer.readUInt16BE(4);
      const type = buffer.toString('utf8', 6, 6 + typeBytes);
      handlers[type]?.(buffer.subarray(6 + typeBytes, 4 + length));
      buffer = buffer.subarray(4 + length);
    }
  });
});
server.listen(0, '127.0.0.1', () => serve((server.address() as AddressInfo).port, { received: () => messages }));
