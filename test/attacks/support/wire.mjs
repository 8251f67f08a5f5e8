/** What peers outside of the project say on the wire, and how they reach a node. Nothing here is the project's own code. */
import { connect } from 'node:net';

/** The chain of the node under attack. */
const CHAIN_ID = 'paw-attacks';
const HANDSHAKE_BYTES = 65;

/** 65 bytes as specification 1.2 has them. */
export function handshake(nodeId, chainId = CHAIN_ID, version = 1) {
  const bytes = Buffer.alloc(HANDSHAKE_BYTES);
  bytes[0] = version;
  bytes.write(chainId, 1);
  bytes.write(nodeId, 33);
  return bytes;
}

/** Everything of a frame that stands before its payload. */
export function frameHead(type, payloadBytes) {
  const head = Buffer.alloc(6 + Buffer.byteLength(type));
  head.writeUInt32BE(head.length - 4 + payloadBytes, 0);
  head.writeUInt16BE(head.length - 6, 4);
  head.write(type, 6);
  return head;
}

export function frame(type, payload = Buffer.alloc(0)) {
  return Buffer.concat([frameHead(type, payload.length), payload]);
}

/**
 * Loopback is grouped like the internet outside of 127.0/16: a hundred netgroups, each host in a subnet of its own. What
 * the hosts of one realm are banned for is not held against those of another.
 */
export function hostOf(index, realm) {
  return `127.${100 + (index % 100)}.${Math.floor(index / 100) % 250}.${1 + realm}`;
}

/** A connection, half-open allowed; its errors are nobody's. Rejects if there is none to be had. */
export function dial(port, from) {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, localAddress: from, allowHalfOpen: true, noDelay: true });
    socket.once('connect', () => resolve(socket));
    socket.on('error', reject);
  });
}

/** Settles with the first 65 bytes, which are all that has been read; null if the connection ends before them. */
export function greeting(socket) {
  return new Promise((resolve) => {
    const done = (bytes) => {
      socket.off('readable', look).off('end', gone).off('close', gone);
      resolve(bytes);
    };
    const look = () => {
      const bytes = socket.read(HANDSHAKE_BYTES);
      if (bytes !== null && bytes.length === HANDSHAKE_BYTES) done(bytes);
    };
    const gone = () => done(null);
    socket.on('readable', look).once('end', gone).once('close', gone);
    look();
  });
}

/** Dials and shakes hands. The socket is read no further. Rejects if the node does not want us. */
export async function join(port, nodeId, from) {
  const socket = await dial(port, from);
  socket.write(handshake(nodeId));
  const answer = await greeting(socket);
  if (answer?.[0] === 1) return socket;
  socket.destroy();
  throw new Error(answer === null ? 'closed' : `refused with code ${answer[1]}`);
}

/** Calls back with type and payload of each frame that comes. */
export function readFrames(socket, onFrame) {
  let rest = Buffer.alloc(0);
  socket.on('data', (data) => {
    rest = rest.length === 0 ? data : Buffer.concat([rest, data]);
    while (rest.length >= 6) {
      const end = 4 + rest.readUInt32BE(0);
      if (rest.length < end) return;
      const typeEnd = 6 + rest.readUInt16BE(4);
      onFrame(rest.toString('utf8', 6, typeEnd), rest.subarray(typeEnd, end));
      rest = rest.subarray(end);
    }
  });
}
