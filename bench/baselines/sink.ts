/**
 * Reads and throws away: what arrives when nothing is done with it. Counts whole frames of the size that it is told, so
 * that it compares with programs that parse.
 */
import { type AddressInfo, createServer, Socket } from 'node:net';
import { HANDSHAKE_BYTES } from '../../src/shared/limits.js';
import { encodeHandshake } from '../../src/shared/wire/handshake.js';
import { CHAIN_ID, optionsOf, serve } from '../channel.js';

const { frameBytes } = optionsOf<{ readonly frameBytes: number }>();
const nowhere = Buffer.alloc(256 * 1024);
let bytes = 0;

const server = createServer({ pauseOnConnect: true, noDelay: true }, (accepted) => {
  const holder = accepted as unknown as { _handle: object | null };
  let greeting = HANDSHAKE_BYTES;
  const onread = {
    buffer: nowhere,
    callback: (count: number) => {
      bytes += count;
      if (greeting === 0) return true;
      greeting = Math.max(0, greeting - count);
      if (greeting === 0) socket.write(encodeHandshake(CHAIN_ID, 'sink'));
      return true;
    },
  };
  const options = { handle: holder._handle, onread, manualStart: true, allowHalfOpen: false };
  const socket = new Socket(options);
  holder._handle = null;
  socket.on('error', () => undefined);
  socket.resume();
});
server.listen(0, '127.0.0.1', () =>
  serve((server.address() as AddressInfo).port, { received: () => Math.floor(bytes / frameBytes) }),
);
