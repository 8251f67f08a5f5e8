/** Sockets of the load that have shaken hands with whatever is under test. */
import { connect, type Socket } from 'node:net';
import { HANDSHAKE_BYTES } from '../../src/shared/limits.js';
import { encodeHandshake } from '../../src/shared/wire/handshake.js';
import { CHAIN_ID } from '../channel.js';

/** Handshakes that are under way at once. */
const AT_ONCE = 64;
/** Different addresses of this host, so that ports do not run out while closed connections age. */
const HOSTS = 200;
let next = 0;

/** Connects and shakes hands; settles when the 65 bytes of the answer are there. Bytes behind them are lost. */
export function join(port: number, name: string): Promise<Socket> {
  const number = next++;
  const localAddress = `127.0.0.${1 + (number % HOSTS)}`;
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, localAddress, noDelay: true });
    let left = HANDSHAKE_BYTES;
    const read = (data: Buffer) => {
      if (left === HANDSHAKE_BYTES && data[0] === 0) {
        reject(new Error(`refused: ${data.toString('utf8', 2)}`));
        return;
      }
      left -= data.length;
      if (left > 0) return;
      socket.off('data', read);
      socket.off('error', reject);
      socket.on('error', () => undefined);
      resolve(socket);
    };
    socket.on('data', read).on('error', reject);
    socket.once('close', () => reject(new Error('closed in its handshake')));
    socket.write(encodeHandshake(CHAIN_ID, `${name}-${process.pid}-${number}`));
  });
}

/** Joins with many, a few at once. */
export async function joinAll(port: number, count: number, name: string): Promise<Socket[]> {
  const sockets: Socket[] = [];
  while (sockets.length < count) {
    const batch = Math.min(AT_ONCE, count - sockets.length);
    sockets.push(...(await Promise.all(Array.from({ length: batch }, () => join(port, name)))));
  }
  return sockets;
}
