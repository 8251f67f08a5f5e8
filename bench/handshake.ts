/** Handshakes as programs of the bench take them that look at none: 65 bytes came. */
import type { Socket } from 'node:net';
import { HANDSHAKE_BYTES } from '../src/shared/limits.js';

/** Calls `isDone` once all bytes of the other side's handshake are there; reads and ignores what follows. */
export function onHandshake(socket: Socket, isDone: () => void): void {
  let left = HANDSHAKE_BYTES;
  socket.on('error', () => undefined);
  socket.on('data', (data) => {
    if (left <= 0) return;
    left -= data.length;
    if (left <= 0) isDone();
  });
}
