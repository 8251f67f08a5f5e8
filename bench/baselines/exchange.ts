/**
 * A bare accept and exchange of 65 bytes, either way round: answers whoever connects, and dials when it is asked to. It
 * checks nothing and remembers nobody.
 */
import { type AddressInfo, connect, createServer } from 'node:net';
import { encodeHandshake } from '../../src/shared/wire/handshake.js';
import { CHAIN_ID, serve } from '../channel.js';
import { onHandshake } from '../handshake.js';

const answer = encodeHandshake(CHAIN_ID, 'exchange');
let exchanges = 0;

const server = createServer({ noDelay: true }, (socket) => {
  onHandshake(socket, () => {
    socket.write(answer);
    exchanges++;
  });
});

function dial(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    socket.once('connect', () => socket.write(answer)).once('error', reject);
    onHandshake(socket, () => {
      exchanges++;
      socket.end();
      resolve();
    });
  });
}

server.listen(0, '127.0.0.1', () =>
  serve((server.address() as AddressInfo).port, {
    exchanges: () => exchanges,
    dialAll: async ({ port, atOnce, seconds }: { port: number; atOnce: number; seconds: number }) => {
      const endMs = performance.now() + seconds * 1000;
      const one = async () => {
        while (performance.now() < endMs) await dial(port);
      };
      await Promise.all(Array.from({ length: atOnce }, one));
    },
  }),
);
