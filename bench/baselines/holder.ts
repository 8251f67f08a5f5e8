/** Accepts connections, answers handshakes and holds them: what bare sockets cost in memory. */
import { type AddressInfo, createServer } from 'node:net';
import { HANDSHAKE_BYTES } from '../../src/shared/limits.js';
import { encodeHandshake } from '../../src/shared/wire/handshake.js';
import { CHAIN_ID, serve } from '../channel.js';

const answer = encodeHandshake(CHAIN_ID, 'holder');
let peers = 0;

const server = createServer({ noDelay: true }, (socket) => {
  let left = HANDSHAKE_BYTES;
  socket.on('error', () => undefined);
  socket.on('data', (data) => {
    if (left <= 0) return;
    left -= data.length;
    if (left > 0) return;
    peers++;
    socket.write(answer);
  });
});
server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, () =>
  serve((server.address() as AddressInfo).port, { peers: () => peers }),
);
