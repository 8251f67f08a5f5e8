/**
 * Load for js-libp2p: opens connections with one stream each, and writes prebuilt blocks of whole frames as fast as the
 * streams take them.
 *
 * One node opens all connections (a dial with `force` does not reuse the one there is), because a node for each would
 * only cost more memory: a connection has its own socket, its own cipher and its own yamux session either way, and the
 * other side does the same work for it.
 */
import { multiaddr } from '@multiformats/multiaddr';
import { createNode, options, PROTOCOL, serve } from './common.mjs';

/** As good as any of 32 KiB to 1 MiB with 16 connections, and cheapest for this side. */
const BLOCK_BYTES = 256 * 1024;
const TYPE = 'tx';
const { address, connections, payloadBytes } = options;

function encodeFrame(payload) {
  const header = Buffer.alloc(6);
  header.writeUInt32BE(2 + TYPE.length + payload.length, 0);
  header.writeUInt16BE(TYPE.length, 4);
  return Buffer.concat([header, Buffer.from(TYPE), payload]);
}

const frame = encodeFrame(Buffer.alloc(payloadBytes, 0x5a));
const block = Buffer.concat(new Array(Math.max(1, Math.floor(BLOCK_BYTES / frame.length))).fill(frame));

function flood(stream) {
  const pump = () => {
    while (!stream.writableNeedsDrain && stream.send(block));
  };
  // The event, not `onDrain()`: its promise is never renewed, so that from the second time on it holds nothing back.
  // In a microtask, because the stream writes what it still has in one of its own that is queued before.
  stream.addEventListener('drain', () => queueMicrotask(pump));
  pump();
}

const node = await createNode();
const streams = [];
for (let i = 0; i < connections; i++) {
  const connection = await node.dial(multiaddr(address), { force: true });
  streams.push(await connection.newStream(PROTOCOL));
}
for (const stream of streams) flood(stream);
serve();
