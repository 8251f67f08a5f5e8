/**
 * Load: connects, shakes hands, and writes prebuilt frames as fast as the other side takes them. Its own process. Costs
 * less than any target, because it writes the same large buffer again and again and builds nothing.
 * Arguments: port, connections, bytes of a frame's payload.
 */
import { connect } from 'node:net';
import { HANDSHAKE_BYTES } from '../../src/shared/limits.js';
import { encodeFrame } from '../../src/shared/wire/frame.js';
import { encodeHandshake } from '../../src/shared/wire/handshake.js';
import { CHAIN_ID } from '../target.js';

const BLOCK_BYTES = 256 * 1024;
const [port, connections, payloadBytes] = process.argv.slice(2).map(Number);

const frame = encodeFrame('tx', Buffer.alloc(payloadBytes, 0x5a));
const block = Buffer.concat(new Array(Math.max(1, Math.floor(BLOCK_BYTES / frame.length))).fill(frame));

for (let i = 0; i < connections; i++) {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  let answered = 0;
  const pump = () => {
    while (socket.write(block));
  };
  socket.on('data', (data) => {
    const before = answered;
    answered += data.length;
    if (before < HANDSHAKE_BYTES && answered >= HANDSHAKE_BYTES) {
      socket.on('drain', pump);
      pump();
    }
  });
  socket.write(encodeHandshake(CHAIN_ID, `load-${process.pid}-${i}`));
  socket.on('error', () => undefined);
}

process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send!({ kind: 'reading', messages: 0, cpuUs: user + system });
});
process.on('disconnect', () => process.exit(0));
