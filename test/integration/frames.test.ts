import { describe, expect, it } from 'vitest';
import { handlerModule, portOf, startNode, until } from './support/nodes.js';
import { frame, handshakeBytes, RawPeer } from './support/raw-peer.js';

const MIB = 2 ** 20;
const LIMIT = 10 * MIB;

describe('a frame', () => {
  it('of exactly 10 MB arrives whole', async () => {
    const node = await startNode();
    const got: Buffer[] = [];
    node.subscribe('big', ({ payload }) => got.push(payload));
    const peer = await RawPeer.join(portOf(node));
    const payload = Buffer.alloc(LIMIT - 2 - 3);
    for (let i = 0; i < payload.length; i++) payload[i] = (i * 31 + (i >>> 8)) & 0xff;
    peer.socket.write(frame('big', payload));
    await until(() => got.length === 1, 'the message');
    expect(got[0].equals(payload)).toBe(true);
  });

  it('one byte larger ends the connection with MessageTooLarge, and nothing behind it is read', async () => {
    const node = await startNode();
    const got: string[] = [];
    node.subscribe('tx', ({ payload }) => got.push(payload.toString()));
    const peer = await RawPeer.join(portOf(node));
    const tooLarge = Buffer.alloc(4);
    tooLarge.writeUInt32BE(LIMIT + 1);
    peer.socket.write(Buffer.concat([frame('tx', Buffer.from('before')), tooLarge, frame('tx', Buffer.from('after'))]));
    const { payload } = await peer.frame('disconnect');
    expect(payload[0]).toBe(0x04);
    await until(() => peer.ended, 'the end');
    peer.socket.end();
    await until(() => node.stats().connections.disconnectsByCode.MessageTooLarge === 1, 'the count');
    expect(got).toEqual(['before']);
    expect(node.stats().messages.droppedByCode.MessageTooLarge).toBe(1);
    expect(node.peers()).toEqual([]);
    // Whoever gets its place is read again.
    const next = await RawPeer.join(portOf(node));
    next.socket.write(frame('tx', Buffer.from('next')));
    await until(() => got.length === 2, 'the message of the next');
    expect(got).toEqual(['before', 'next']);
  });

  it('that is malformed is dropped and counted, and the next is read', async () => {
    const node = await startNode();
    const got: string[] = [];
    node.subscribe('tx', ({ payload }) => got.push(payload.toString()));
    const peer = await RawPeer.join(portOf(node));
    const bad = [Buffer.alloc(4), frame('a\nb', Buffer.alloc(9)), frame('', Buffer.alloc(500)), frame('\u0080')];
    for (const [i, bytes] of bad.entries())
      peer.socket.write(Buffer.concat([bytes, frame('tx', Buffer.from(String(i)))]));
    await until(() => got.length === 4, 'the messages in between');
    expect(got).toEqual(['0', '1', '2', '3']);
    expect(node.stats().messages).toMatchObject({
      dropped: 4,
      droppedByCode: { InvalidMessageFormat: 4 },
      received: 4,
    });
    expect(node.peers()).toHaveLength(1);
  });

  it('of an unknown type is counted and costs nothing else', async () => {
    const node = await startNode();
    const peer = await RawPeer.join(portOf(node));
    peer.send('news', Buffer.from('x'));
    await until(() => node.stats().messages.unhandled === 1, 'the count');
    expect(node.stats().messages).toMatchObject({ received: 1, dropped: 0, receivedByType: { news: 1 } });
  });

  it('may have an empty payload and a type of 255 bytes', async () => {
    const node = await startNode();
    const type = `${'ü'.repeat(127)}x`;
    const got: number[] = [];
    node.subscribe(type, ({ payload }) => got.push(payload.length));
    const peer = await RawPeer.join(portOf(node));
    peer.send(type);
    await until(() => got.length === 1, 'the message');
    expect(got).toEqual([0]);
  });

  it('counts under other once there are more types than labels', async () => {
    const node = await startNode({ workers: 1 });
    const peer = await RawPeer.join(portOf(node));
    peer.socket.write(Buffer.concat(Array.from({ length: 500 }, (_, i) => frame(`type-${i}`))));
    await until(() => node.stats().messages.received === 500, 'all messages');
    const { receivedByType } = node.stats().messages;
    expect(Object.keys(receivedByType).length).toBeLessThanOrEqual(64);
    expect(Object.values(receivedByType).reduce((a, b) => a + b)).toBe(500);
    expect(receivedByType.other).toBeGreaterThan(400);
  });
});

describe('peers that declare 10 MB and send nothing', () => {
  it('take no memory, 50 of them, and hold nobody up', async () => {
    const node = await startNode();
    const before = node.stats().memory.used;
    const liars = await Promise.all(Array.from({ length: 49 }, (_, i) => RawPeer.join(portOf(node), `liar-${i}`)));
    const head = Buffer.concat([Buffer.from([0, 0xa0, 0, 0, 0, 2]), Buffer.from('tx'), Buffer.alloc(100)]);
    for (const liar of liars) liar.socket.write(head);
    const good = await RawPeer.join(portOf(node), 'good');
    const startMs = performance.now();
    good.send('ping', Buffer.alloc(8, 7));
    expect((await good.frame('pong')).payload).toEqual(Buffer.alloc(8, 7));
    expect(performance.now() - startMs).toBeLessThan(1000);
    await until(() => node.peers().every(({ bytesReceived }) => bytesReceived > 0), 'every head');
    expect(node.stats().memory.used - before).toBeLessThanOrEqual(49 * 64 * 1024 + MIB);
  });
});

describe('a connection that closes', () => {
  it('still delivers every whole frame that arrived before', async () => {
    const node = await startNode({ workers: 1 });
    const got: number[] = [];
    const ended: string[] = [];
    node.subscribe('seq', ({ payload }) => got.push(payload.readUInt32BE(0)));
    node.on('peer:disconnected', ({ name }) => ended.push(name));
    for (let round = 0; round < 10; round++) {
      got.length = 0;
      const peer = await RawPeer.dial(portOf(node));
      const frames = Array.from({ length: 2000 }, (_, i) => {
        const payload = Buffer.alloc(4 + (i % 300));
        payload.writeUInt32BE(i);
        return frame('seq', payload);
      });
      peer.socket.end(
        Buffer.concat([
          handshakeBytes(undefined, `p${round}`),
          ...frames,
          frame('seq', Buffer.alloc(99)).subarray(0, 50),
        ]),
      );
      await until(() => ended.length === round + 1, 'the end of the connection');
      expect(got).toEqual(Array.from({ length: 2000 }, (_, i) => i));
    }
  });

  it('delivers them also where a slow handler with a full queue stands in front', async () => {
    const node = await startNode({ workers: 1, handlers: [handlerModule('slow.mjs')] });
    const got: number[] = [];
    node.on('published', (value) => got.push(value as number));
    const peer = await RawPeer.join(portOf(node));
    const frames = Array.from({ length: 100 }, (_, i) => frame('slow', Buffer.of(i)));
    peer.socket.end(Buffer.concat(frames));
    await until(() => got.length === 100, 'all messages', 15_000);
    expect(got).toEqual(Array.from({ length: 100 }, (_, i) => i));
    await until(() => node.stats().connections.disconnectsByCode.NetworkError === 1, 'the end');
  });

  it('is recorded with the code that the peer announced', async () => {
    const node = await startNode();
    const ended: { code: number; reason: string }[] = [];
    node.on('peer:disconnected', (end) => ended.push(end));
    const peer = await RawPeer.join(portOf(node));
    peer.socket.end(frame('disconnect', Buffer.concat([Buffer.of(0x49), Buffer.from('no \n memory')])));
    await until(() => ended.length === 1, 'the end');
    expect(ended[0]).toMatchObject({ code: 0x49, name: 'ResourceExhausted', reason: 'no ? memory' });
  });

  it('gives its slot back: a thousand connections fit where twenty may be at once', async () => {
    const node = await startNode({ maxPeers: 20, maxInbound: 20, maxOutbound: 0, workers: 2 });
    let last = 0;
    for (let round = 0; round < 50; round++) {
      const peers = await Promise.all(
        Array.from({ length: 20 }, (_, i) => RawPeer.join(portOf(node), `p${round}-${i}`)),
      );
      for (const peer of peers) peer.socket.resetAndDestroy();
      await until(() => node.peers().length === 0, 'all to be gone');
      last = round;
    }
    expect(last).toBe(49);
    expect(node.stats().connections.inbound).toBe(1000);
  });
});
