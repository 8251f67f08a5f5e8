import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it, vi } from 'vitest';
import { createNode } from '../../dist/src/main/index.js';
import { Store } from '../../dist/src/main/store/store.js';
import { root } from '../architecture/source-files.js';
import { handlerModule, portOf, startNode, until } from './support/nodes.js';
import { frame, RawPeer } from './support/raw-peer.js';

const locks = (dataDir: string) => readdirSync(dataDir).filter((name) => name.startsWith('lock-'));

describe('a node that closes', () => {
  it('tells its peers, finishes what has arrived with its replies, and is gone within its time', async () => {
    const node = await startNode({ handlers: [handlerModule('kinds.mjs')], workers: 1 });
    const peers = await Promise.all(Array.from({ length: 5 }, (_, i) => RawPeer.join(portOf(node), `p${i}`)));
    for (const peer of peers) {
      peer.socket.on('end', () => peer.socket.end());
      peer.socket.write(Buffer.concat(Array.from({ length: 200 }, (_, i) => frame('later', Buffer.of(i)))));
    }
    await until(() => node.stats().messages.received >= 1000, 'everything to be queued');
    const startMs = performance.now();
    await node.close();
    expect(performance.now() - startMs).toBeLessThan(5000);
    for (const peer of peers) {
      await until(() => peer.ended, 'the end');
      expect(peer.of('echo').map(({ payload }) => payload[0])).toEqual(Array.from({ length: 200 }, (_, i) => i));
      expect(peer.of('disconnect').map(({ payload }) => payload[0])).toEqual([0]);
    }
  });

  it('handles what had come from a peer that is gone, also what is queued only while the node closes', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'paw-late-'));
    const [module, handled] = [join(folder, 'handlers.mjs'), join(folder, 'handled')];
    writeFileSync(
      module,
      `import { appendFileSync } from 'node:fs';
      export default {
        burn: () => {
          const endMs = performance.now() + 400;
          while (performance.now() < endMs);
        },
        late: {
          mode: 'queued',
          handler: async ({ payload }) => {
            await new Promise((resolve) => setTimeout(resolve, 20));
            appendFileSync(${JSON.stringify(handled)}, payload);
          },
        },
      };`,
    );
    const node = await startNode({ handlers: [module], workers: 1 });
    const peer = await RawPeer.join(portOf(node));
    const bytes = Buffer.concat([
      frame('burn', Buffer.alloc(0)),
      ...Array.from('0123456789', (digit) => frame('late', Buffer.from(digit))),
    ]);
    const beforeBytes = node.peers()[0]!.bytesReceived;
    peer.socket.write(bytes);
    await until(() => node.peers()[0]!.bytesReceived >= beforeBytes + bytes.length, 'the bytes');
    peer.socket.resetAndDestroy();
    await until(() => node.peers().length === 0, 'the peer to be gone');
    await node.close();
    expect(readFileSync(handled, 'utf8')).toBe('0123456789');
    rmSync(folder, { recursive: true });
  });

  it('under load with 100 peers that keep sending takes less than 5 s', async () => {
    const node = await startNode({ maxPeers: 200, maxInbound: 200 });
    const peers = await Promise.all(Array.from({ length: 100 }, (_, i) => RawPeer.join(portOf(node), `p${i}`)));
    const bytes = Buffer.concat(Array.from({ length: 50 }, () => frame('tx', Buffer.alloc(400))));
    const timer = setInterval(() => {
      for (const peer of peers) if (peer.socket.writable) peer.socket.write(bytes);
    }, 5);
    await until(() => node.stats().messages.received > 5000, 'the load');
    const startMs = performance.now();
    await node.close();
    clearInterval(timer);
    expect(performance.now() - startMs).toBeLessThan(5000);
    await until(() => peers.every((peer) => peer.of('disconnect').length === 1), 'the goodbye at every peer');
  });

  it('does so in time also with peers that neither read nor close', async () => {
    const node = await startNode({ shutdownTimeout: '1s' });
    const peers = await Promise.all(Array.from({ length: 10 }, (_, i) => RawPeer.join(portOf(node), `p${i}`)));
    for (const peer of peers) peer.socket.pause();
    for (let i = 0; i < 200; i++) node.broadcast('x', Buffer.alloc(64 * 1024));
    const startMs = performance.now();
    await node.close();
    expect(performance.now() - startMs).toBeLessThan(3000);
  });

  it('refuses what is asked of it afterwards, and may be closed again', async () => {
    const node = await startNode();
    await Promise.all([node.close(), node.close()]);
    await expect(node.dial('127.0.0.1:1')).rejects.toMatchObject({ code: 'ERR_PAW_CLOSED' });
    await expect(node.send('x', 'tx', Buffer.of(1))).rejects.toMatchObject({ code: 'ERR_PAW_NOT_CONNECTED' });
    expect(node.broadcast('tx', Buffer.of(1))).toEqual({ sent: 0, skipped: 0 });
  });

  it('leaves no handle and no thread: its process ends by itself', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'paw-exit-'));
    const library = pathToFileURL(join(root, 'dist/src/main/index.js')).href;
    const script = `
      import { createNode } from ${JSON.stringify(library)};
      const options = { chainId: 'x', listen: '127.0.0.1:0', logLevel: 'silent', workers: 2 };
      const a = await createNode({ ...options, admin: '127.0.0.1:0', dataDir: 'a', nodeId: 'a' });
      const b = await createNode({ ...options, admin: 'off', dataDir: 'b', nodeId: 'b' });
      await fetch('http://' + a.admin + '/status');
      await b.dial(a.listen);
      for (let i = 0; i < 1000; i++) await b.send('a', 'tx', Buffer.alloc(1000));
      await Promise.all([a.close(), b.close()]);
      console.log('closed');`;
    writeFileSync(join(folder, 'script.mjs'), script);
    const { stdout } = await promisify(execFile)(process.execPath, ['script.mjs'], { cwd: folder, timeout: 15_000 });
    expect(stdout.trim()).toBe('closed');
    rmSync(folder, { recursive: true });
  });
});

describe('the end of a node', () => {
  it('is there for whoever asked, and gives everything up, also where the store can not be closed', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'paw-end-'));
    const common = { chainId: 'x', listen: '127.0.0.1:0', logLevel: 'silent', workers: 1 } as const;
    const node = await createNode({ ...common, admin: '127.0.0.1:0', dataDir });
    const errors: Error[] = [];
    node.on('error', (error) => errors.push(error));
    const close = Store.prototype.close;
    vi.spyOn(Store.prototype, 'close').mockImplementation(async function (this: Store) {
      await close.call(this);
      throw new Error('no space left');
    });
    node.drain();
    await expect(node.closed).rejects.toThrow('no space left');
    await expect(node.close()).rejects.toThrow('no space left');
    vi.restoreAllMocks();
    expect(errors.map(({ message }) => message)).toEqual(['no space left']);
    expect(locks(dataDir)).toEqual([]);
    await expect(fetch(`http://${node.admin}/health`)).rejects.toThrow();
    rmSync(dataDir, { recursive: true });
  });

  it('is when nobody listens on its admin HTTP any more: its store is closed and its data directory free', async () => {
    const node = await startNode({ admin: '127.0.0.1:0' });
    const { dataDir } = node.config() as { dataDir: string };
    const close = Store.prototype.close;
    let release: () => void = () => undefined;
    vi.spyOn(Store.prototype, 'close').mockImplementation(async function (this: Store) {
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      await close.call(this);
    });
    const closed = node.close();
    await until(() => vi.mocked(Store.prototype.close).mock.calls.length > 0, 'the store to be closed');
    expect(await (await fetch(`http://${node.admin}/health`)).json()).toMatchObject({ reasons: ['draining'] });
    // Nothing would remember it.
    expect(() => node.ban('192.0.2.1')).toThrow(expect.objectContaining({ code: 'ERR_PAW_CLOSED' }));
    expect(locks(dataDir)).toHaveLength(1);
    release();
    await closed;
    vi.restoreAllMocks();
    expect(locks(dataDir)).toEqual([]);
    await expect(fetch(`http://${node.admin}/health`)).rejects.toThrow();
  });
});

describe('a drain', () => {
  it('waits for handlers and their replies for as long as they take, takes nobody in, and says how far it is', async () => {
    const node = await startNode({ handlers: [handlerModule('kinds.mjs')], workers: 1, shutdownTimeout: '50ms' });
    const peer = await RawPeer.join(portOf(node));
    peer.socket.on('end', () => peer.socket.end());
    peer.socket.write(Buffer.concat(Array.from({ length: 400 }, (_, i) => frame('later', Buffer.of(i % 256)))));
    await until(() => node.stats().messages.received === 400, 'everything to be queued');
    const first = node.drain();
    expect(first).toMatchObject({ connections: 1 });
    expect(first.queuedMessages).toBeGreaterThan(100);
    expect(Math.abs(Date.parse(first.until) - Date.parse(first.since) - 60_000)).toBeLessThan(1000);
    expect(node.health()).toMatchObject({ ok: false, reasons: ['draining'] });
    await expect(RawPeer.dial(portOf(node))).rejects.toThrow('ECONNREFUSED');
    await until(() => node.drain().queuedMessages < first.queuedMessages, 'progress');
    expect(node.stats().draining).toMatchObject({ since: first.since });
    await node.closed;
    await until(() => peer.ended, 'the end');
    expect(peer.of('echo')).toHaveLength(400);
    expect(peer.of('disconnect').map(({ payload }) => payload[0])).toEqual([0]);
  });

  it('loses no reply of the last handlers when the main thread is busy as they end', async () => {
    const node = await startNode({ handlers: [handlerModule('kinds.mjs')], workers: 1 });
    const peer = await RawPeer.join(portOf(node));
    peer.socket.on('end', () => peer.socket.end());
    peer.socket.write(Buffer.concat(Array.from({ length: 100 }, (_, i) => frame('later', Buffer.of(i)))));
    await until(() => node.stats().messages.received === 100, 'everything to be queued');
    const busy = setInterval(() => {
      const endMs = performance.now() + 20;
      while (performance.now() < endMs);
    }, 1);
    node.drain();
    await node.closed.finally(() => clearInterval(busy));
    await until(() => peer.ended, 'the end');
    expect(peer.of('echo')).toHaveLength(100);
  });

  it('goes on for who reads slowly, and gives up who does not read at all', async () => {
    // The kernel asks for more only once a third of its buffer is free: for slow readers that takes a second.
    const node = await startNode({ writeTimeout: '3s' });
    const [slow, stuck] = [await RawPeer.join(portOf(node), 'slow'), await RawPeer.join(portOf(node), 'stuck')];
    for (const peer of [slow, stuck]) {
      peer.socket.pause();
      peer.socket.on('end', () => peer.socket.end());
      for (let i = 0; i < 200; i++)
        void node.send(peer === slow ? 'slow' : 'stuck', 'x', Buffer.alloc(64 * 1024)).catch(() => undefined);
    }
    await until(() => node.stats().messages.sent >= 200, 'full send queues');
    const pace = () => {
      slow.socket.pause();
      setTimeout(() => slow.socket.resume(), 40);
    };
    slow.socket.on('data', pace).resume();
    const queued = node.drain({ within: '25s' }).queuedBytes;
    expect(queued).toBeGreaterThan(4 * 1024 * 1024);
    const startMs = performance.now();
    await node.closed;
    const tookMs = performance.now() - startMs;
    expect(tookMs).toBeLessThan(20_000);
    slow.socket.off('data', pace).resume();
    await until(() => slow.ended, 'the end');
    // All that stood in its queue, and after it the goodbye.
    expect(slow.frames.at(-1)?.type).toBe('disconnect');
    expect(stuck.of('disconnect')).toEqual([]);
  });

  it('is hurried by close, and never prolonged by it', async () => {
    const node = await startNode({ handlers: [handlerModule('kinds.mjs')], workers: 1, shutdownTimeout: '300ms' });
    const peer = await RawPeer.join(portOf(node));
    peer.send('hold');
    await until(() => node.stats().messages.received === 1, 'a handler that is never through');
    node.drain({ within: '30s' });
    const startMs = performance.now();
    await node.close();
    expect(performance.now() - startMs).toBeLessThan(3000);
    await node.closed;
  });

  it('is hurried by close also when nothing is left but a worker that does not end', async () => {
    const node = await startNode({ handlers: [handlerModule('busy.mjs')], workers: 1, shutdownTimeout: '300ms' });
    const file = join(mkdtempSync(join(tmpdir(), 'paw-busy-')), 'busy');
    const peer = await RawPeer.join(portOf(node));
    peer.send('busyLater', Buffer.from(file));
    peer.socket.end();
    await until(() => existsSync(file) && peer.closed, 'the worker to be busy, and nobody else there');
    node.drain({ within: '30s' });
    expect(node.stats().draining).toMatchObject({ connections: 0, queuedMessages: 0 });
    // Nobody to wait for: by the next turn it is at its workers.
    await nextTurn();
    const startMs = performance.now();
    await node.close();
    expect(performance.now() - startMs).toBeLessThan(5000);
    rmSync(dirname(file), { recursive: true });
  });

  it.each(['soon', '25h', -1, 1.5])('within %j is refused, and the node runs on', async (within) => {
    const node = await startNode();
    expect(() => node.drain({ within })).toThrow(expect.objectContaining({ key: 'within' }));
    expect(node.health().ok).toBe(true);
  });
});
