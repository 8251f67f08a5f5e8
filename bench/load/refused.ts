/** Load: connects at a steady rate, from one address or many, as a node of another chain, which is refused each time. */
import { connect } from 'node:net';
import { encodeHandshake } from '../../src/shared/wire/handshake.js';
import { optionsOf, serve } from '../channel.js';
import { Pacer } from './pacer.js';

export interface RefusedOptions {
  readonly port: number;
  readonly ratePerSecond: number;
  /** How many addresses of this host the connections come from. */
  readonly addresses: number;
}

const { port, ratePerSecond, addresses } = optionsOf<RefusedOptions>();
const handshake = encodeHandshake('another-chain', 'refused');
let next = 0;
let closed = 0;

new Pacer(ratePerSecond, () => {
  const number = next++ % addresses;
  const localAddress = `127.${1 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`;
  const socket = connect({ host: '127.0.0.1', port, localAddress });
  socket.on('error', () => undefined);
  socket.on('close', () => closed++);
  socket.resume();
  // The node closes first: else every port of an address would be used up within a minute.
  socket.write(handshake);
});

serve(0, { closed: () => closed });
