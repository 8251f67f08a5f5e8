/**
 * The most that one Node thread can do: `onread` into one buffer per connection, frames parsed in place without making
 * anything, no hand-over to another thread. It checks the length, compares the type's bytes and counts.
 */
import { type AddressInfo, createServer, Socket } from 'node:net';
import { HANDSHAKE_BYTES, MAX_FRAME_LENGTH } from '../../src/shared/limits.js';
import { readUint16BE, readUint32BE } from '../../src/shared/wire/frame.js';
import { encodeHandshake } from '../../src/shared/wire/handshake.js';
import { CHAIN_ID, serve } from '../channel.js';

const BUFFER_BYTES = 256 * 1024;
let messages = 0;

class Reader {
  readonly bytes = Buffer.alloc(BUFFER_BYTES);
  #filled = 0;
  /** Bytes of a frame larger than the buffer that are still to come. */
  #skip = 0;
  #greeted = false;
  socket!: Socket;

  buffer(): Buffer {
    return this.bytes.subarray(this.#filled);
  }

  received(count: number): boolean {
    this.#filled += count;
    let at = 0;
    if (!this.#greeted) {
      if (this.#filled < HANDSHAKE_BYTES) return true;
      this.#greeted = true;
      at = HANDSHAKE_BYTES;
      this.socket.write(encodeHandshake(CHAIN_ID, 'ceiling'));
    }
    at = this.#frames(at);
    this.bytes.copyWithin(0, at, this.#filled);
    this.#filled -= at;
    return true;
  }

  #frames(start: number): number {
    const { bytes } = this;
    const filled = this.#filled;
    const skipped = Math.min(this.#skip, filled - start);
    this.#skip -= skipped;
    let at = start + skipped;
    if (skipped > 0 && this.#skip === 0) messages++;
    while (filled - at >= 6) {
      const length = readUint32BE(bytes, at);
      const typeBytes = readUint16BE(bytes, at + 4);
      if (length > MAX_FRAME_LENGTH || typeBytes === 0 || typeBytes > length - 2) throw new Error('bad frame');
      if (bytes[at + 6] !== 0x74 || bytes[at + 7] !== 0x78) throw new Error('unknown type');
      if (filled - at >= 4 + length) {
        at += 4 + length;
        messages++;
      } else if (4 + length > BUFFER_BYTES) {
        this.#skip = 4 + length - (filled - at);
        return filled;
      } else break;
    }
    return at;
  }
}

const server = createServer({ pauseOnConnect: true, noDelay: true }, (accepted) => {
  const holder = accepted as unknown as { _handle: object | null };
  const reader = new Reader();
  const onread = { buffer: () => reader.buffer(), callback: (count: number) => reader.received(count) };
  const options = { handle: holder._handle, onread, manualStart: true, allowHalfOpen: false };
  const socket = new Socket(options);
  holder._handle = null;
  reader.socket = socket;
  socket.on('error', () => undefined);
  socket.resume();
});
server.listen(0, '127.0.0.1', () => serve((server.address() as AddressInfo).port, { received: () => messages }));
