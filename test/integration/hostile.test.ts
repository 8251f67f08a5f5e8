import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { Node, NodeOptions } from '../../dist/src/main/index.js';
import { CHAIN_ID, portOf, startNode, until } from './support/nodes.js';
import { handshakeBytes, RawPeer } from './support/raw-peer.js';

/** Refuses everybody with a code that nobody refuses with. */
function refusal(code: number): Buffer {
  const bytes = Buffer.alloc(65);
  bytes[1] = code;
  bytes.write('no', 2);
  return bytes;
}

const servers: { server: Server; sockets: Set<Socket> }[] = [];
afterEach(() => {
  for (const { server, sockets } of servers.splice(0)) {
    server.close();
    for (const socket of sockets) socket.destroy();
  }
});

/** A listener that treats each connection as the test says. @returns its port */
async function listen(host: string, treat: (socket: Socket) => void, port = 0): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    treat(socket);
  });
  servers.push({ server, sockets });
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  return (server.address() as { port: number }).port;
}

/** A port that nobody listens on any more. */
async function freePort(host: string): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function startLocal(options: NodeOptions = {}): Promise<Node> {
  return startNode({ nonStrictAddresses: true, workers: 1, minOutbound: 0, ...options });
}

function pex(peers: readonly { id: string; address: string; port: number }[]): Buffer {
  const lastSeen = new Date().toISOString();
  const told = peers.map((peer) => ({ ...peer, source: 3, last_seen: lastSeen }));
  return Buffer.from(JSON.stringify({ timestamp: lastSeen, peers: told }));
}

describe('a crowd of one host', () => {
  it('that says nothing is banned in the middle of its time-outs, and the node lives on', async () => {
    const node = await startLocal({ handshakeTimeout: 300 });
    const silent = await Promise.all(Array.from({ length: 60 }, () => RawPeer.dial(portOf(node), '127.20.0.1')));
    await until(() => node.bans().length > 0, 'a ban');
    await until(() => silent.every(({ ended, closed }) => ended || closed), 'all to be refused');
    expect(node.bans()).toMatchObject([{ target: '127.20.0.1', name: 'HandshakeTimeout' }]);
    expect((await RawPeer.join(portOf(node), 'other', '127.20.0.2')).greeting?.[0]).toBe(1);
  });

  it('that never completes its frames is banned while several time out at once, and the node lives on', async () => {
    const node = await startLocal({ frameTimeout: 300, maxPerSubnet: 50 });
    const peers: RawPeer[] = [];
    for (let i = 0; i < 20; i++) peers.push(await RawPeer.join(portOf(node), `slow-${i}`, '127.20.0.1'));
    for (const peer of peers) peer.socket.write(Buffer.from([0, 0, 1, 0, 0]));
    await until(() => node.bans().length > 0, 'a ban');
    await until(() => node.peers().length === 0, 'all to be gone');
    expect((await RawPeer.join(portOf(node), 'other', '127.20.0.2')).greeting?.[0]).toBe(1);
  });

  it('that is refused and does not close holds few sockets', async () => {
    const node = await startLocal({ maxInbound: 0 });
    const refused: RawPeer[] = [];
    for (let i = 0; i < 300; i++) refused.push(await RawPeer.join(portOf(node), `n${i}`, `127.20.0.${1 + (i % 4)}`));
    // A socket that is gone answers what is written with a reset, which the next write finds.
    const gone = () => {
      for (const { socket, closed } of refused) if (!closed) socket.write('x');
      return refused.filter(({ closed }) => closed).length;
    };
    await until(() => gone() >= 44, 'the oldest to be closed', 900);
    for (const { greeting } of refused) expect(greeting?.[0]).toBe(0);
  });

  it('that begins handshakes does not keep others from theirs', async () => {
    const node = await startLocal();
    const other = await RawPeer.dial(portOf(node), '127.20.0.2');
    await Promise.all(Array.from({ length: 300 }, () => RawPeer.dial(portOf(node), '127.20.0.1')));
    await until(() => node.stats().connections.handshaking <= 256, 'the oldest to give way');
    other.socket.write(handshakeBytes(CHAIN_ID, 'other'));
    await until(() => other.greeting !== null, 'an answer');
    expect(other.greeting?.[0]).toBe(1);
  });

  it('that begins handshakes has neither place nor memory: far more of them than there are places', async () => {
    const node = await startLocal({ maxPeers: 2, maxInbound: 2, maxOutbound: 0 });
    const { used } = node.stats().memory;
    const begun = await Promise.all(Array.from({ length: 256 }, () => RawPeer.dial(portOf(node), '127.20.0.1')));
    for (const { socket } of begun) socket.write(handshakeBytes().subarray(0, 64));
    await until(() => node.stats().connections.handshaking === 256, 'all to be under way');
    expect(node.stats().memory.used).toBe(used);
    expect((await RawPeer.join(portOf(node), 'other', '127.20.0.2')).greeting?.[0]).toBe(1);
  });
});

describe('whoever is felt for', () => {
  // One address each: two told by one peer may fall on one place of the book.
  it.each([0x00, 0x02, 0x40, 0x41, 0x46, 0xff])('may refuse with code %i', async (code) => {
    const node = await startLocal({ feelerInterval: '100ms' });
    const port = await listen('127.21.0.1', (socket) => void socket.end(refusal(code)));
    const teller = await RawPeer.join(portOf(node), 'teller');
    teller.send('pex/peers', pex([{ id: 'felt', address: '127.21.0.1', port }]));
    await until(() => node.stats().dials.failed >= 1, 'the dial to fail');
    expect(node.addresses().filter(({ bucket }) => bucket === 'tried')).toEqual([]);
    expect(node.stats().discovery.feelers).toBe(0);
  });
});

describe('a host that others say somebody listens at', () => {
  it('loses no reputation by what is silent there', async () => {
    const node = await startLocal({ feelerInterval: '100ms', handshakeTimeout: '200ms' });
    const port = await listen('127.23.0.1', (socket) => void socket.write('not of this protocol'));
    const teller = await RawPeer.join(portOf(node), 'teller');
    teller.send('pex/peers', pex([{ id: 'stranger', address: '127.23.0.1', port }]));
    await until(() => node.stats().dials.failed >= 1, 'the dial to fail');
    expect(node.stats().connections.handshakesFailedByCode).toEqual({ HandshakeTimeout: 1 });
    await RawPeer.join(portOf(node), 'stranger', '127.23.0.1');
    const reputation = (id: string) => node.peers().find((peer) => peer.id === id)?.reputation;
    expect(reputation('stranger')).toBe(reputation('teller'));
  });
});

describe('a borrowed node ID', () => {
  it('of a persistent peer gives nobody its place: the peer itself gets it', async () => {
    // Nobody is at home at first.
    const port = await freePort('127.22.0.1');
    const node = await startLocal({ persistentPeers: [`hub@127.22.0.1:${port}`] });
    await until(() => node.stats().dials.failed >= 1, 'the first dial');
    const thief = await RawPeer.join(portOf(node), 'hub', '127.22.9.9');
    expect(node.peers()).toMatchObject([{ id: 'hub', persistent: false }]);
    await listen(
      '127.22.0.1',
      (socket) => socket.once('data', () => socket.write(handshakeBytes(CHAIN_ID, 'hub'))),
      port,
    );
    await until(() => node.peers()[0]?.direction === 'outbound', 'the peer itself', 20_000);
    expect(node.peers()).toMatchObject([{ id: 'hub', persistent: true, address: `127.22.0.1:${port}` }]);
    expect((await thief.frame('disconnect')).payload[0]).toBe(0x40);
  });

  it('does not lock its owner out while a dial to where a liar says it is hangs', async () => {
    // The owner's ID is the larger, so that in a true meeting our dial would win.
    const node = await startLocal({ nodeId: 'a', minOutbound: 2 });
    let dialled = 0;
    const port = await listen('127.23.0.1', () => dialled++);
    const liar = await RawPeer.join(portOf(node), 'liar', '127.23.0.2');
    liar.send('pex/peers', pex([{ id: 'owner', address: '127.23.0.1', port }]));
    await until(() => dialled > 0, 'the dial');
    const owner = await RawPeer.join(portOf(node), 'owner', '127.24.0.1');
    expect(owner.greeting?.[0]).toBe(1);
  });
});

describe('a node that starts', () => {
  it('serves whoever connects the moment it listens', async () => {
    const port = await freePort('127.0.0.1');
    let node: Node | null = null;
    const starting = startLocal({ listen: `127.0.0.1:${port}`, externalAddress: 'localhost:4321' }).then((started) => {
      node = started;
    });
    let peer: RawPeer | null = null;
    // Not from the address that is dialled: while nobody listens, a socket may meet itself there.
    while (peer === null && node === null) peer = await RawPeer.dial(port, '127.0.0.9').catch(() => null);
    peer ??= await RawPeer.dial(port);
    peer.socket.write(handshakeBytes(CHAIN_ID, 'early'));
    const message = JSON.parse((await peer.frame('pex/peers')).payload.toString());
    expect(message.peers[0]).toMatchObject({ port: 4321 });
    await starting;
  });
});
