/** Accepts connections, answers handshakes and holds them: what bare sockets cost in memory. */
import { type AddressInfo, createServer } from 'node:net';
import { encodeHandshake } from '../../src/shared/wire/handshake.js';
import { CHAIN_ID, serve } from '../channel.js';
import { onHandshake } from '../handshake.js';

const answer = encodeHandshake(CHAIN_ID, 'holder');
let peers = 0;

const server = createServer({ noDelay: true }, (socket) => {
  onHandshake(socket, () => {
    peers++;
    socket.write(answer);
  });
});
server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, () =>
  serve((server.address() as AddressInfo).port, { peers: () => peers }),
);
