/** Load for dials: accepts, answers each handshake as another node, and counts. */
import { type AddressInfo, createServer } from 'node:net';
import { HANDSHAKE_BYTES } from '../../src/shared/limits.js';
import { encodeHandshake } from '../../src/shared/wire/handshake.js';
import { CHAIN_ID, serve } from '../channel.js';

let exchanges = 0;
const server = createServer({ noDelay: true }, (socket) => {
  let left = HANDSHAKE_BYTES;
  socket.on('error', () => undefined);
  socket.on('data', (data) => {
    if (left <= 0) return;
    left -= data.length;
    if (left <= 0) socket.write(encodeHandshake(CHAIN_ID, `listener-${exchanges++}`));
  });
});
server.listen({ host: '127.0.0.1', port: 0, backlog: 1024 }, () =>
  serve((server.address() as AddressInfo).port, { exchanges: () => exchanges }),
);
