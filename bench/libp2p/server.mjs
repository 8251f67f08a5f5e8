/**
 * js-libp2p as the target of a flood: takes streams of `/bench/1.0.0` and counts the frames in them. They have the form
 * of PAW's (4 bytes length, 2 bytes type length, type, payload) and are parsed in the chunks that js-libp2p hands over;
 * bytes are only copied where a frame begins in one chunk and ends in another. As the ceiling does it: the lengths are
 * checked, the type's bytes are compared, and nothing is made of a frame.
 */
import { createNode, PROTOCOL, serve } from './common.mjs';

const MAX_FRAME_LENGTH = 10 * 1024 * 1024;
const NOTHING = Buffer.alloc(0);
let messages = 0;

const readUint32BE = (bytes, at) =>
  ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
const readUint16BE = (bytes, at) => (bytes[at] << 8) | bytes[at + 1];

class Reader {
  /** The beginning of a frame whose rest is still to come. */
  #begun = NOTHING;

  read(chunk) {
    let at = 0;
    while (this.#begun.length > 0 && at < chunk.length) at = this.#complete(chunk, at);
    const end = this.#frames(chunk, at);
    if (end < chunk.length) this.#begun = chunk.subarray(end);
  }

  /** Takes what the frame that has begun lacks, its length first. @returns how far the chunk is read */
  #complete(chunk, at) {
    const begun = this.#begun;
    const wanted = begun.length < 6 ? 6 : 4 + readUint32BE(begun, 0);
    const end = Math.min(chunk.length, at + wanted - begun.length);
    const bytes = Buffer.concat([begun, chunk.subarray(at, end)]);
    this.#begun = this.#frames(bytes, 0) === 0 ? bytes : NOTHING;
    return end;
  }

  /** Counts whole frames. @returns where the first one begins that is not whole */
  #frames(bytes, start) {
    const { length: filled } = bytes;
    let at = start;
    while (filled - at >= 6) {
      const length = readUint32BE(bytes, at);
      const typeBytes = readUint16BE(bytes, at + 4);
      if (length > MAX_FRAME_LENGTH || typeBytes === 0 || typeBytes > length - 2) throw new Error('bad frame');
      if (filled - at < 4 + length) break;
      if (bytes[at + 6] !== 0x74 || bytes[at + 7] !== 0x78) throw new Error('unknown type');
      at += 4 + length;
      messages++;
    }
    return at;
  }
}

const node = await createNode(['/ip4/127.0.0.1/tcp/0']);
await node.handle(PROTOCOL, (stream) => {
  const reader = new Reader();
  stream.addEventListener('message', ({ data }) => {
    if (data instanceof Uint8Array) reader.read(data);
    else for (const chunk of data) reader.read(chunk);
  });
});
const [address] = node.getMultiaddrs();
serve({ port: Number(address.toString().split('/')[4]), address: address.toString(), received: () => messages });
