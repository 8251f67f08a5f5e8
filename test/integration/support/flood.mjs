/** A worker thread that floods a node from a few peers, as fast as it takes it, beside peers that say nothing. */
import { connect } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';

const PAYLOAD_BYTES = 1024;
const FRAMES_PER_WRITE = 64;

const { port, chainId, flooding, idle } = workerData;
const type = Buffer.from('tx');
const frame = Buffer.alloc(6 + type.length + PAYLOAD_BYTES);
frame.writeUInt32BE(frame.length - 4, 0);
frame.writeUInt16BE(type.length, 4);
type.copy(frame, 6);
const frames = Buffer.concat(Array.from({ length: FRAMES_PER_WRITE }, () => frame));

/** Settles once the node has answered the handshake. */
function join(nodeId, from) {
  const socket = connect({ port, host: '127.0.0.1', localAddress: from });
  const handshake = Buffer.alloc(65);
  handshake[0] = 1;
  handshake.write(chainId, 1);
  handshake.write(nodeId, 33);
  socket.write(handshake);
  socket.on('error', () => undefined);
  return new Promise((resolve) => socket.once('data', () => resolve(socket.resume())));
}

function pour(socket) {
  while (!socket.destroyed && socket.write(frames));
  socket.once('drain', () => setImmediate(pour, socket));
}

// From addresses of their own: one address may have only so many connections.
const joining = Array.from({ length: flooding + idle }, (_, at) => join(`peer-${at}`, `127.${at}.0.1`));
const sockets = await Promise.all(joining);
for (const socket of sockets.slice(0, flooding)) pour(socket);
parentPort.postMessage(sockets.length);
