/**
 * One thread that writes each message to each socket in a loop: what is broadcast on request, and what a peer sends to
 * all others. Frames are parsed in place, once. It waits for sockets that are full, as a careful program does.
 */
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { HANDSHAKE_BYTES } from '../../src/shared/limits.js';
import { encodeFrame, readUint32BE } from '../../src/shared/wire/frame.js';
import { encodeHandshake } from '../../src/shared/wire/handshake.js';
import { CHAIN_ID, serve } from '../channel.js';

const BROADCASTS_PER_TURN = 16;
const HIGH_WATER_BYTES = 8 * 1024 * 1024;
const sockets = new Set<Socket>();
let broadcasting = false;

function passOn(from: Socket, frame: Buffer): void {
  for (const socket of sockets) if (socket !== from) socket.write(frame);
}

const server = createServer({ noDelay: true }, (socket) => {
  let buffer = Buffer.alloc(0);
  let greeted = false;
  socket.on('error', () => undefined);
  socket.on('close', () => sockets.delete(socket));
  socket.on('data', (data) => {
    buffer = buffer.length === 0 ? data : Buffer.concat([buffer, data]);
    if (!greeted) {
      if (buffer.length < HANDSHAKE_BYTES) return;
      greeted = true;
      buffer = buffer.subarray(HANDSHAKE_BYTES);
      socket.write(encodeHandshake(CHAIN_ID, 'hub'));
      sockets.add(socket);
    }
    let at = 0;
    while (buffer.length - at >= 4) {
      const end = at + 4 + readUint32BE(buffer, at);
      if (end > buffer.length) break;
      passOn(socket, buffer.subarray(at, end));
      at = end;
    }
    buffer = buffer.subarray(at);
  });
});

function broadcast(frame: Buffer): void {
  if (!broadcasting) return;
  for (let i = 0; i < BROADCASTS_PER_TURN; i++) {
    let isFull = false;
    for (const socket of sockets) if (socket.writableLength > HIGH_WATER_BYTES) isFull = true;
    if (isFull) break;
    for (const socket of sockets) socket.write(frame);
  }
  setImmediate(broadcast, frame);
}

server.listen(0, '127.0.0.1', () =>
  serve((server.address() as AddressInfo).port, {
    peers: () => sockets.size,
    broadcast: ({ type, payloadBytes }: { type: string; payloadBytes: number }) => {
      broadcasting = true;
      broadcast(encodeFrame(type, Buffer.alloc(payloadBytes, 0x5a)));
    },
    quiet: () => {
      broadcasting = false;
    },
  }),
);
