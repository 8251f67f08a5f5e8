/** Load: peers that read whatever comes and count its bytes, and do nothing else. */
import { connect } from 'node:net';
import { HANDSHAKE_BYTES } from '../../src/shared/limits.js';
import { encodeHandshake } from '../../src/shared/wire/handshake.js';
import { CHAIN_ID, optionsOf, serve } from '../channel.js';

export interface ReceiversOptions {
  readonly port: number;
  readonly connections: number;
}

const { port, connections } = optionsOf<ReceiversOptions>();
const nowhere = Buffer.alloc(256 * 1024);
let bytes = -connections * HANDSHAKE_BYTES;

const joined = Array.from({ length: connections }, (_, i) => {
  return new Promise<void>((resolve) => {
    const onread = {
      buffer: nowhere,
      callback: (count: number) => {
        bytes += count;
        resolve();
        return true;
      },
    };
    const socket = connect({ host: '127.0.0.1', port, noDelay: true, onread });
    socket.on('error', () => undefined);
    socket.write(encodeHandshake(CHAIN_ID, `receiver-${process.pid}-${i}`));
  });
});
await Promise.all(joined);
serve(0, { bytes: () => bytes });
