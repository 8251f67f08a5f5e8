/** Peers that send as much as they can of what costs them little. */
import { randomBytes } from 'node:crypto';
import { frame, join } from '../support/wire.mjs';
import { crowd, gone, pour } from './crowd.mjs';

const CHUNK_BYTES = 64 * 1024;

/** As many whole frames as fit into a chunk. */
function chunkOf(next) {
  const frames = [];
  for (let bytes = 0; bytes < CHUNK_BYTES; ) {
    const one = next();
    frames.push(one);
    bytes += one.length;
  }
  return Buffer.concat(frames);
}

/** Peers pour chunks; who is thrown out comes again from elsewhere. What the node answers is read, or is not. */
async function flood({ port, hostOf, count, isDeaf }, { over, inPlace }, next) {
  let there = 0;
  let bytes = 0;
  const goes = await crowd(count, over, async (number, go) => {
    const socket = await join(port, `flood-${number}-${go}`, hostOf(number + count * go));
    if (++there === count) inPlace();
    if (!isDeaf) socket.resume();
    bytes += await pour(socket, over, next);
    socket.destroy();
    await gone(socket);
  });
  return { ...goes, mib: Math.round(bytes / 1024 / 1024) };
}

function repeated(chunk) {
  return () => chunk;
}

export function pings(target, siege) {
  return flood(target, siege, repeated(chunkOf(() => frame('ping', Buffer.from('8 bytes.')))));
}

/** Messages of a handled type, without any payload. */
export function tinyFrames(target, siege) {
  return flood(target, siege, repeated(chunkOf(() => frame('seq', Buffer.alloc(4)))));
}

/** The smallest frame there is: a type of one byte that nobody knows. */
export function nothings(target, siege) {
  return flood(target, siege, repeated(chunkOf(() => frame('x'))));
}

/** Types that nobody knows, and never the same one twice. */
export function unknownTypes(target, siege) {
  let made = 0;
  return flood(target, siege, () => chunkOf(() => frame(`type-${made++}`, Buffer.from('hm'))));
}

/** Answers to what nobody asked. */
export function pongs(target, siege) {
  return flood(target, siege, repeated(chunkOf(() => frame('pong', Buffer.from('8 bytes.')))));
}

export function goodbyes(target, siege) {
  return flood(target, siege, repeated(chunkOf(() => frame('disconnect', Buffer.from([8, 0x62, 0x79, 0x65])))));
}

/** Addresses that are all new, in messages that are as large as they may be. */
export function addresses(target, siege) {
  let made = 0;
  const message = () => {
    const seen = new Date().toISOString();
    const peers = Array.from({ length: 200 }, () => {
      const at = made++;
      return {
        id: `p${at}`,
        address: `8.${(at >> 16) & 255}.${(at >> 8) & 255}.${at & 255}`,
        port: 26656,
        source: 3,
        last_seen: seen,
      };
    });
    return frame('pex/peers', Buffer.from(JSON.stringify({ timestamp: seen, peers })));
  };
  return flood(target, siege, message);
}

/** Typed messages whose arrays lie in arrays in arrays, much deeper than they may. */
export function deepMessages(target, siege) {
  const deep = Buffer.concat([Buffer.alloc(100_000, 0x91), Buffer.of(0xc0)]);
  return flood(target, siege, repeated(frame('vote', deep)));
}

/** Typed messages that promise four thousand million entries and end. */
export function emptyPromises(target, siege) {
  return flood(target, siege, repeated(chunkOf(() => frame('vote', Buffer.of(0xdf, 0xff, 0xff, 0xff, 0xff)))));
}

/** Noise instead of frames. */
export function noise(target, siege) {
  return flood(target, siege, () => randomBytes(1 + Math.floor(Math.random() * CHUNK_BYTES)));
}
