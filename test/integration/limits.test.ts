import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { createNode } from '../../dist/src/main/index.js';
import { portOf, startNode, until } from './support/nodes.js';
import { RawPeer } from './support/raw-peer.js';

/** Dials and shakes hands; the first two bytes of the answer. */
async function answerTo(port: number, id: string): Promise<number[]> {
  const peer = await RawPeer.join(port, id);
  return [...(peer.greeting as Buffer).subarray(0, 2)];
}

describe('limits', () => {
  it('refuse one inbound peer too many with PeerLimitReached, but never an unconditional one', async () => {
    const node = await startNode({ maxPeers: 10, maxInbound: 3, unconditionalPeerIds: ['friend'] });
    for (const id of ['a', 'b', 'c']) expect((await answerTo(portOf(node), id))[0]).toBe(1);
    expect(await answerTo(portOf(node), 'd')).toEqual([0, 0x06]);
    expect((await answerTo(portOf(node), 'friend'))[0]).toBe(1);
    expect(node.stats().peers).toEqual({ total: 4, inbound: 4, outbound: 0 });
    expect(node.disconnect('a')).toBe(true);
    await until(() => node.peers().length === 3, 'the place to be free');
    expect((await answerTo(portOf(node), 'd'))[0]).toBe(1);
  });

  it('hold for peers that we dial too', async () => {
    const node = await startNode({ maxPeers: 2, maxOutbound: 1 });
    const others = await Promise.all([startNode(), startNode()]);
    await node.dial(others[0].listen);
    await expect(node.dial(others[1].listen)).rejects.toMatchObject({ code: 0x06 });
    await until(() => others[1].peers().length === 0, 'the refused one to let go');
  });

  it('refuse a second connection of a peer, and the first stays', async () => {
    const node = await startNode();
    const first = await RawPeer.join(portOf(node), 'twin');
    expect(await answerTo(portOf(node), 'twin')).toEqual([0, 0x40]);
    first.send('ping', Buffer.of(1));
    expect((await first.frame('pong')).payload).toEqual(Buffer.of(1));
  });

  it('that do not fit the memory budget are told before anything starts', async () => {
    const options = {
      chainId: 'x',
      admin: 'off',
      listen: '127.0.0.1:0',
      dataDir: '/nonexistent',
      memoryBudget: '8MiB',
      maxPeers: 10_000,
    };
    await expect(createNode(options)).rejects.toMatchObject({ code: 'ERR_PAW_CONFIG', key: 'memoryBudget' });
  });
});

describe('two nodes that dial each other at once', () => {
  it.each([
    ['knowing each other’s IDs', true],
    ['knowing only addresses', false],
  ])('%s end up with one connection, whose initiator has the smaller ID', async (_, knowIds) => {
    for (let round = 0; round < 12; round++) {
      const [small, large] = [await startNode({ nodeId: `a${round}` }), await startNode({ nodeId: `b${round}` })];
      const address = (node: typeof small) => (knowIds ? `${node.nodeId}@${node.listen}` : node.listen);
      await Promise.allSettled([small.dial(address(large)), large.dial(address(small))]);
      const isSettled = () =>
        [small, large].every((node) => node.peers().length === 1 && node.stats().connections.handshaking === 0);
      await until(isSettled, 'one connection on both sides');
      // One that was never simultaneous may have been there first; then it stays, whoever made it.
      const directions = [small.peers()[0].direction, large.peers()[0].direction];
      expect([...directions].sort()).toEqual(['inbound', 'outbound']);
      if (small.stats().connections.total > 1 && large.stats().connections.total > 1) {
        expect(directions).toEqual(['outbound', 'inbound']);
      }
      await small.send(large.nodeId, 'ok', Buffer.of(1));
      await until(() => large.stats().messages.receivedByType.ok === 1, 'a message over what is left');
    }
  });
});

describe('dials', () => {
  it('wait in a queue of 100, and one more is dropped and counted', async () => {
    const node = await startNode({ handshakeTimeout: '20s' });
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as { port: number };
    const dials = Array.from({ length: 130 }, () => node.dial(`127.0.0.1:${port}`));
    const results = Promise.allSettled(dials);
    await until(() => node.stats().dials.dropped === 14, 'the dropped ones');
    expect(node.stats().dials.queued).toBe(100);
    await node.close({ drain: false });
    const codes = (await results).map((result) => (result.status === 'rejected' ? result.reason.code : 'ok'));
    expect(codes.filter((code) => code === 'ERR_PAW_DIAL_QUEUE_FULL')).toHaveLength(14);
    expect(codes.filter((code) => code === 'ERR_PAW_CLOSED')).toHaveLength(100);
    silent.close();
  });
});

describe('a persistent peer', () => {
  it('comes back after it was away, dialled with back-off', async () => {
    const first = await startNode({ nodeId: 'hub' });
    const { listen } = first;
    const node = await startNode({ persistentPeers: [`hub@${listen}`] });
    await until(() => node.peers().length === 1, 'the first connection');
    expect(node.peers()[0]).toMatchObject({ id: 'hub', persistent: true, direction: 'outbound' });
    const goneMs = performance.now();
    await first.close();
    await until(() => node.peers().length === 0, 'it to be gone');
    await startNode({ nodeId: 'hub', listen });
    await until(() => node.peers().length === 1, 'it to be back');
    const awayMs = performance.now() - goneMs;
    expect(awayMs).toBeGreaterThan(1900);
    expect(awayMs).toBeLessThan(5500);
  });

  it('that is dead slows no other dial', async () => {
    const dead = Array.from({ length: 40 }, (_, i) => `127.0.0.1:${i + 1}`);
    const node = await startNode({ persistentPeers: dead });
    const other = await startNode();
    const startMs = performance.now();
    await node.dial(other.listen);
    expect(performance.now() - startMs).toBeLessThan(1000);
    await until(() => node.stats().dials.failed >= 40, 'the dead ones to fail');
  });

  it('does not count against the limits', async () => {
    const [hub, other] = [await startNode({ nodeId: 'hub' }), await startNode()];
    const node = await startNode({ persistentPeers: [hub.listen], maxPeers: 1, maxOutbound: 1, maxInbound: 0 });
    await until(() => node.peers().length === 1, 'the persistent one');
    await node.dial(other.listen);
    expect(node.peers()).toHaveLength(2);
  });
});
