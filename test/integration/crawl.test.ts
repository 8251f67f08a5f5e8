import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { crawlSeed } from '../../dist/src/main/discovery/seed-crawler.js';
import { systemNetwork } from '../../dist/src/main/net/system-network.js';
import { systemTimers } from '../../dist/src/main/timers.js';
import { bytesOf, type Notation, readVectors } from '../unit/wire/vectors.js';
import { portOf, startNode, until } from './support/nodes.js';
import { handshakeBytes, RawPeer } from './support/raw-peer.js';

interface PeerListVector {
  readonly name: string;
  readonly strict: boolean;
  readonly own: { readonly id: string; readonly ip: string; readonly port: number };
  readonly input: Notation;
  readonly expect: { readonly entries: readonly object[]; readonly skipped: number; readonly error: string | null };
}

const open: { server: Server; sockets: Set<Socket> }[] = [];
afterEach(async () => {
  for (const { server, sockets } of open.splice(0)) {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
});

/** A seed that answers every connection as the test says. */
async function fakeSeed(answer: (socket: Socket) => void, host = '127.0.0.1'): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    answer(socket);
  });
  open.push({ server, sockets });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return (server.address() as { port: number }).port;
}

function crawl(port: number, more: Partial<Parameters<typeof crawlSeed>[0]> = {}) {
  const own = { id: 'crawler', addresses: [] };
  const around = { network: systemNetwork, timers: systemTimers };
  return crawlSeed({ host: '127.0.0.1', port, strict: false, own, timeoutMs: 1000, ...around, ...more });
}

/** All bytes that come until the other side closes. */
async function readAll(socket: Socket): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of socket) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

function dialFrom(port: number, from: string): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port, localAddress: from, allowHalfOpen: true });
  return new Promise((resolve, reject) => socket.once('connect', () => resolve(socket)).once('error', reject));
}

function entry(id: string, ip: string, port: number): Buffer {
  const head = Buffer.alloc(2);
  head.writeUInt16BE(port);
  return Buffer.concat([Buffer.of(id.length), Buffer.from(id), head, Buffer.of(ip.length), Buffer.from(ip)]);
}

describe('a node that is crawled', () => {
  it('answers a peer that half-closes after its one byte at once, with peers that it reached itself', async () => {
    const other = await startNode({ nonStrictAddresses: true });
    const node = await startNode({ nonStrictAddresses: true });
    await node.dial(other.listen);
    const socket = await dialFrom(portOf(node), '127.0.0.1');
    const sentMs = performance.now();
    socket.end(Buffer.of(1));
    const answer = await readAll(socket);
    expect(performance.now() - sentMs).toBeLessThan(250);
    expect(answer).toEqual(Buffer.concat([Buffer.of(0, 1), entry(other.nodeId, '127.0.0.1', portOf(other))]));
    expect(node.stats().discovery.crawlsServed).toBe(1);
    expect(node.stats().connections.rejectedInbound).toBe(0);
  });

  it('answers with nobody where peer exchange is off, whomever it has reached', async () => {
    const other = await startNode({ nonStrictAddresses: true });
    const node = await startNode({ nonStrictAddresses: true, pex: false });
    await node.dial(other.listen);
    const socket = await dialFrom(portOf(node), '127.0.0.1');
    socket.end(Buffer.of(1));
    expect(await readAll(socket)).toEqual(Buffer.of(0, 0));
    expect(node.addresses()).toContainEqual(expect.objectContaining({ id: other.nodeId }));
  });

  it('takes a byte 01 and then silence for a crawl after the grace time', async () => {
    const node = await startNode({ crawlGrace: 100 });
    const socket = await dialFrom(portOf(node), '127.0.0.1');
    const sentMs = performance.now();
    socket.write(Buffer.of(1));
    expect(await readAll(socket)).toEqual(Buffer.of(0, 0));
    expect(performance.now() - sentMs).toBeGreaterThan(95);
  });

  it('takes a byte 01 that is followed by more for a handshake, however slowly it comes', async () => {
    const node = await startNode({ crawlGrace: 150 });
    const peer = await RawPeer.dial(portOf(node));
    const bytes = handshakeBytes();
    peer.socket.write(bytes.subarray(0, 1));
    await new Promise((resolve) => setTimeout(resolve, 30));
    peer.socket.write(bytes.subarray(1, 2));
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(peer.closed).toBe(false);
    peer.socket.write(bytes.subarray(2));
    await until(() => peer.greeting !== null, 'the answer to the handshake');
    expect(node.stats().discovery.crawlsServed).toBe(0);
  });

  it('answers one address once in 10 s, and refuses more by closing', async () => {
    const node = await startNode();
    const ask = async (from: string) => {
      const socket = await dialFrom(portOf(node), from);
      socket.on('error', () => undefined);
      socket.end(Buffer.of(1));
      return readAll(socket).catch(() => Buffer.alloc(0));
    };
    expect(await ask('127.0.0.1')).toHaveLength(2);
    expect(await ask('127.0.0.1')).toHaveLength(0);
    expect(await ask('127.0.0.2')).toHaveLength(2);
    expect(node.stats().discovery).toMatchObject({ crawlsServed: 2, crawlsRefused: 1 });
  });

  it('never tells private peers', async () => {
    const other = await startNode({ nonStrictAddresses: true, nodeId: 'secret' });
    const node = await startNode({ nonStrictAddresses: true, privatePeerIds: ['secret'] });
    await node.dial(other.listen);
    expect((await crawl(portOf(node))).entries).toEqual([]);
  });
});

describe('a crawler', () => {
  it.each(readVectors<PeerListVector>('peer-lists.json').map((vector) => [vector.name, vector] as const))(
    'reads the vector: %s',
    async (_, vector) => {
      const { input, strict, own, expect: expected } = vector;
      const bytes = bytesOf(input);
      const port = await fakeSeed((socket) => socket.end(bytes));
      const result = await crawl(port, { strict, own: { id: own.id, addresses: [own] } });
      expect(result.entries).toEqual(expected.entries);
      expect(result.skipped).toBe(expected.skipped);
      // A seed that says nothing at all has not answered; everything else that is wrong is a malformed answer.
      const name = expected.error === null ? undefined : bytes.length === 0 ? 'NetworkError' : 'InvalidMessageFormat';
      expect(result.error?.codeName).toBe(name);
    },
  );

  it('needs no close: a whole answer is enough', async () => {
    const port = await fakeSeed((socket) => socket.write(Buffer.concat([Buffer.of(0, 1), entry('a', '127.0.0.9', 1)])));
    expect(await crawl(port, { timeoutMs: 60_000 })).toMatchObject({ error: null, entries: [{ id: 'a' }] });
  });

  it('keeps what came before a seed fell silent', async () => {
    const port = await fakeSeed((socket) => socket.write(Buffer.concat([Buffer.of(0, 2), entry('a', '127.0.0.9', 1)])));
    const result = await crawl(port, { timeoutMs: 200 });
    expect(result.entries).toHaveLength(1);
    expect(result.error?.code).toBe(5);
  });

  it('asks all addresses of a name until one answers, IPv6 too', async () => {
    const port = await fakeSeed((socket) => socket.end(Buffer.concat([Buffer.of(0, 1), entry('a', '::1', 7)])), '::1');
    const resolve = async () => ['127.0.0.1', '::1'];
    const result = await crawl(port, { host: 'seed.test', network: { ...systemNetwork, resolve } });
    expect(result).toMatchObject({ address: '::1', error: null, entries: [{ id: 'a', ip: '::1', port: 7 }] });
  });

  it('says so when a name is not known, and when nobody answers', async () => {
    const unknown = async () => Promise.reject(Object.assign(new Error('no'), { code: 'ENOTFOUND' }));
    expect(
      (await crawl(1, { host: 'seed.test', network: { ...systemNetwork, resolve: unknown } })).error?.message,
    ).toContain('ENOTFOUND');
    const port = await fakeSeed((socket) => socket.destroy());
    expect((await crawl(port)).error?.codeName).toBe('NetworkError');
  });

  it('gives up at once when it is told to, whether it waits for a name or for an answer', async () => {
    const port = await fakeSeed(() => undefined);
    for (const resolve of [() => new Promise<string[]>(() => undefined), async () => ['127.0.0.1']]) {
      const stop = new AbortController();
      const crawling = crawl(port, {
        host: 'seed.test',
        network: { ...systemNetwork, resolve },
        timeoutMs: 60_000,
        signal: stop.signal,
      });
      setTimeout(() => stop.abort(), 50);
      expect((await crawling).error?.codeName).toBe('NetworkError');
    }
  });

  it('does not let a seed that trickles bytes take more than its time', async () => {
    const port = await fakeSeed((socket) => {
      const timer = setInterval(() => socket.write(Buffer.of(0)), 5);
      socket.on('close', () => clearInterval(timer));
    });
    const startedMs = performance.now();
    await crawl(port, { timeoutMs: 300 });
    expect(performance.now() - startedMs).toBeLessThan(2000);
  });
});
