/** The light peer against a server that is nothing but a socket: the test decides what it says. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type ConnectPeerOptions, connectPeer, type PeerClient } from '../../src/main/net/peer-client.js';
import type { ReceivedFrame } from '../../src/main/net/stream-decoder.js';

const MIB = 2 ** 20;
const HANDSHAKE = 65;

/** The other side of one connection: what arrived, and the socket to answer on. */
interface Remote {
  readonly socket: Socket;
  readonly received: () => Buffer;
  readonly ended: () => boolean;
}

const servers: Server[] = [];
const sockets: Socket[] = [];
const clients: PeerClient[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) void client.close();
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});

async function until(isTrue: () => boolean, what: string): Promise<void> {
  const endMs = performance.now() + 10_000;
  while (!isTrue()) {
    if (performance.now() > endMs) throw new Error(`waited too long for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

function hello(chainId = 'chain', nodeId = 'server', version = 1): Buffer {
  const bytes = Buffer.alloc(HANDSHAKE);
  bytes[0] = version;
  bytes.write(chainId, 1);
  bytes.write(nodeId, 33);
  return bytes;
}

function refusal(code: number, reason: string): Buffer {
  const bytes = Buffer.alloc(HANDSHAKE);
  bytes[1] = code;
  bytes.write(reason, 2);
  return bytes;
}

function frame(type: string, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(6);
  head.writeUInt32BE(2 + Buffer.byteLength(type) + payload.length);
  head.writeUInt16BE(Buffer.byteLength(type), 4);
  return Buffer.concat([head, Buffer.from(type), payload]);
}

/** Listens on a free port and hands over each connection. */
async function listen(onRemote: (remote: Remote) => void): Promise<ConnectPeerOptions> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const chunks: Buffer[] = [];
    let isEnded = false;
    socket.on('data', (data) => chunks.push(data));
    socket.on('end', () => {
      isEnded = true;
      socket.end();
    });
    socket.on('error', () => undefined);
    sockets.push(socket);
    onRemote({ socket, received: () => Buffer.concat(chunks), ended: () => isEnded });
  });
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { host: '127.0.0.1', port, chainId: 'chain', nodeId: 'client', timeoutMs: 5000 };
}

/** A server that answers with these bytes as soon as somebody connects. */
function answering(...segments: readonly Buffer[]): Promise<ConnectPeerOptions> {
  return listen(({ socket }) => {
    for (const segment of segments) socket.write(segment);
  });
}

/** A connection that has shaken hands; `first` follows the server's handshake in the same segment. */
async function join(first: Buffer = Buffer.alloc(0)): Promise<{ client: PeerClient; remote: Remote }> {
  let remote: Remote | null = null;
  const options = await listen((accepted) => {
    remote = accepted;
    accepted.socket.write(Buffer.concat([hello(), first]));
  });
  const client = await connectPeer(options);
  clients.push(client);
  await until(() => remote !== null && remote.received().length >= HANDSHAKE, 'our handshake');
  return { client, remote: remote as unknown as Remote };
}

async function take(client: PeerClient, count: number): Promise<ReceivedFrame[]> {
  const frames: ReceivedFrame[] = [];
  for await (const received of client) if (frames.push(received) === count) break;
  return frames;
}

describe('dialling a peer', () => {
  it('shows our IDs and learns its', async () => {
    const { client, remote } = await join();
    expect(client.remoteId).toBe('server');
    expect(remote.received()).toEqual(hello('chain', 'client'));
  });

  it('takes a handshake that comes byte by byte, and the frames right behind it', async () => {
    const options = await listen(async ({ socket }) => {
      socket.setNoDelay(true);
      for (const byte of Buffer.concat([hello(), frame('tx', Buffer.from('first'))])) {
        socket.write(Buffer.of(byte));
        await new Promise((resolve) => setImmediate(resolve));
      }
    });
    const client = await connectPeer(options);
    clients.push(client);
    expect(await take(client, 1)).toEqual([{ type: 'tx', payload: Buffer.from('first') }]);
  });

  it('rejects with the code of a refusal and its reason', async () => {
    const options = await answering(refusal(0x06, 'bitte später'));
    await expect(connectPeer(options)).rejects.toMatchObject({
      name: 'PeerError',
      code: 0x06,
      codeName: 'PeerLimitReached',
      message: expect.stringContaining('refused: bitte später'),
    });
  });

  it.each([
    ['another version', hello('chain', 'server', 2), 0x01],
    ['another chain', hello('other'), 0x02],
    ['no node ID', hello('chain', ''), 0x05],
    ['another ID than the one dialled', hello('chain', 'stranger'), 0x4a],
  ])('rejects %s, and says so to the peer', async (_, answer, code) => {
    let remote: Remote | null = null;
    const options = await listen((accepted) => {
      remote = accepted;
      accepted.socket.write(answer);
    });
    await expect(connectPeer({ ...options, dialledId: 'server' })).rejects.toMatchObject({ code });
    const { received, ended } = remote as unknown as Remote;
    await until(ended, 'the end');
    const goodbye = received().subarray(HANDSHAKE);
    expect(goodbye.toString('latin1', 6, 16)).toBe('disconnect');
    expect(goodbye[16]).toBe(code);
  });

  it('rejects with HandshakeTimeout where the peer says nothing', async () => {
    const options = await answering(hello().subarray(0, 64));
    await expect(connectPeer({ ...options, timeoutMs: 50 })).rejects.toMatchObject({ codeName: 'HandshakeTimeout' });
  });

  it('rejects with NetworkError where nobody listens, or the peer closes', async () => {
    const options = await listen(({ socket }) => socket.end(hello().subarray(0, 10)));
    await expect(connectPeer(options)).rejects.toMatchObject({ codeName: 'NetworkError' });
    const server = servers.pop() as Server;
    await new Promise((resolve) => server.close(resolve));
    await expect(connectPeer(options)).rejects.toMatchObject({
      codeName: 'NetworkError',
      message: expect.stringContaining('ECONNREFUSED'),
    });
  });

  it('is given up by a signal, before it began and while it waits', async () => {
    let remote: Remote | null = null;
    const options = await listen((accepted) => {
      remote = accepted;
    });
    const reason = new Error('changed my mind');
    await expect(connectPeer({ ...options, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const abort = new AbortController();
    const attempt = connectPeer({ ...options, signal: abort.signal });
    const outcome = expect(attempt).rejects.toBe(reason);
    await until(() => remote !== null, 'the connection');
    abort.abort(reason);
    await outcome;
    await until(() => (remote as unknown as Remote).socket.destroyed, 'the end');
  });

  it('with IDs that do not fit is a wrong configuration, and dials nobody', async () => {
    let dials = 0;
    const options = await listen(() => dials++);
    await expect(connectPeer({ ...options, nodeId: 'n'.repeat(33) })).rejects.toMatchObject({ key: 'nodeId' });
    expect(dials).toBe(0);
  });
});

describe('a connected peer', () => {
  it('sends frames as the specification has them', async () => {
    const { client, remote } = await join();
    await client.send('block', Buffer.alloc(100, 7));
    const wanted = Buffer.concat([Buffer.from('0000006b0005', 'hex'), Buffer.from('block'), Buffer.alloc(100, 7)]);
    await until(() => remote.received().length === HANDSHAKE + wanted.length, 'the frame');
    expect(remote.received().subarray(HANDSHAKE)).toEqual(wanted);
  });

  it('holds a sender back while the peer does not read, many times over without a leak', async () => {
    const { client, remote } = await join();
    const warnings: Error[] = [];
    const onWarning = (warning: Error): void => void warnings.push(warning);
    process.on('warning', onWarning);
    remote.socket.pause();
    const payload = Buffer.alloc(MIB);
    let sent = 0;
    const sending = (async () => {
      for (; sent < 64; sent++) await client.send('tx', payload);
    })();
    let stuckAt = -1;
    await until(() => {
      const isStuck = sent > 0 && sent === stuckAt;
      stuckAt = sent;
      return isStuck;
    }, 'back-pressure');
    expect(sent).toBeLessThan(64);
    remote.socket.resume();
    await sending;
    await until(() => remote.socket.bytesRead === HANDSHAKE + 64 * (6 + 2 + MIB), 'all bytes');
    process.off('warning', onWarning);
    expect(warnings).toEqual([]);
  });

  it('tells a sender that waits when the connection breaks', async () => {
    const { client, remote } = await join();
    remote.socket.pause();
    const outcomes = Promise.allSettled(Array.from({ length: 20 }, () => client.send('tx', Buffer.alloc(MIB))));
    remote.socket.destroy();
    const failed = (await outcomes).filter(({ status }) => status === 'rejected');
    expect(failed.length).toBeGreaterThan(0);
    for (const { reason } of failed as PromiseRejectedResult[]) expect(reason.codeName).toBe('NetworkError');
    await expect(client.send('tx', Buffer.alloc(0))).rejects.toMatchObject({ codeName: 'NetworkError' });
  });

  it('answers a ping with its payload, at most 64 bytes of it', async () => {
    const { remote } = await join(frame('ping', Buffer.from('12345678')));
    remote.socket.write(frame('ping', Buffer.alloc(100, 9)));
    const wanted = Buffer.concat([frame('pong', Buffer.from('12345678')), frame('pong', Buffer.alloc(64, 9))]);
    await until(() => remote.received().length === HANDSHAKE + wanted.length, 'two pongs');
    expect(remote.received().subarray(HANDSHAKE)).toEqual(wanted);
  });

  it('settles each ping with the pong of its own nonce', async () => {
    const { client, remote } = await join();
    const order: string[] = [];
    const first = client.ping().then((rttMs) => order.push('first') && rttMs);
    const second = client.ping().then((rttMs) => order.push('second') && rttMs);
    const pingBytes = frame('ping', Buffer.alloc(8)).length;
    await until(() => remote.received().length === HANDSHAKE + 2 * pingBytes, 'two pings');
    const nonceOf = (i: number) =>
      remote.received().subarray(HANDSHAKE + i * pingBytes + 10, HANDSHAKE + (i + 1) * pingBytes);
    expect(nonceOf(0)).not.toEqual(nonceOf(1));
    const stray = frame('pong', Buffer.alloc(8));
    remote.socket.write(Buffer.concat([stray, frame('pong', nonceOf(1)), frame('pong', nonceOf(0))]));
    expect(await first).toBeGreaterThanOrEqual(0);
    expect(await second).toBeGreaterThanOrEqual(0);
    expect(order).toEqual(['second', 'first']);
  });

  it('rejects a ping whose pong can no longer come', async () => {
    const { client, remote } = await join();
    const ping = client.ping();
    remote.socket.end();
    await expect(ping).rejects.toMatchObject({ codeName: 'NetworkError' });
    await expect(client.ping()).rejects.toMatchObject({ codeName: 'NetworkError' });
  });

  it('drops malformed frames with a count and reads on', async () => {
    const malformed = [
      Buffer.alloc(4),
      frame('', Buffer.alloc(9)),
      frame('a\nb'),
      Buffer.from('0000000300ff61', 'hex'),
    ];
    const { client } = await join(Buffer.concat([...malformed, frame('tx', Buffer.from('good'))]));
    expect(await take(client, 1)).toEqual([{ type: 'tx', payload: Buffer.from('good') }]);
    expect(client.framesDropped).toBe(malformed.length);
  });

  it('takes a frame of exactly 10 MB', async () => {
    const payload = Buffer.alloc(10 * MIB - 2 - 3, 0x5a);
    const { client } = await join(frame('big', payload));
    const [received] = await take(client, 1);
    expect(received.payload.equals(payload)).toBe(true);
  });

  it('ends with MessageTooLarge at one byte more, says so, and reads nothing behind it', async () => {
    const tooLarge = Buffer.alloc(4);
    tooLarge.writeUInt32BE(10 * MIB + 1);
    const { client, remote } = await join(Buffer.concat([frame('a'), tooLarge, frame('b')]));
    const types: string[] = [];
    const reading = (async () => {
      for await (const { type } of client) types.push(type);
    })();
    await expect(reading).rejects.toMatchObject({ codeName: 'MessageTooLarge' });
    expect(types).toEqual(['a']);
    await until(remote.ended, 'the end');
    expect(remote.received()[HANDSHAKE + 6 + 'disconnect'.length]).toBe(0x04);
  });

  it('learns why the peer leaves', async () => {
    const { client } = await join(frame('disconnect', Buffer.from('\x47going down')));
    const [goodbye] = await take(client, 1);
    expect(goodbye.type).toBe('disconnect');
    await expect(take(client, 1)).rejects.toMatchObject({
      codeName: 'ShuttingDown',
      message: expect.stringContaining('going down'),
    });
  });

  it('reads no faster than frames are taken, and loses none', async () => {
    const { client, remote } = await join();
    const count = 80;
    for (let i = 0; i < count; i++) remote.socket.write(frame('tx', Buffer.alloc(MIB, i)));
    await until(() => remote.socket.bytesWritten > 20 * MIB && remote.socket.writableLength > 0, 'a full pipe');
    const frames = await take(client, count);
    expect(frames.map(({ payload }) => payload[MIB - 1])).toEqual(Array.from({ length: count }, (_, i) => i));
  });

  it('says goodbye when it is closed, and its iteration ends', async () => {
    const { client, remote } = await join();
    const reading = take(client, 1);
    await client.close();
    expect(await reading).toEqual([]);
    expect(remote.ended()).toBe(true);
    expect(remote.received().subarray(HANDSHAKE)).toEqual(frame('disconnect', Buffer.of(0)));
    await expect(client.send('tx', Buffer.alloc(0))).rejects.toMatchObject({ codeName: 'GoingAway' });
  });

  it('is closed within bounds though the peer never closes its side and goes on sending', async () => {
    const { client, remote } = await join();
    remote.socket.removeAllListeners('end');
    const sending = setInterval(() => remote.socket.write(frame('tx', Buffer.alloc(1000))), 20);
    try {
      const startMs = performance.now();
      await Promise.all([client.close(), client.close()]);
      expect(performance.now() - startMs).toBeLessThan(5000);
    } finally {
      clearInterval(sending);
    }
  });
});
