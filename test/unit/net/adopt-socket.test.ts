import { createServer, connect as dial, type Server, Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type Adopt, adoptSocket, type ReadSink, readByCopy, takeHandles } from '../../../src/main/net/adopt-socket.js';
import { divert } from '../../simulation/event-loop.js';

const open: (Socket | Server)[] = [];
afterEach(() => {
  for (const one of open.splice(0)) {
    if (one instanceof Socket) one.destroy();
    else one.close();
  }
});

/** The far end of a connection, and the way to the near one, which has not been read. */
async function pair(
  way: (server: Server, got: (adopt: Adopt) => void) => void,
): Promise<{ far: Socket; adopt: Adopt }> {
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true });
  open.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const got = new Promise<Adopt>((resolve) => way(server, resolve));
  const far = dial({ host: '127.0.0.1', port: (server.address() as { port: number }).port, allowHalfOpen: true });
  open.push(far);
  return { far, adopt: await got };
}

function onceAccepted(server: Server, then: (accepted: Socket) => void): void {
  server.once('connection', (accepted) => {
    open.push(accepted);
    then(accepted);
  });
}

/** Takes bytes into shared memory, at most `step` at a time, and says stop once it has `limit`. */
class Sink implements ReadSink {
  readonly memory = new Uint8Array(new SharedArrayBuffer(4096));
  readonly got: number[] = [];
  limit = Number.POSITIVE_INFINITY;
  afterStop = 0;
  #last!: Uint8Array;
  readonly #step: number;

  constructor(step: number) {
    this.#step = step;
  }

  buffer(): Uint8Array {
    const offset = this.got.length % (this.memory.length - this.#step);
    this.#last = this.memory.subarray(offset, offset + this.#step);
    return this.#last;
  }

  received(bytes: number): boolean {
    if (this.got.length >= this.limit) this.afterStop += bytes;
    for (const byte of this.#last.subarray(0, bytes)) this.got.push(byte);
    return this.got.length < this.limit;
  }
}

/** One whose bytes have the program throw in the tick behind each read. */
class ThrowingSink extends Sink {
  override received(bytes: number): boolean {
    process.nextTick(() => {
      throw new Error('a fault of the program');
    });
    return super.received(bytes);
  }
}

async function ended(socket: Socket): Promise<void> {
  await new Promise((resolve) => socket.once('end', resolve));
}

const pattern = Buffer.from(Uint8Array.from({ length: 50_000 }, (_, i) => (i * 17 + (i >> 8)) & 0xff));

const ways: [string, Parameters<typeof pair>[0]][] = [
  ['made of the handle that the listener gets', (server, got) => expect(takeHandles(server, got)).toBe(true)],
  ['made of an accepted socket', (server, got) => onceAccepted(server, (one) => got((sink) => adoptSocket(one, sink)))],
  ['read by copies', (server, got) => onceAccepted(server, (one) => got((sink) => readByCopy(one, sink)))],
];

describe.each(ways)('the socket of an accepted connection, %s,', (_, way) => {
  it('gives every byte to the sink, however small its buffers', async () => {
    for (const step of [1, 7, 1000]) {
      const { far, adopt } = await pair(way);
      const bytes = pattern.subarray(0, 500 * step);
      far.end(bytes);
      const sink = new Sink(step);
      const socket = adopt(sink);
      open.push(socket);
      const end = ended(socket);
      socket.resume();
      await end;
      expect(Buffer.from(sink.got).equals(bytes)).toBe(true);
    }
  });

  it('reads nothing until it is resumed', async () => {
    const { far, adopt } = await pair(way);
    const sink = new Sink(1000);
    const socket = adopt(sink);
    open.push(socket);
    // The other end has got rid of its bytes: they are here.
    await new Promise((resolve) => far.write(pattern, resolve));
    await new Promise((resolve) => setImmediate(resolve));
    expect(sink.got).toEqual([]);
  });

  it('stops when the sink says so, and loses nothing', async () => {
    const { far, adopt } = await pair(way);
    const sink = new Sink(700);
    const socket = adopt(sink);
    open.push(socket);
    const end = ended(socket);
    far.end(pattern);
    let stops = 0;
    sink.limit = 5000;
    socket.resume();
    const timer = setInterval(() => {
      if (sink.got.length < sink.limit) return;
      stops++;
      sink.limit = sink.got.length + 5000;
      socket.resume();
    }, 1);
    await end;
    clearInterval(timer);
    expect(Buffer.from(sink.got).equals(pattern)).toBe(true);
    expect(stops).toBeGreaterThan(5);
    expect(sink.afterStop).toBe(0);
  });

  it('loses nothing in a program that lives on with what its ticks throw', async () => {
    const { far, adopt } = await pair(way);
    const sink = new ThrowingSink(700);
    const uncaught: unknown[] = [];
    const restore = divert((error) => uncaught.push(error));
    try {
      const socket = adopt(sink);
      open.push(socket);
      const end = ended(socket);
      far.end(pattern);
      socket.resume();
      await end;
    } finally {
      restore();
    }
    expect(Buffer.from(sink.got).equals(pattern)).toBe(true);
    expect(uncaught.length).toBeGreaterThan(50);
  });

  it('stays half open, can be written, and knows who is at the other end', async () => {
    const { far, adopt } = await pair(way);
    const sink = new Sink(100);
    const socket = adopt(sink);
    open.push(socket);
    expect(socket.remotePort).toBe(far.localPort);
    const end = ended(socket);
    const answer: Buffer[] = [];
    far.on('data', (data) => answer.push(data));
    const farEnd = ended(far);
    socket.resume();
    far.end('question');
    await end;
    socket.end('answer');
    await farEnd;
    expect(Buffer.concat(answer).toString()).toBe('answer');
    expect(Buffer.from(sink.got).toString()).toBe('question');
  });

  it('closes when it is destroyed, and the other end notices', async () => {
    const { far, adopt } = await pair(way);
    const socket = adopt(new Sink(100));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    const farEnd = ended(far);
    far.resume();
    socket.resume();
    socket.destroy();
    await closed;
    await farEnd;
  });
});

describe('a socket whose handle is gone already', () => {
  it('is kept as it is: there is nothing to read', async () => {
    const accepted = new Socket();
    accepted.destroy();
    expect(adoptSocket(accepted, new Sink(10))).toBe(accepted);
  });
});

describe('a listener', () => {
  it('whose handle is hidden hands its connections over as sockets', () => {
    expect(takeHandles({} as Server, () => undefined)).toBe(false);
    expect(takeHandles({ _handle: {} } as unknown as Server, () => undefined)).toBe(false);
  });

  it('leaves what could not be accepted to Node', () => {
    const told: unknown[] = [];
    const _handle: { onconnection: (status: number, accepted?: object) => void } = {
      onconnection: (status) => void told.push(status),
    };
    expect(takeHandles({ _handle } as unknown as Server, () => void told.push('taken'))).toBe(true);
    _handle.onconnection(-24);
    expect(told).toEqual([-24]);
  });
});
