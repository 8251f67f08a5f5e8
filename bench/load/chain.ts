/**
 * Load: the peers of a node on a busy chain. Of the messages that they send at a steady rate, 70 % are `tx` of 250 to 500
 * bytes, 25 % `vote` of about 200, the rest `tx` again; a `block` of 1 MB goes out every 2 s. Each carries when it should
 * have been sent, so whoever gets it knows how long it took. Every peer reads what the node passes on.
 */
import type { Socket } from 'node:net';
import { encodeFrame, readUint16BE, readUint32BE } from '../../src/shared/wire/frame.js';
import { optionsOf, serve } from '../channel.js';
import { Latencies, sharedNowUs } from './latency.js';
import { Pacer } from './pacer.js';
import { joinAll } from './peer.js';

export interface ChainOptions {
  readonly port: number;
  readonly peers: number;
  readonly ratePerSecond: number;
}

const VOTE_SHARE = 0.25;
const VOTE_BYTES = 200;
const TX_BYTES = [250, 500] as const;
const BLOCK_BYTES = 1024 * 1024;
const BLOCKS_PER_SECOND = 0.5;
/** Sequence number and time stand at the beginning of a payload. */
const STAMP_BYTES = 16;

const { port, peers, ratePerSecond } = optionsOf<ChainOptions>();
const latencies = new Latencies();
const blockLatencies = new Latencies();
let sent = 0;
let delivered = 0;

/** A frame whose payload begins with the stamp; nothing else of it changes. */
function stamped(frame: Buffer, payloadBytes: number, intendedUs: number): Buffer {
  const at = frame.length - payloadBytes;
  frame.writeDoubleBE(sent++, at);
  frame.writeDoubleBE(intendedUs, at + 8);
  return frame;
}

/** Counts the frames of one peer and reads their stamps, without keeping them. */
class Reader {
  #left: Buffer = Buffer.alloc(0);
  /** Of a frame larger than a chunk: bytes that are still to come, and its stamp. */
  #skip = 0;
  #since = 0;

  read(chunk: Buffer): void {
    let data = chunk;
    if (this.#skip > 0) {
      const taken = Math.min(this.#skip, data.length);
      this.#skip -= taken;
      if (this.#skip > 0) return;
      blockLatencies.record(sharedNowUs() - this.#since);
      delivered++;
      data = data.subarray(taken);
    }
    if (this.#left.length > 0) data = Buffer.concat([this.#left, data]);
    let at = 0;
    const nowUs = sharedNowUs();
    while (data.length - at >= 6) {
      const stampAt = at + 6 + readUint16BE(data, at + 4);
      if (data.length < stampAt + STAMP_BYTES) break;
      const end = at + 4 + readUint32BE(data, at);
      const isTold = data[at + 6] !== 0x70;
      const since = data.readDoubleBE(stampAt + 8);
      if (end > data.length) {
        if (end - at < BLOCK_BYTES) break;
        this.#skip = end - data.length;
        this.#since = since;
        at = data.length;
        break;
      }
      if (isTold) {
        latencies.record(nowUs - since);
        delivered++;
      }
      at = end;
    }
    this.#left = data.subarray(at);
  }
}

const sockets = await joinAll(port, peers, 'chain');
for (const socket of sockets) {
  const reader = new Reader();
  socket.on('data', (data) => reader.read(data));
}

let turn = 0;
const nextSocket = (): Socket => sockets[turn++ % sockets.length]!;
new Pacer(ratePerSecond, (intendedUs) => {
  const isVote = (sent * VOTE_SHARE) % 1 === 0;
  const [least, most] = TX_BYTES;
  const bytes = isVote ? VOTE_BYTES : least + ((sent * 7) % (most - least));
  nextSocket().write(stamped(encodeFrame(isVote ? 'vote' : 'tx', Buffer.alloc(bytes, 0x5a)), bytes, intendedUs));
});
new Pacer(BLOCKS_PER_SECOND, (intendedUs) => {
  nextSocket().write(stamped(encodeFrame('block', Buffer.alloc(BLOCK_BYTES, 0x5a)), BLOCK_BYTES, intendedUs));
});

serve(0, {
  counts: () => ({ sent, delivered }),
  latencies: () => latencies.take(),
  blockLatencies: () => blockLatencies.take(),
});
