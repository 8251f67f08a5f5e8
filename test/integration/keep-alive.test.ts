import { describe, expect, it } from 'vitest';
import type { PeerEnd } from '../../dist/src/main/index.js';
import { portOf, startNode, until } from './support/nodes.js';
import { frame, RawPeer } from './support/raw-peer.js';

describe('a ping', () => {
  it('is answered with its payload, at most 64 bytes of it', async () => {
    const node = await startNode();
    const peer = await RawPeer.join(portOf(node));
    peer.send('ping', Buffer.alloc(8, 3));
    peer.send('ping', Buffer.alloc(100, 4));
    peer.send('ping');
    await until(() => peer.of('pong').length === 3, 'three pongs');
    expect(peer.of('pong').map(({ payload }) => payload)).toEqual([
      Buffer.alloc(8, 3),
      Buffer.alloc(64, 4),
      Buffer.alloc(0),
    ]);
  });

  it('goes to a peer that nothing was sent to for half the interval, and its pong tells the round-trip time', async () => {
    const [a, b] = [await startNode({ pingInterval: 200 }), await startNode({ nodeId: 'b' })];
    await a.dial(b.listen);
    await until(() => a.peers()[0].rttMs !== null, 'a round-trip time');
    expect(a.peers()[0].rttMs).toBeGreaterThan(0);
    expect(a.peers()[0].rttMs).toBeLessThan(1000);
    expect(b.peers()[0].rttMs).toBeNull();
  });

  it('is not sent where messages go anyway', async () => {
    const node = await startNode({ pingInterval: 400 });
    const peer = await RawPeer.join(portOf(node));
    const endMs = performance.now() + 900;
    await until(() => {
      if (peer.frames.length < 1000) node.broadcast('tx', Buffer.alloc(1));
      return performance.now() > endMs;
    }, 'the interval to pass twice');
    expect(peer.of('ping')).toEqual([]);
  });

  it('of a stranger nonce answered does not tell a round-trip time', async () => {
    const node = await startNode({ pingInterval: 100 });
    const peer = await RawPeer.join(portOf(node));
    await peer.frame('ping');
    peer.send('pong', Buffer.alloc(8, 1));
    peer.send('tx');
    await until(() => node.stats().messages.receivedByType.tx === 1, 'the message behind it');
    expect(node.peers()[0].rttMs).toBeNull();
  });
});

async function endOf(node: Awaited<ReturnType<typeof startNode>>): Promise<PeerEnd> {
  const ends: PeerEnd[] = [];
  node.on('peer:disconnected', (end) => ends.push(end));
  await until(() => ends.length > 0, 'a disconnect');
  return ends[0];
}

describe('a peer', () => {
  it('that sends no byte is disconnected with ReadTimeout', async () => {
    const node = await startNode({ readTimeout: 300, pingInterval: 200 });
    const peer = await RawPeer.join(portOf(node));
    expect(await endOf(node)).toMatchObject({ code: 0x42, name: 'ReadTimeout', id: 'raw' });
    expect((await peer.frame('disconnect')).payload[0]).toBe(0x42);
  });

  it('that trickles a frame is disconnected however steadily it trickles', async () => {
    const node = await startNode({ frameTimeout: 300 });
    const peer = await RawPeer.join(portOf(node));
    peer.socket.write(frame('tx', Buffer.alloc(5000)).subarray(0, 20));
    const timer = setInterval(() => peer.socket.write(Buffer.of(0)), 20);
    try {
      expect(await endOf(node)).toMatchObject({ name: 'ReadTimeout', reason: 'a frame was not completed' });
    } finally {
      clearInterval(timer);
    }
  });

  it('that sends large frames slowly but completes each in time stays', async () => {
    const node = await startNode({ frameTimeout: 400 });
    const peer = await RawPeer.join(portOf(node));
    const bytes = frame('tx', Buffer.alloc(600_000));
    for (let i = 0; i < 8; i++) {
      peer.socket.write(bytes.subarray(0, 300_000));
      await new Promise((resolve) => setTimeout(resolve, 100));
      peer.socket.write(bytes.subarray(300_000));
    }
    await until(() => node.stats().messages.received === 8, 'eight messages');
    expect(node.peers()).toHaveLength(1);
  });

  it('with nothing but pings is disconnected as IdlePeer', async () => {
    const node = await startNode({ inactivityTimeout: 400, pingInterval: 100 });
    const peer = await RawPeer.join(portOf(node));
    const timer = setInterval(() => peer.send('ping'), 50);
    try {
      expect(await endOf(node)).toMatchObject({ name: 'IdlePeer' });
    } finally {
      clearInterval(timer);
    }
  });

  it('with messages now and then is not idle, and an unconditional one may be', async () => {
    const node = await startNode({ inactivityTimeout: 300, pingInterval: 100, unconditionalPeerIds: ['friend'] });
    const busy = await RawPeer.join(portOf(node), 'busy');
    const friend = await RawPeer.join(portOf(node), 'friend');
    const timer = setInterval(() => {
      busy.send('tx');
      friend.send('ping');
    }, 50);
    try {
      const endMs = performance.now() + 900;
      await until(() => performance.now() > endMs, 'three times the limit to pass');
      expect(node.peers().map(({ id }) => id)).toEqual(['busy', 'friend']);
    } finally {
      clearInterval(timer);
    }
  });

  it('that does not read is disconnected with WriteTimeout, within its queue, while others get everything in time', async () => {
    const node = await startNode({ writeTimeout: 500, sendQueue: '1MiB' });
    const stuck = await RawPeer.join(portOf(node), 'stuck');
    stuck.socket.pause();
    const good = await RawPeer.join(portOf(node), 'good');
    const before = node.stats().memory.used;
    const ends: PeerEnd[] = [];
    node.on('peer:disconnected', (end) => ends.push(end));
    let sent = 0;
    let most = 0;
    const payload = Buffer.alloc(64 * 1024);
    await until(() => {
      if (sent - good.of('block').length < 8) {
        payload.writeUInt32BE(sent++);
        node.broadcast('block', payload);
      }
      most = Math.max(most, node.stats().memory.used - before);
      return ends.length > 0;
    }, 'the write timeout');
    expect(ends[0]).toMatchObject({ id: 'stuck', name: 'WriteTimeout' });
    expect(most).toBeLessThan(6 * 2 ** 20);
    await until(() => good.of('block').length === sent, 'everything to reach the good peer');
    expect(good.of('block').map(({ payload }) => payload.readUInt32BE(0))).toEqual(
      Array.from({ length: sent }, (_, i) => i),
    );
    expect(node.stats().messages.sendsSkipped).toBeGreaterThan(0);
  });
});

describe('a send', () => {
  it('waits while the send queue is full, and loses nothing', async () => {
    const node = await startNode({ sendQueue: '64KiB', writeTimeout: '20s' });
    const peer = await RawPeer.join(portOf(node));
    peer.socket.pause();
    const sends = Array.from({ length: 2000 }, (_, i) => {
      const payload = Buffer.alloc(8000);
      payload.writeUInt32BE(i);
      return node.send('raw', 'seq', payload);
    });
    let settled = 0;
    for (const send of sends) void send.then(() => settled++);
    const endMs = performance.now() + 200;
    await until(() => performance.now() > endMs, 'the kernel to be full');
    expect(settled).toBeLessThan(2000);
    peer.socket.resume();
    await Promise.all(sends);
    await until(() => peer.of('seq').length === 2000, 'all messages');
    expect(peer.of('seq').map(({ payload }) => payload.readUInt32BE(0))).toEqual(
      Array.from({ length: 2000 }, (_, i) => i),
    );
  });

  it('to a peer that goes away meanwhile is refused', async () => {
    const node = await startNode({ sendQueue: '64KiB' });
    const peer = await RawPeer.join(portOf(node));
    peer.socket.pause();
    const sends = Array.from({ length: 2000 }, () => node.send('raw', 'x', Buffer.alloc(8000)));
    const results = Promise.allSettled(sends);
    peer.socket.resetAndDestroy();
    const refused = (await results).filter(({ status }) => status === 'rejected');
    expect(refused.length).toBeGreaterThan(0);
    await expect(node.send('raw', 'x', Buffer.alloc(1))).rejects.toMatchObject({ code: 'ERR_PAW_NOT_CONNECTED' });
  });

  it.each([
    ['the protocol’s own type', 'ping', Buffer.alloc(1), /belongs to the protocol/],
    ['an empty type', '', Buffer.alloc(1), /empty/],
    ['a text instead of bytes', 'tx', 'text', /Uint8Array/],
    ['more than 10 MB', 'tx', Buffer.alloc(10 * 2 ** 20), /10 MB/],
  ])('of %s is wrong use', async (_, type, payload, message) => {
    const node = await startNode();
    await RawPeer.join(portOf(node));
    await expect(node.send('raw', type, payload)).rejects.toMatchObject({ code: 'ERR_PAW_MESSAGE', message });
    expect(() => node.broadcast(type, payload)).toThrow(message);
  });
});
