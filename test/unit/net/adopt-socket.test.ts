import { connect, createServer, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { adoptSocket, readByCopy } from '../../../src/main/net/adopt-socket.js';

describe('an accepted socket', () => {
  /** Sends bytes through a real connection into small buffers. @returns what arrived */
  async function through(adopt: typeof adoptSocket, bytes: Buffer): Promise<Buffer> {
    const got: Buffer[] = [];
    let buffer = Buffer.alloc(0);
    let calls = 0;
    let adopted: Socket;
    const server = createServer({ pauseOnConnect: true }, (socket) => {
      adopted = adopt(socket, {
        buffer: () => {
          buffer = Buffer.alloc(1 + (calls % 7));
          return buffer;
        },
        received: (count) => {
          got.push(Buffer.from(buffer.subarray(0, count)));
          if (++calls % 5 !== 0) return true;
          setImmediate(() => adopted.resume());
          return false;
        },
      });
      adopted.on('end', () => adopted.end());
      adopted.resume();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const client = connect((server.address() as { port: number }).port, '127.0.0.1');
    client.end(bytes);
    client.resume();
    await new Promise((resolve) => client.once('close', resolve));
    server.close();
    return Buffer.concat(got);
  }

  const bytes = Buffer.from(Array.from({ length: 1000 }, (_, i) => i));

  it('is read straight into memory of ours, with pauses', async () => {
    expect(await through(adoptSocket, bytes)).toEqual(bytes);
  });

  it('is read the same way by copies where Node hides its handle', async () => {
    expect(await through(readByCopy, bytes)).toEqual(bytes);
  });
});
