/** Load for dials: accepts, answers each handshake as another node, and counts. */
import { type AddressInfo, createServer } from 'node:net';
import { encodeHandshake } from '../../src/shared/wire/handshake.js';
import { CHAIN_ID, serve } from '../channel.js';
import { onHandshake } from '../handshake.js';

let exchanges = 0;
const server = createServer({ noDelay: true }, (socket) => {
  onHandshake(socket, () => void socket.write(encodeHandshake(CHAIN_ID, `listener-${exchanges++}`)));
});
server.listen({ host: '127.0.0.1', port: 0, backlog: 1024 }, () =>
  serve((server.address() as AddressInfo).port, { exchanges: () => exchanges }),
);
