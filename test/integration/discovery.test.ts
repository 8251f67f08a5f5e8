import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Node, NodeOptions } from '../../dist/src/main/index.js';
import { CHAIN_ID, portOf, startNode, until } from './support/nodes.js';
import { frame, handshakeBytes, RawPeer } from './support/raw-peer.js';

/** A node that takes loopback addresses into its book, as everything here is on loopback. */
function startLocal(options: NodeOptions = {}): Promise<Node> {
  return startNode({ nonStrictAddresses: true, workers: 1, ...options });
}

function pex(peers: readonly object[]): Buffer {
  return Buffer.from(JSON.stringify({ timestamp: new Date().toISOString(), peers }));
}

function told(id: string, address: string, port = 26656) {
  return { id, address, port, source: 3, last_seen: new Date().toISOString() };
}

describe('a node that knows one seed', () => {
  it('finds the others through it and keeps its minimum of outbound peers', async () => {
    const seed = await startLocal({ minOutbound: 0 });
    const nodes = await Promise.all(
      Array.from({ length: 6 }, () => startLocal({ seeds: [seed.listen], minOutbound: 2 })),
    );
    const outbound = (node: Node) => node.peers().filter(({ direction }) => direction === 'outbound').length;
    // Who is dialled by all the others has nobody left to dial.
    const isKeptUp = (node: Node) => outbound(node) >= 2 || node.peers().length === 6;
    await until(() => nodes.every(isKeptUp), 'two outbound peers each', 20_000);
  });

  it('comes back when all its peers were lost', async () => {
    const seed = await startLocal();
    const node = await startLocal({ seeds: [seed.listen], minOutbound: 1 });
    await until(() => node.peers().length === 1, 'the seed');
    node.disconnect(seed.nodeId);
    await until(() => node.peers().length === 0, 'nobody');
    await until(() => node.peers().length === 1, 'the seed again', 25_000);
  });

  it('dials nobody else when its only seed is itself', async () => {
    const node = await startLocal({ listen: '127.0.0.1:39871', seeds: ['127.0.0.1:39871'] });
    await until(() => node.stats().discovery.crawls === 1, 'a crawl');
    expect(node.addresses()).toEqual([]);
  });
});

describe('a node that starts again', () => {
  it('knows its addresses, and is back with its outbound peers of before without any seed', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'paw-again-'));
    const others = await Promise.all([startLocal(), startLocal(), startLocal()]);
    const node = await startLocal({ dataDir, minOutbound: 2, seeds: others.map(({ listen }) => listen) });
    const outbound = (one: Node) => one.peers().filter(({ direction }) => direction === 'outbound');
    await until(() => outbound(node).length >= 2, 'two outbound peers');
    const before = outbound(node).map(({ id }) => id);
    const tried = node.addresses().filter(({ bucket }) => bucket === 'tried').length;
    await node.close();
    const again = await startLocal({ dataDir, minOutbound: 2, seeds: [] });
    expect(again.addresses().filter(({ bucket }) => bucket === 'tried')).toHaveLength(tried);
    await until(() => outbound(again).length >= 2, 'two outbound peers again');
    expect(before).toEqual(expect.arrayContaining(outbound(again).map(({ id }) => id)));
    expect(again.stats().lifetime).toMatchObject({ starts: 2 });
    expect(again.stats().lifetime.bytes.sent).toBeGreaterThan(again.stats().bytes.sent);
    rmSync(dataDir, { recursive: true, force: true });
  });

  it('still knows what it learnt a second before it was killed', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'paw-killed-'));
    const script = `
      import { createNode } from ${JSON.stringify(new URL('../../dist/src/main/index.js', import.meta.url).href)};
      const node = await createNode({ chainId: 'paw-test', dataDir: ${JSON.stringify(dataDir)}, listen: '127.0.0.1:0',
        admin: 'off', logLevel: 'silent', nonStrictAddresses: true, minOutbound: 0, workers: 1 });
      node.ban('127.50.0.0/16', { for: 'forever', reason: 'test' });
      process.send(node.listen);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const listen = await new Promise<string>((resolve) => child.once('message', (text) => resolve(String(text))));
    const peer = await RawPeer.join(Number(listen.split(':').at(-1)));
    peer.send('pex/peers', pex([told('known', '127.3.0.9')]));
    peer.send('ping', Buffer.from('read'));
    await peer.frame('pong');
    await new Promise((resolve) => setTimeout(resolve, 1500));
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('exit', resolve));
    const again = await startLocal({ dataDir, minOutbound: 0 });
    expect(again.addresses()).toMatchObject([{ id: 'known', address: '127.3.0.9' }]);
    expect(again.bans()).toMatchObject([{ target: '127.50.0.0/16', until: null, reason: 'test' }]);
    rmSync(dataDir, { recursive: true, force: true });
  });
});

describe('peer exchange', () => {
  it('tells a peer where we listen and whom we know, as soon as it is connected', async () => {
    const other = await startLocal();
    const node = await startLocal();
    await node.dial(other.listen);
    const peer = await RawPeer.join(portOf(node));
    const message = JSON.parse((await peer.frame('pex/peers')).payload.toString());
    expect(Date.parse(message.timestamp)).not.toBeNaN();
    expect(message.peers).toContainEqual(
      expect.objectContaining({ id: node.nodeId, address: '127.0.0.1', port: portOf(node) }),
    );
    expect(message.peers).toContainEqual(
      expect.objectContaining({ id: other.nodeId, port: portOf(other), source: expect.any(Number) }),
    );
  });

  it('takes what a peer tells into the book and skips what is useless or our own', async () => {
    const node = await startLocal({ minOutbound: 0 });
    const peer = await RawPeer.join(portOf(node));
    const useless = [told('', '127.3.0.1'), told('x', 'no.ip'), told('y', '127.3.0.2', 0), { id: 7 }, null, 'text'];
    peer.send('pex/peers', pex([told('good', '127.3.0.9'), told(node.nodeId, '127.3.0.3'), ...(useless as object[])]));
    await until(() => node.addresses().length > 0, 'an address');
    expect(node.addresses()).toMatchObject([{ id: 'good', address: '127.3.0.9', port: 26656, bucket: 'new' }]);
    expect(node.peers()[0]?.reputation).toBeGreaterThanOrEqual(50);
  });

  it('in strict mode takes only addresses that the internet routes', async () => {
    const node = await startNode({ minOutbound: 0 });
    const peer = await RawPeer.join(portOf(node));
    peer.send('pex/peers', pex([told('a', '127.3.0.9'), told('b', '10.1.1.1'), told('c', '8.8.4.4')]));
    await until(() => node.addresses().length > 0, 'an address');
    expect(node.addresses()).toMatchObject([{ id: 'c' }]);
  });

  it('may come twice at once, as a delay on the way makes it', async () => {
    const node = await startLocal({ minOutbound: 0 });
    const peer = await RawPeer.join(portOf(node));
    peer.send('pex/peers', pex([told('a', '127.3.0.1')]));
    peer.send('pex/peers', pex([told('b', '127.3.0.2')]));
    await until(() => node.stats().discovery.pexReceived === 2, 'both messages');
    expect(node.history().filter(({ kind }) => kind === 'penalised')).toEqual([]);
    expect(node.peers()[0]?.reputation).toBeGreaterThanOrEqual(50);
  });

  it('costs reputation when it comes too often, and neither parses nor keeps what it tells', async () => {
    const node = await startLocal({ minOutbound: 0 });
    const peer = await RawPeer.join(portOf(node));
    for (const i of [1, 2, 3]) peer.send('pex/peers', pex([told(`n${i}`, `127.3.0.${i}`)]));
    await until(() => node.stats().discovery.pexReceived === 3, 'all messages');
    expect(node.addresses().map(({ id }) => id)).not.toContain('n3');
    expect(node.peers()[0]?.reputation).toBeLessThan(50);
    expect(node.history()[0]).toMatchObject({ kind: 'penalised', peerId: 'raw' });
  });

  it('takes no more from a netgroup that connects anew for every message', async () => {
    const node = await startLocal({ minOutbound: 0 });
    for (let i = 0; i < 15; i++) {
      const peer = await RawPeer.join(portOf(node), `feeder-${i}`, `127.90.${i}.1`);
      // Each address is its own netgroup, so that the book has room for it.
      peer.send('pex/peers', pex(Array.from({ length: 200 }, (_, j) => told(`n${i}-${j}`, `127.${j}.${i}.9`))));
      await until(() => node.stats().discovery.pexReceived === i + 1, 'the message');
      peer.socket.destroy();
    }
    // 2,000 and a few a second, of 3,000.
    expect(node.stats().discovery.addressesLearned).toBeLessThan(2200);
  });

  it('drops a message with more than 200 peers as a whole', async () => {
    const node = await startLocal({ minOutbound: 0 });
    const peer = await RawPeer.join(portOf(node));
    peer.send('pex/peers', pex(Array.from({ length: 201 }, (_, i) => told(`n${i}`, `127.3.${i}.1`))));
    await until(() => node.stats().discovery.pexReceived === 1, 'the message');
    expect(node.addresses()).toEqual([]);
    expect(node.peers()[0]?.reputation).toBeLessThan(50);
  });

  it('drops one that is longer than any with 200 peers, however it begins', async () => {
    const node = await startLocal({ minOutbound: 0 });
    const peer = await RawPeer.join(portOf(node));
    peer.send('pex/peers', pex([{ ...told('a', '127.3.0.1'), filler: 'x'.repeat(400_000) }]));
    await until(() => node.stats().discovery.pexReceived === 1, 'the message');
    expect(node.addresses()).toEqual([]);
    expect(node.history()[0]?.detail).toContain('more than 200');
  });

  it('neither tells nor takes with pex off', async () => {
    const node = await startLocal({ pex: false });
    const peer = await RawPeer.join(portOf(node));
    peer.send('pex/peers', pex([told('a', '127.3.0.9')]));
    peer.send('ping', Buffer.from('x'));
    await peer.frame('pong');
    expect(node.addresses()).toEqual([]);
    expect(peer.of('pex/peers')).toEqual([]);
  });

  it('is not held up by a handler that is slow', async () => {
    const node = await startLocal({ minOutbound: 0, handlers: [new URL('./handlers/slow.mjs', import.meta.url)] });
    const peer = await RawPeer.join(portOf(node));
    peer.socket.write(Buffer.concat(Array.from({ length: 1000 }, () => frame('slow'))));
    peer.send('pex/peers', pex([told('good', '127.3.0.9')]));
    await until(() => node.addresses().length > 0, 'the address', 1500);
  });
});

describe('a seed', () => {
  it('hands out what it knows and closes inbound connections after that', async () => {
    const node = await startLocal();
    const seed = await startLocal({ seedMode: true });
    await seed.dial(node.listen);
    const peer = await RawPeer.join(portOf(seed));
    const message = JSON.parse((await peer.frame('pex/peers')).payload.toString());
    expect(message.peers).toContainEqual(expect.objectContaining({ id: node.nodeId }));
    peer.send('pex/peers', pex([told('raw', '127.0.0.1', 9)]));
    await until(() => peer.ended, 'the end');
    expect(peer.of('disconnect')[0]?.payload[0]).toBe(0);
  });

  it('feels for the addresses that it is told, so that it can hand them out', async () => {
    const seed = await startLocal({ seedMode: true, minOutbound: 0 });
    const node = await startLocal({ seeds: [seed.listen] });
    const isReached = () => seed.addresses().some(({ id, bucket }) => id === node.nodeId && bucket === 'tried');
    await until(isReached, 'a feeler');
    expect(seed.stats().discovery.feelers).toBeGreaterThan(0);
  });
});

describe('a node to which all have come by themselves', () => {
  it('finds out where they listen and tells it to newcomers, and nobody loses a connection for it', async () => {
    const first = await startLocal({ maxInbound: 2 });
    const full = await Promise.all([startLocal(), startLocal()]);
    for (const node of full) await node.dial(first.listen);
    await until(() => first.addresses().filter(({ bucket }) => bucket === 'tried').length === 2, 'both to be felt');
    expect(first.peers().map(({ direction }) => direction)).toEqual(['inbound', 'inbound']);
    const newcomer = await startLocal({ seeds: [first.listen], minOutbound: 1 });
    await until(() => newcomer.peers().length >= 1, 'a peer that has room');
    for (const node of [first, ...full]) expect(node.stats().connections.disconnectsByCode).toEqual({});
  });
});

describe('an IPv6 node', () => {
  it('listens on both families, and each finds it', async () => {
    const node = await startLocal({ listen: '[::]:0' });
    const v4 = await startLocal();
    const v6 = await startLocal({ listen: '[::1]:0' });
    await v4.dial(`127.0.0.1:${portOf(node)}`);
    await v6.dial(`[::1]:${portOf(node)}`);
    const addresses = node.peers().map(({ address }) => address.replace(/:\d+$/, ''));
    expect(addresses.sort()).toEqual(['127.0.0.1', '[::1]']);
    await node.dial(v6.listen).catch(() => undefined);
    expect(v6.listen).toMatch(/^\[::1\]:/);
  });
});

describe('an attacker with a whole /16 who feeds addresses as fast as he is let', () => {
  it('gets his share of the book, and one outbound place at most', async () => {
    const sockets = new Set<Socket>();
    // One listener is every host of 127.66.0.0/16, each under the ID that was told for it.
    const evil = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
      socket.once('data', () => socket.write(handshakeBytes(CHAIN_ID, `id-${socket.localAddress}`)));
    });
    await new Promise<void>((resolve) => evil.listen(0, '0.0.0.0', resolve));
    const { port } = evil.address() as { port: number };
    const honest = await Promise.all(Array.from({ length: 3 }, () => startLocal({ minOutbound: 0 })));
    const victim = await startLocal({
      seeds: honest.map(({ listen }) => listen),
      minOutbound: 6,
      feelerInterval: '200ms',
    });
    await until(() => victim.peers().length >= 3, 'the honest peers', 20_000);
    const feeders = await Promise.all(
      Array.from({ length: 10 }, (_, i) => RawPeer.join(portOf(victim), `feeder-${i}`, `127.66.200.${i + 1}`)),
    );
    const ips = Array.from({ length: 1000 }, (_, i) => `127.66.${i >> 8}.${i & 255}`);
    for (const [i, feeder] of feeders.entries()) {
      const mine = ips.slice(i * 100, (i + 1) * 100).map((ip) => told(`id-${ip}`, ip, port));
      feeder.send('pex/peers', pex(mine));
    }
    await until(() => victim.stats().discovery.pexReceived >= 10, 'all that he tells');
    const isEvil = (address: string) => address.startsWith('127.66.');
    await until(
      () => victim.peers().some(({ address, direction }) => direction === 'outbound' && isEvil(address)),
      'one of his to be dialled',
      20_000,
    );
    // Time for many more looks, feelers and extra dials.
    await new Promise((resolve) => setTimeout(resolve, 3000));
    const outbound = victim.peers().filter(({ direction }) => direction === 'outbound');
    expect(outbound.filter(({ address }) => isEvil(address))).toHaveLength(1);
    expect(outbound.length).toBeGreaterThanOrEqual(4);
    // All his addresses are one netgroup told by one netgroup: one bucket of new, and eight of tried at most.
    const known = victim.addresses().filter(({ address }) => isEvil(address));
    expect(known.filter(({ bucket }) => bucket === 'new').length).toBeLessThanOrEqual(64);
    expect(known.length).toBeLessThanOrEqual(64 + 8 * 64);
    expect(victim.addresses().filter(({ address }) => !isEvil(address)).length).toBeGreaterThanOrEqual(3);
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => evil.close(resolve));
  }, 60_000);
});
