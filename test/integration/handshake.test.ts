import { createServer, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterEach, describe, expect, it } from 'vitest';
import type { PeerEnd } from '../../dist/src/main/index.js';
import { portOf, startNode, until } from './support/nodes.js';
import { frame, handshakeBytes, RawPeer } from './support/raw-peer.js';

const servers: ReturnType<typeof createServer>[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** A listener that answers as the test says. @returns its port */
async function listener(onSocket: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    onSocket(socket);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

describe('a handshake', () => {
  it('may come one byte at a time', async () => {
    const node = await startNode({ nodeId: 'us' });
    const peer = await RawPeer.dial(portOf(node));
    for (const byte of handshakeBytes()) {
      peer.socket.write(Buffer.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until(() => peer.greeting !== null, 'the answer');
    expect(peer.greeting).toEqual(handshakeBytes(undefined, 'us'));
    expect(node.peers()).toMatchObject([{ id: 'raw', direction: 'inbound', state: 'Connected' }]);
  });

  it('loses no frame that comes in the same segment, nor half of one', async () => {
    const node = await startNode();
    const got: string[] = [];
    node.subscribe('tx', ({ payload }) => got.push(payload.toString()));
    const peer = await RawPeer.dial(portOf(node));
    const last = frame('tx', Buffer.from('three'));
    const first = [
      handshakeBytes(),
      frame('tx', Buffer.from('one')),
      frame('tx', Buffer.from('two')),
      last.subarray(0, 7),
    ];
    peer.socket.write(Buffer.concat(first));
    await until(() => got.length === 2, 'two messages');
    peer.socket.write(last.subarray(7));
    await until(() => got.length === 3, 'three messages');
    expect(got).toEqual(['one', 'two', 'three']);
  });

  it.each([
    ['another version', handshakeBytes(undefined, 'raw', 2), 0x01, 'ProtocolVersionMismatch'],
    ['another chain', handshakeBytes('other'), 0x02, 'ChainIDMismatch'],
    ['no node ID', handshakeBytes(undefined, ''), 0x05, 'InvalidMessageFormat'],
    ['our own node ID', handshakeBytes(undefined, 'us'), 0x41, 'SelfConnection'],
    ['garbage', Buffer.alloc(65, 0xee), 0x01, 'ProtocolVersionMismatch'],
  ])('with %s is refused with the code, and counted', async (_, bytes, code, name) => {
    const node = await startNode({ nodeId: 'us' });
    const rejected: PeerEnd[] = [];
    node.on('peer:rejected', (end) => rejected.push(end));
    const peer = await RawPeer.dial(portOf(node));
    peer.socket.write(bytes);
    await until(() => peer.ended, 'the end');
    expect([peer.greeting?.[0], peer.greeting?.[1]]).toEqual([0, code]);
    expect(peer.greeting?.toString('utf8', 2).replaceAll('\0', '')).not.toBe('');
    peer.socket.end();
    await until(() => rejected.length === 1, 'the event');
    expect(rejected[0]).toMatchObject({ code, name, direction: 'inbound' });
    const { connections } = node.stats();
    expect(connections).toMatchObject({ rejectedInbound: 1, total: 0, handshakesFailedByCode: { [name]: 1 } });
  });

  it('that never comes is ended after its time', async () => {
    const node = await startNode({ handshakeTimeout: 200 });
    const peer = await RawPeer.dial(portOf(node));
    peer.socket.write(handshakeBytes().subarray(0, 30));
    await until(() => peer.ended, 'the end');
    expect(peer.greeting?.[1]).toBe(0x03);
    peer.socket.end();
    await until(() => node.stats().connections.handshakesFailedByCode.HandshakeTimeout === 1, 'the count');
  });

  it('that is broken off in the middle is counted and leaves nothing', async () => {
    const node = await startNode();
    const peer = await RawPeer.dial(portOf(node));
    peer.socket.write(handshakeBytes().subarray(0, 10));
    peer.socket.end();
    await until(() => node.stats().connections.handshakesFailedByCode.NetworkError === 1, 'the count');
    expect(node.stats().connections.handshaking).toBe(0);
  });

  it('of two nodes makes each the peer of the other', async () => {
    const [a, b] = [await startNode({ nodeId: 'a' }), await startNode({ nodeId: 'b' })];
    expect(await a.dial(`b@${b.listen}`)).toMatchObject({ id: 'b', direction: 'outbound', state: 'Connected' });
    await until(() => b.peers().length === 1, 'the other side');
    expect(b.peers()[0]).toMatchObject({ id: 'a', direction: 'inbound' });
  });
});

describe('a dial', () => {
  it('reaches a node that listens at an address with the name of an interface', async () => {
    const lo = Object.entries(networkInterfaces()).find(([, all]) =>
      all?.some(({ address }) => address === '::1'),
    )?.[0];
    const b = await startNode({ nodeId: 'b', listen: `[::1%${lo}]:0` });
    const a = await startNode();
    const at = `[::1%${lo}]:${portOf(b)}`;
    expect(await a.dial(at)).toMatchObject({ id: 'b', address: at, state: 'Connected' });
  });

  it('tells the code and reason of a refusal', async () => {
    const [a, b] = [await startNode(), await startNode({ chainId: 'other' })];
    await expect(a.dial(b.listen)).rejects.toMatchObject({
      code: 0x02,
      codeName: 'ChainIDMismatch',
      message: /refused: chain/,
    });
    expect(a.stats().dials.failed).toBe(1);
  });

  it('to an address where another node answers fails as IdentityMismatch', async () => {
    const [a, b] = [await startNode(), await startNode({ nodeId: 'real' })];
    await expect(a.dial(`fake@${b.listen}`)).rejects.toMatchObject({ code: 0x4a });
    await until(() => b.peers().length === 0, 'the other side to let go');
  });

  it('to ourselves fails as SelfConnection', async () => {
    const node = await startNode();
    await expect(node.dial(node.listen)).rejects.toMatchObject({ code: 0x41 });
    expect(node.peers()).toEqual([]);
  });

  it('to a closed port fails at once as NetworkError', async () => {
    const node = await startNode();
    const port = await listener(() => undefined);
    servers.splice(0)[0].close();
    await expect(node.dial(`127.0.0.1:${port}`)).rejects.toMatchObject({ code: 0x08, message: /ECONNREFUSED/ });
  });

  it('to a listener that never answers fails as HandshakeTimeout', async () => {
    const node = await startNode({ handshakeTimeout: 150 });
    const port = await listener(() => undefined);
    await expect(node.dial(`127.0.0.1:${port}`)).rejects.toMatchObject({ code: 0x03 });
  });

  it('to a listener that hangs up fails as NetworkError', async () => {
    const node = await startNode();
    const port = await listener((socket) => socket.destroy());
    await expect(node.dial(`127.0.0.1:${port}`)).rejects.toMatchObject({ code: 0x08 });
  });

  it('to a text that is no address is a ConfigError that names it', async () => {
    const node = await startNode();
    await expect(node.dial('nowhere')).rejects.toMatchObject({ code: 'ERR_PAW_CONFIG', key: 'address' });
  });
});

describe('a disconnect', () => {
  it('tells the peer the code, and takes none that is no byte', async () => {
    const node = await startNode();
    const peer = await RawPeer.join(portOf(node));
    for (const code of [-1, 256, 1.5, Number.NaN]) {
      expect(() => node.disconnect('raw', code)).toThrow(expect.objectContaining({ key: 'code' }));
    }
    expect(node.disconnect('raw', 0x49)).toBe(true);
    expect((await peer.frame('disconnect')).payload[0]).toBe(0x49);
    expect(node.disconnect('nobody')).toBe(false);
  });
});
