/** A peer that is nothing but a socket: the test decides what it says. Its parser is its own, not the project's. */
import { connect, type Socket } from 'node:net';
import { afterEach } from 'vitest';
import { CHAIN_ID, until } from './nodes.js';

export interface RawFrame {
  readonly type: string;
  readonly payload: Buffer;
}

const open: RawPeer[] = [];
afterEach(() => {
  for (const peer of open.splice(0)) peer.socket.destroy();
});

/** 65 bytes as specification 1.2 has them. */
export function handshakeBytes(chainId = CHAIN_ID, nodeId = 'raw', version = 1): Buffer {
  const bytes = Buffer.alloc(65);
  bytes[0] = version;
  bytes.write(chainId, 1);
  bytes.write(nodeId, 33);
  return bytes;
}

export function frame(type: string, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(6);
  head.writeUInt32BE(2 + Buffer.byteLength(type) + payload.length, 0);
  head.writeUInt16BE(Buffer.byteLength(type), 4);
  return Buffer.concat([head, Buffer.from(type), payload]);
}

export class RawPeer {
  readonly socket: Socket;
  readonly frames: RawFrame[] = [];
  /** The 65 bytes of the other side, once they are there. */
  greeting: Buffer | null = null;
  ended = false;
  closed = false;
  #chunks: Buffer[] = [];
  #bytes = 0;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (data) => this.#read(data));
    socket.on('end', () => {
      this.ended = true;
    });
    socket.on('close', () => {
      this.closed = true;
    });
    socket.on('error', () => undefined);
    open.push(this);
  }

  /** @param from loopback address to come from, and @param to to go to: 127.0.0.1 unless told otherwise */
  static async dial(port: number, from = '127.0.0.1', to = '127.0.0.1'): Promise<RawPeer> {
    const socket = connect({ host: to, port, localAddress: from, allowHalfOpen: true });
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return new RawPeer(socket);
  }

  static of(socket: Socket): RawPeer {
    return new RawPeer(socket);
  }

  /** Dials and shakes hands. */
  static async join(port: number, nodeId = 'raw', from?: string, to?: string): Promise<RawPeer> {
    const peer = await RawPeer.dial(port, from, to);
    peer.socket.write(handshakeBytes(CHAIN_ID, nodeId));
    await until(() => peer.greeting !== null, 'the answer to the handshake');
    return peer;
  }

  send(type: string, payload?: Uint8Array): void {
    this.socket.write(frame(type, payload));
  }

  of(type: string): RawFrame[] {
    return this.frames.filter((frame) => frame.type === type);
  }

  async frame(type: string, timeoutMs?: number): Promise<RawFrame> {
    await until(() => this.of(type).length > 0, `a frame of type ${type}`, timeoutMs);
    return this.of(type)[0];
  }

  #read(data: Buffer): void {
    this.#chunks.push(data);
    this.#bytes += data.length;
    for (;;) {
      const head = this.#peek(this.greeting === null ? 65 : 4);
      if (head === null) return;
      if (this.greeting === null) {
        this.greeting = Buffer.from(this.#take(65));
        continue;
      }
      const length = head.readUInt32BE(0);
      if (this.#bytes < 4 + length) return;
      const whole = this.#take(4 + length);
      const typeEnd = 6 + whole.readUInt16BE(4);
      this.frames.push({ type: whole.toString('utf8', 6, typeEnd), payload: Buffer.from(whole.subarray(typeEnd)) });
    }
  }

  #peek(count: number): Buffer | null {
    if (this.#bytes < count) return null;
    if (this.#chunks[0].length < count) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0];
  }

  #take(count: number): Buffer {
    if (this.#chunks[0].length < count) this.#chunks = [Buffer.concat(this.#chunks)];
    const taken = this.#chunks[0].subarray(0, count);
    this.#chunks[0] = this.#chunks[0].subarray(count);
    if (this.#chunks[0].length === 0) this.#chunks.shift();
    this.#bytes -= count;
    return taken;
  }
}
