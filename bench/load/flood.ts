/**
 * Load: connects, shakes hands, and writes prebuilt frames as fast as the other side takes them. Costs less than any
 * target, because it writes the same large buffer again and again and builds nothing.
 */
import { HANDSHAKE_BYTES } from '../../src/shared/limits.js';
import { encodeFrame } from '../../src/shared/wire/frame.js';
import { optionsOf, serve } from '../channel.js';
import { joinAll } from './peer.js';

export interface FloodOptions {
  readonly port: number;
  readonly connections: number;
  readonly type: string;
  readonly payloadBytes: number;
}

const BLOCK_BYTES = 256 * 1024;
const BLOCKS_AT_ONCE = 4;
const { port, connections, type, payloadBytes } = optionsOf<FloodOptions>();

const frame = encodeFrame(type, Buffer.alloc(payloadBytes, 0x5a));
const block = Buffer.concat(new Array(Math.max(1, Math.floor(BLOCK_BYTES / frame.length))).fill(frame));
let isOver = false;

const sockets = await joinAll(port, connections, 'flood');
for (const socket of sockets) {
  // What the other side says is read, so that it can always write.
  socket.on('data', () => undefined);
  const pump = () => {
    // A few at once: a target that is as fast as this loop would keep everything else here from its turn.
    let isFull = isOver;
    for (let i = 0; i < BLOCKS_AT_ONCE && !isFull; i++) isFull = !socket.write(block);
    if (!isFull) setImmediate(pump);
  };
  socket.on('drain', pump);
  pump();
}

serve(0, {
  /** Writes no more. @returns how many frames were sent, once the kernel has taken them all */
  finish: async () => {
    isOver = true;
    while (sockets.some((socket) => socket.writableLength > 0)) await new Promise((resolve) => setTimeout(resolve, 5));
    return sockets.reduce((frames, { bytesWritten }) => frames + (bytesWritten - HANDSHAKE_BYTES) / frame.length, 0);
  },
});
