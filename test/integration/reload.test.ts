import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { ErrorCode, type Node, type NodeOptions } from '../../dist/src/main/index.js';
import { CHAIN_ID, handlerModule, portOf, startNode, until } from './support/nodes.js';
import { frame, handshakeBytes, RawPeer } from './support/raw-peer.js';

/** Reloads a node with these options; whatever else differs needs a restart and stays. */
function reload(node: Node, options: NodeOptions) {
  return node.reload({ chainId: CHAIN_ID, logLevel: 'silent', ...options });
}

const appliedKeys = (result: ReturnType<typeof reload>) => result.applied.map(({ key }) => key);

describe('a reload', () => {
  it('of a lower limit lets go of those that are too many, and of a higher one lets others in', async () => {
    const node = await startNode({ maxPeers: 20, maxInbound: 20 });
    const peers = await Promise.all(Array.from({ length: 12 }, (_, i) => RawPeer.join(portOf(node), `p${i}`)));
    expect(appliedKeys(reload(node, { maxPeers: 5, maxInbound: 4 }))).toContain('maxInbound');
    expect(node.peers()).toHaveLength(4);
    await until(() => peers.filter(({ ended }) => ended).length === 8, 'eight to be told');
    const told = peers.flatMap((peer) => peer.of('disconnect').map(({ payload }) => payload[0]));
    expect(told).toEqual(Array(8).fill(0x06));
    reload(node, { maxPeers: 8, maxInbound: 8 });
    await Promise.all(Array.from({ length: 4 }, (_, i) => RawPeer.join(portOf(node), `later${i}`)));
    await until(() => node.peers().length === 8, 'as many as there may be now');
  });

  it('of a much lower limit lets go of some at a time, and of all that are too many in the end', async () => {
    const node = await startNode({ maxPeers: 130, maxInbound: 130 });
    const join = (i: number) => RawPeer.join(portOf(node), `p${i}`);
    const peers = await Promise.all(Array.from({ length: 120 }, (_, i) => join(i)));
    reload(node, { maxPeers: 10, maxInbound: 10 });
    expect(node.peers()).toHaveLength(70);
    await until(() => peers.filter(({ ended }) => ended).length === 110, 'the others to be told');
    expect(node.peers()).toHaveLength(10);
  });

  it('of the limits spares those that limits do not count', async () => {
    const node = await startNode({ maxPeers: 10, unconditionalPeerIds: ['friend'] });
    await RawPeer.join(portOf(node), 'friend');
    await RawPeer.join(portOf(node), 'stranger');
    await RawPeer.join(portOf(node), 'new-friend');
    reload(node, { maxPeers: 1, maxInbound: 0, unconditionalPeerIds: ['friend', 'new-friend'] });
    expect(node.peers().map(({ id }) => id)).toEqual(['friend', 'new-friend']);
    reload(node, { maxPeers: 1, maxInbound: 0, unconditionalPeerIds: ['friend'] });
    expect(node.peers().map(({ id }) => id)).toEqual(['friend']);
  });

  it('of seeds asks them at once, also while the ones of before do not answer', async () => {
    const seed = await startNode({ nonStrictAddresses: true });
    const node = await startNode({ seeds: ['127.0.0.9:9'], nonStrictAddresses: true });
    await until(() => node.stats().discovery.crawlsFailed > 0, 'the dead seed to fail');
    reload(node, { seeds: [seed.listen] });
    await until(() => node.peers().length === 1, 'the node of the new seed');
  });

  it('of persistent peers dials who is new, and stays with who is no longer one without dialling it again', async () => {
    const [first, second] = [await startNode(), await startNode()];
    const node = await startNode({ persistentPeers: [first.listen], pex: false, minOutbound: 0 });
    const others = { minOutbound: 0, persistentPeers: [second.listen] };
    await until(() => node.peers().length === 1, 'the first');
    expect(appliedKeys(reload(node, others))).toContain('persistentPeers');
    await until(() => node.peers().length === 2, 'the second');
    const isPersistent = () => Object.fromEntries(node.peers().map(({ id, persistent }) => [id, persistent]));
    expect(isPersistent()).toEqual({ [first.nodeId]: false, [second.nodeId]: true });
    second.disconnect(node.nodeId);
    first.disconnect(node.nodeId);
    await until(() => node.peers().length === 0, 'both to be gone');
    await until(() => node.peers().length === 1, 'the second again', 15_000);
    expect(isPersistent()).toEqual({ [second.nodeId]: true });
  });

  it('of persistent peers makes one that we had dialled anyway a peer that limits do not count', async () => {
    const [first, second] = [await startNode(), await startNode()];
    const node = await startNode({ pex: false, minOutbound: 0 });
    await node.dial(first.listen);
    const limits = { minOutbound: 0, maxOutbound: 1 };
    reload(node, { ...limits, persistentPeers: [`${first.nodeId}@${first.listen}`] });
    expect(node.peers()).toMatchObject([{ id: first.nodeId, persistent: true, direction: 'outbound' }]);
    await node.dial(second.listen);
    reload(node, limits);
    expect(node.peers()).toHaveLength(1);
  });

  it('of persistent peers that comes while one of them is being dialled makes it one that limits count', async () => {
    let dialled: RawPeer | null = null;
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      dialled = RawPeer.of(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const limits = { maxOutbound: 0, minOutbound: 0 };
    const node = await startNode({ ...limits, persistentPeers: [address] });
    await until(() => dialled !== null && dialled.greeting !== null, 'the dial');
    const peer = dialled as unknown as RawPeer;
    reload(node, limits);
    peer.socket.write(handshakeBytes(CHAIN_ID, 'late'));
    expect((await peer.frame('disconnect')).payload[0]).toBe(ErrorCode.PeerLimitReached);
    expect(node.stats().peers.outbound).toBe(0);
    server.close();
  });

  it('of timeouts counts for those that are connected', async () => {
    const node = await startNode();
    const peer = await RawPeer.join(portOf(node));
    reload(node, { readTimeout: '300ms', pingInterval: '400ms' });
    await until(() => peer.ended, 'the silent peer to be let go', 3000);
    expect(node.history()[0]).toMatchObject({ name: 'ReadTimeout' });
  });

  it('of rates holds back a peer that is connected, and lets it go again, with nothing lost', async () => {
    const node = await startNode();
    let received = 0;
    node.subscribe('data', () => received++);
    const peer = await RawPeer.join(portOf(node));
    peer.socket.write(Buffer.concat(new Array(5000).fill(frame('data'))));
    await until(() => received === 5000, 'what is not limited');
    reload(node, { receiveRate: '64KiB' });
    // Of 4 MiB one read takes a part, and a second of its rate is not enough for the rest.
    peer.socket.write(Buffer.concat(new Array(1024).fill(frame('data', Buffer.alloc(4096)))));
    await until(() => received > 5000, 'what one read takes');
    const heldMs = performance.now();
    await until(() => performance.now() - heldMs > 1000, 'a second of the rate');
    expect(received).toBeLessThan(6024);
    expect(node.history().filter(({ name }) => name === 'RateLimited')).toEqual([]);
    reload(node, {});
    await until(() => received === 6024, 'the rest at once', 1000);
  });

  it('of relayed types passes messages on from then on, and not after they are taken back', async () => {
    const node = await startNode({ handlers: [handlerModule('kinds.mjs')] });
    const from = await RawPeer.join(portOf(node), 'from');
    const to = await RawPeer.join(portOf(node), 'to');
    await until(() => node.peers().length === 2, 'both');
    const handlers = [handlerModule('kinds.mjs')];
    reload(node, { handlers, relay: ['tx'] });
    from.send('tx', Buffer.from('one'));
    await to.frame('tx');
    reload(node, { handlers });
    from.send('tx', Buffer.from('two'));
    from.send('ping', Buffer.from('behind'));
    await from.frame('pong');
    expect(to.of('tx').map(({ payload }) => payload.toString())).toEqual(['one']);
    expect(node.stats().gossip.relayed).toBe(1);
  });

  it('of the memory budget is in force at once', async () => {
    const node = await startNode();
    reload(node, { memoryBudget: '1GiB' });
    expect(node.stats().memory.budget).toBe(2 ** 30);
    expect(node.config()).toMatchObject({ memoryBudget: '1GiB' });
  });

  it('that is wrong changes nothing and says what is wrong', async () => {
    const node = await startNode({ maxPeers: 20 });
    const before = node.config();
    expect(() => reload(node, { maxPeers: 5, readTimeout: '1s' })).toThrow(/^readTimeout is '1s' .*: must be longer/);
    expect(() => reload(node, { maxPeers: 5, colour: 'red' } as NodeOptions)).toThrow(/^colour is not an option/);
    expect(node.config()).toEqual(before);
    expect(() => node.reload()).toThrow(expect.objectContaining({ code: 'ERR_PAW_RELOAD' }));
  });

  it('comes too late once the node closes', async () => {
    const node = await startNode();
    const closed = node.close();
    expect(() => reload(node, {})).toThrow(expect.objectContaining({ code: 'ERR_PAW_CLOSED' }));
    await closed;
    expect(() => reload(node, {})).toThrow(expect.objectContaining({ code: 'ERR_PAW_CLOSED' }));
  });
});
