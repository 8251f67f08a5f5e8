/** The shortest echo there is in Node: what comes is written back, without a look at it. */
import { type AddressInfo, createServer } from 'node:net';
import { serve } from '../channel.js';

const server = createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => undefined);
  socket.on('data', (data) => socket.write(data));
});
server.listen(0, '127.0.0.1', () => serve((server.address() as AddressInfo).port));
