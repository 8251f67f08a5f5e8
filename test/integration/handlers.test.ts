import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, describe, expect, it } from 'vitest';
import { handlerModule, portOf, startNode, until } from './support/nodes.js';
import { frame, RawPeer } from './support/raw-peer.js';

const kinds = { handlers: [handlerModule('kinds.mjs')], workers: 1 };

describe('a handler', () => {
  it('that is synchronous answers in order, on views of the ring', async () => {
    const node = await startNode(kinds);
    const peer = await RawPeer.join(portOf(node));
    const payloads = Array.from({ length: 500 }, (_, i) => Buffer.alloc(i * 7, i));
    peer.socket.write(Buffer.concat(payloads.map((payload) => frame('inline', payload))));
    await until(() => peer.of('echo').length === 500, 'all echoes');
    expect(peer.of('echo').map(({ payload }) => payload)).toEqual(payloads);
  });

  it.each(['later', 'wrapped'])(
    'that returns promises (%s) is queued, keeps its payload and its order',
    async (type) => {
      const node = await startNode(kinds);
      const peer = await RawPeer.join(portOf(node));
      const payloads = Array.from({ length: 100 }, (_, i) => Buffer.alloc(2000 + i, i));
      peer.socket.write(Buffer.concat(payloads.map((payload) => frame(type, payload))));
      await until(() => peer.of('echo').length === 100, 'all echoes');
      expect(peer.of('echo').map(({ payload }) => payload)).toEqual(payloads);
    },
  );

  it('that is declared inline and returns a promise counts as failed, each time', async () => {
    const node = await startNode(kinds);
    const peer = await RawPeer.join(portOf(node));
    peer.socket.write(Buffer.concat([frame('promises'), frame('promises'), frame('inline', Buffer.of(1))]));
    await peer.frame('echo');
    await until(() => node.stats().messages.handlerErrors === 2, 'both to be counted');
  });

  it('of a msgpack type gets a value and sends one, and so does the library', async () => {
    const validator = await startNode({ ...kinds, nodeId: 'validator' });
    const wallet = await startNode({ types: { vote: { codec: 'msgpack' } } });
    const got: unknown[] = [];
    wallet.subscribe('vote', ({ value }) => got.push(value));
    await wallet.dial(validator.listen);
    await wallet.send('validator', 'vote', { height: 7, hash: Buffer.from('ab'), yes: true });
    await until(() => got.length === 1, 'the answer');
    expect(got).toEqual([{ height: 7, hash: Uint8Array.from([0x61, 0x62]), yes: true, seenBy: 'vote' }]);
    await expect(wallet.send('validator', 'vote', Symbol('x'))).rejects.toMatchObject({ code: 'ERR_PAW_MESSAGE' });
  });

  it('of a msgpack type never sees what does not decode: it is dropped as InvalidMessageFormat', async () => {
    const node = await startNode(kinds);
    const peer = await RawPeer.join(portOf(node));
    peer.send('vote', Buffer.from('c1', 'hex'));
    peer.send('vote', Buffer.from('ddffffffff', 'hex'));
    peer.send('inline', Buffer.of(1));
    await peer.frame('echo');
    expect(node.stats().messages.droppedByCode.InvalidMessageFormat).toBe(2);
    expect(peer.of('vote')).toEqual([]);
  });

  it('broadcasts to all but the excluded, and sends to one by its ID', async () => {
    const node = await startNode({ ...kinds, workers: 2 });
    const [a, b, c] = await Promise.all(['a', 'b', 'c'].map((id) => RawPeer.join(portOf(node), id)));
    a.send('forward', Buffer.from('hello'));
    await Promise.all([b.frame('news'), c.frame('news')]);
    a.send('direct', Buffer.from('c'));
    expect((await c.frame('mail')).payload.toString()).toBe('a');
    expect([a.of('news').length, a.of('mail').length, b.of('mail').length]).toEqual([0, 0, 0]);
    a.send('direct', Buffer.from('nobody'));
    await until(() => node.stats().messages.sendsSkipped === 1, 'the send to nobody to be counted');
  });

  it('broadcasts blocks larger than the outbound ring', async () => {
    const node = await startNode({ ...kinds, outboundRing: '64KiB' });
    const [a, b] = await Promise.all(['a', 'b'].map((id) => RawPeer.join(portOf(node), id)));
    const block = Buffer.alloc(3_000_000);
    for (let i = 0; i < block.length; i++) block[i] = i * 13;
    a.send('forward', block);
    expect((await b.frame('news')).payload.equals(block)).toBe(true);
  });

  it('publishes to the main thread, and logs', async () => {
    const lines: string[] = [];
    const logger = pino({ level: 'warn' }, { write: (line: string) => void lines.push(line) });
    const node = await startNode({ ...kinds, logger });
    const published: unknown[] = [];
    node.on('published', (value) => published.push(value));
    const peer = await RawPeer.join(portOf(node));
    peer.send('tell', Buffer.from('x'));
    peer.send('log', Buffer.from('y'));
    await until(() => published.length === 1 && lines.length === 1, 'both');
    expect(published).toEqual([{ text: 'x', worker: 0, bytes: 1 }]);
    expect(JSON.parse(lines[0])).toMatchObject({ msg: 'from a handler', about: 'y', worker: 0, nodeId: node.nodeId });
  });

  it('that throws, at once or later, is counted, and the next message is handled', async () => {
    const node = await startNode(kinds);
    const peer = await RawPeer.join(portOf(node));
    for (const type of ['fails', 'failsLater', 'fails']) peer.send(type);
    peer.send('inline', Buffer.of(9));
    await peer.frame('echo');
    await until(() => node.stats().messages.handlerErrors === 3, 'the count');
    expect(node.stats().workers[0].restarts).toBe(0);
  });
});

describe('a full queue', () => {
  const bytes = (count: number) => Array.from({ length: count }, (_, i) => Buffer.of(i));

  it('under back-pressure holds the connection back, loses nothing, and never holds a ping up', async () => {
    const node = await startNode(kinds);
    const peer = await RawPeer.join(portOf(node));
    const other = await RawPeer.join(portOf(node), 'other');
    peer.socket.write(Buffer.concat([...bytes(20).map((b) => frame('hold', b)), frame('ping', Buffer.of(42))]));
    expect((await peer.frame('pong')).payload).toEqual(Buffer.of(42));
    other.send('inline', Buffer.of(1));
    await other.frame('echo');
    expect(peer.of('held')).toEqual([]);
    const timer = setInterval(() => other.send('release'), 10);
    await until(() => peer.of('held').length === 20, 'all messages').finally(() => clearInterval(timer));
    expect(
      peer
        .of('held')
        .map(({ payload }) => payload[0])
        .sort((x, y) => x - y),
    ).toEqual(bytes(20).map((b) => b[0]));
    expect(peer.of('pong')).toHaveLength(1);
    expect(node.stats().messages.queueDropped).toBe(0);
  });

  it.each([
    ['dropNew', [0, 1, 2, 3]],
    ['dropOld', [0, 7, 8, 9]],
  ])('under %s drops what the policy says, counted', async (type, kept) => {
    const node = await startNode(kinds);
    const peer = await RawPeer.join(portOf(node));
    peer.socket.write(Buffer.concat(bytes(10).map((b) => frame(type, b))));
    await until(() => node.stats().messages.queueDropped === 6, 'the drops');
    const timer = setInterval(() => peer.send('release'), 10);
    await until(() => peer.of('held').length === 4, 'the rest').finally(() => clearInterval(timer));
    expect(peer.of('held').map(({ payload }) => payload[0])).toEqual(kept);
  });
});

describe('handlers that burn time', () => {
  it('hold up neither pings nor new handshakes', async () => {
    const node = await startNode(kinds);
    const greedy = await RawPeer.join(portOf(node), 'greedy');
    const good = await RawPeer.join(portOf(node), 'good');
    greedy.socket.write(Buffer.concat(Array.from({ length: 40 }, () => frame('burn', Buffer.of(50)))));
    await until(() => node.stats().messages.received > 0, 'the burning to begin');
    const startMs = performance.now();
    good.socket.write(
      Buffer.concat([...Array.from({ length: 10 }, () => frame('burn', Buffer.of(50))), frame('ping', Buffer.of(1))]),
    );
    await good.frame('pong');
    expect(performance.now() - startMs).toBeLessThan(500);
    const shakeMs = performance.now();
    await RawPeer.join(portOf(node), 'new');
    expect(performance.now() - shakeMs).toBeLessThan(500);
    expect(good.of('pong')).toHaveLength(1);
  });
});

describe('types declared by option', () => {
  it.each([
    [{ tx: { codec: 'json' } }, /codec is json/],
    [{ tx: { codek: 'raw' } }, /there is no 'codek', only mode, concurrency/],
    [{ ping: {} }, /belongs to the protocol/],
    [{ 'a\nb': {} }, /control characters/],
  ])('%j are a ConfigError', async (types, message) => {
    await expect(startNode({ types: types as never })).rejects.toMatchObject({ key: 'types', message });
  });
});

describe('a handler module', () => {
  const folder = mkdtempSync(join(tmpdir(), 'paw-handlers-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  let files = 0;
  const written = (code: string) => {
    const file = join(folder, `${files++}.mjs`);
    writeFileSync(file, code);
    return file;
  };
  it.each([
    ['that does not exist', handlerModule('missing.mjs'), /missing\.mjs/],
    ['with a wrong policy', handlerModule('broken.mjs'), /mode is sideways, must be one of inline, queued/],
    ['that is a Map', written('export default new Map([["tx", () => {}]])'), /must be a plain object/],
    ['that is an instance', written('class App { tx() {} }\nexport default new App()'), /must be a plain object/],
    ['with nothing for a type', written('export default { tx: null }'), /'tx' has no handler function/],
    ['with a generator', written('export default { *tx() {} }'), /the handler of 'tx' is a generator/],
    [
      'with a misspelt policy',
      written('export default { tx: { handler() {}, concurency: 4 } }'),
      /there is no 'concurency'/,
    ],
  ])('%s is refused, naming it, and nothing is left behind', async (_, module, message) => {
    const options = { handlers: [module] };
    await expect(startNode(options)).rejects.toMatchObject({ code: 'ERR_PAW_HANDLER_MODULE', message });
  });
});
