import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Node } from '../../dist/src/main/index.js';
import { CHAIN_ID, portOf, startNode, until } from './support/nodes.js';
import { handshakeBytes, RawPeer } from './support/raw-peer.js';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'paw-bans-'));
  folders.push(folder);
  return folder;
}

/** A frame whose type is empty: malformed, and dropped without ending the connection (rulings 1). */
const malformed = Buffer.from([0, 0, 0, 2, 0, 0]);
/** Says that more than 10 MB follow. */
const oversized = Buffer.from([0x7f, 0xff, 0xff, 0xff]);

function sendMalformed(peer: RawPeer, count: number): void {
  peer.socket.write(Buffer.concat(new Array(count).fill(malformed)));
}

/** Code of the refusal that a peer got; null if it was accepted. */
function refusal({ greeting }: RawPeer): number | null {
  return greeting?.[0] === 0 ? (greeting[1] ?? null) : null;
}

describe('a peer that sends invalid frames', () => {
  it('loses reputation for a few, and stays', async () => {
    const node = await startNode();
    const peer = await RawPeer.join(portOf(node));
    sendMalformed(peer, 5);
    await until(() => (node.peers()[0]?.reputation ?? 0) < 45, 'less reputation');
    expect(node.peers()).toHaveLength(1);
    expect(node.history()).toContainEqual(expect.objectContaining({ kind: 'dropped', name: 'InvalidMessageFormat' }));
  });

  it('is not banned for a hundred within a minute, which may be an accident', async () => {
    const node = await startNode();
    const peer = await RawPeer.join(portOf(node));
    sendMalformed(peer, 100);
    await until(() => node.stats().messages.dropped === 100, 'all of them');
    peer.send('ping', Buffer.from('x'));
    await peer.frame('pong');
    expect(node.bans()).toEqual([]);
    expect(node.peers()[0]?.reputation).toBeGreaterThanOrEqual(20);
  });

  it('is banned by address, stays banned over a restart, and a stranger with the same ID is not', async () => {
    const dataDir = newFolder();
    const node = await startNode({ dataDir });
    const peer = await RawPeer.join(portOf(node), 'liar', '127.7.0.1');
    sendMalformed(peer, 150);
    await until(() => peer.ended, 'the end of the connection');
    expect(peer.of('disconnect')[0]?.payload[0]).toBe(0x46);
    expect(node.bans()).toMatchObject([{ target: '127.7.0.1' }]);
    const bannedMs = Date.parse(node.bans()[0]!.until!) - Date.parse(node.bans()[0]!.since);
    expect(bannedMs).toBe(24 * 3_600_000);
    await node.close();

    const again: Node = await startNode({ dataDir });
    expect(again.bans()).toMatchObject([{ target: '127.7.0.1' }]);
    expect(refusal(await RawPeer.join(portOf(again), 'liar', '127.7.0.1'))).toBe(0x46);
    expect(refusal(await RawPeer.join(portOf(again), 'another', '127.7.0.1'))).toBe(0x46);
    expect(refusal(await RawPeer.join(portOf(again), 'liar', '127.7.0.2'))).toBeNull();
    const rejected = () => again.history().filter(({ kind }) => kind === 'rejected');
    await until(() => rejected().length === 2, 'both refusals');
    expect(
      rejected()
        .map(({ name, peerId }) => `${name} ${peerId}`)
        .sort(),
    ).toEqual(['Banned another', 'Banned liar']);
  });

  it('is banned for the third oversized frame within an hour', async () => {
    const node = await startNode();
    for (let i = 0; i < 3; i++) {
      const peer = await RawPeer.join(portOf(node), `n${i}`, '127.7.0.3');
      peer.socket.write(oversized);
      await until(() => peer.ended, 'the end of the connection');
    }
    expect(node.bans()).toMatchObject([{ target: '127.7.0.3', name: 'MessageTooLarge' }]);
  });

  it('is told of but never banned where it is a persistent peer that we dialled', async () => {
    const hub = createServer({ allowHalfOpen: true });
    await new Promise<void>((resolve) => hub.listen(0, '127.7.0.6', resolve));
    const joined = new Promise<RawPeer>((resolve) => hub.once('connection', (socket) => resolve(RawPeer.of(socket))));
    const node = await startNode({ persistentPeers: [`hub@127.7.0.6:${(hub.address() as AddressInfo).port}`] });
    const peer = await joined;
    peer.socket.write(handshakeBytes(CHAIN_ID, 'hub'));
    sendMalformed(peer, 150);
    peer.send('ping', Buffer.from('x'));
    await peer.frame('pong');
    expect(node.bans()).toEqual([]);
    expect(node.peers()).toMatchObject([{ id: 'hub', persistent: true }]);
    expect(node.history()).toContainEqual(expect.objectContaining({ kind: 'dropped', peerId: 'hub' }));
    hub.close();
  });

  it('is refused with low reputation before that', async () => {
    const node = await startNode();
    const peer = await RawPeer.join(portOf(node), 'clumsy', '127.7.0.4');
    sendMalformed(peer, 20);
    peer.socket.write(oversized);
    await until(() => peer.ended, 'its end');
    expect(refusal(await RawPeer.join(portOf(node), 'fresh ID', '127.7.0.4'))).toBe(0x07);
    expect(refusal(await RawPeer.join(portOf(node), 'clumsy', '127.7.0.5'))).toBeNull();
  });
});

describe('a ban by the operator', () => {
  it('cuts off whoever it is for, by address, range or ID, and nobody else', async () => {
    const node = await startNode();
    const byAddress = await RawPeer.join(portOf(node), 'a', '127.8.0.1');
    const byRange = await RawPeer.join(portOf(node), 'b', '127.9.1.1');
    const byId = await RawPeer.join(portOf(node), 'c', '127.10.0.1');
    const other = await RawPeer.join(portOf(node), 'd', '127.11.0.1');
    await until(() => node.peers().length === 4, 'four peers');
    node.ban('127.8.0.1', { for: '1h', reason: 'test' });
    node.ban('127.9.1.7/16');
    node.ban('id:c', { for: 'forever' });
    await until(() => byAddress.ended && byRange.ended && byId.ended, 'their ends');
    expect(node.peers().map(({ id }) => id)).toEqual(['d']);
    expect(other.ended).toBe(false);
    expect(
      node
        .bans()
        .map(({ target }) => target)
        .sort(),
    ).toEqual(['127.8.0.1', '127.9.0.0/16', 'id:c']);
    expect(node.bans().find(({ target }) => target === 'id:c')?.until).toBeNull();
    expect(refusal(await RawPeer.join(portOf(node), 'x', '127.9.200.1'))).toBe(0x46);
  });

  it('ends when it is lifted or its time is over', async () => {
    const node = await startNode();
    node.ban('127.8.0.1');
    node.ban('127.8.0.2', { for: 50 });
    expect(node.unban('127.8.0.1')).toBe(true);
    expect(node.unban('127.8.0.1')).toBe(false);
    await until(() => node.bans().length === 0, 'the end of both');
    expect(refusal(await RawPeer.join(portOf(node), 'a', '127.8.0.1'))).toBeNull();
    expect(refusal(await RawPeer.join(portOf(node), 'b', '127.8.0.2'))).toBeNull();
  });

  it('keeps the node from dialling whoever it is for', async () => {
    const other = await startNode();
    const node = await startNode();
    node.ban('127.0.0.1');
    await expect(node.dial(other.listen)).rejects.toMatchObject({ codeName: 'Banned' });
  });

  it.each([
    ['nonsense', 'target'],
    ['0.0.0.0/0', 'target'],
    ['id:', 'target'],
    ['127.0.0.1/33', 'target'],
  ])('of %s is an error that names the field', async (target, key) => {
    const node = await startNode();
    expect(() => node.ban(target)).toThrowError(expect.objectContaining({ code: 'ERR_PAW_CONFIG', key }));
    expect(() => node.ban('1.2.3.4', { for: 'soon' })).toThrowError(expect.objectContaining({ key: 'for' }));
  });
});

describe('a node whose inbound places are taken', () => {
  it('lets one of a crowd give way to a newcomer, and tells it why', async () => {
    const node = await startNode({ maxInbound: 30, maxPerSubnet: 30 });
    const crowd: RawPeer[] = [];
    for (let i = 0; i < 30; i++) crowd.push(await RawPeer.join(portOf(node), `n${i}`, `127.20.0.${i + 1}`));
    const newcomer = await RawPeer.join(portOf(node), 'new', '127.21.0.1');
    expect(refusal(newcomer)).toBeNull();
    await until(() => crowd.some(({ ended }) => ended), 'an end');
    const gone = crowd.filter(({ ended }) => ended);
    expect(gone).toHaveLength(1);
    expect(gone[0]?.of('disconnect')[0]?.payload[0]).toBe(0x06);
    expect(node.stats().discovery.evictions).toBe(1);
  });

  it('refuses when everybody deserves to stay', async () => {
    const node = await startNode({ maxInbound: 3 });
    for (let i = 0; i < 3; i++) await RawPeer.join(portOf(node), `n${i}`, `127.2${i}.0.1`);
    expect(refusal(await RawPeer.join(portOf(node), 'late', '127.30.0.1'))).toBe(0x06);
  });

  it('takes no more than ten from one /24', async () => {
    const node = await startNode();
    for (let i = 1; i <= 10; i++) await RawPeer.join(portOf(node), `n${i}`, `127.20.0.${i}`);
    expect(refusal(await RawPeer.join(portOf(node), 'late', '127.20.0.11'))).toBe(0x06);
    expect(refusal(await RawPeer.join(portOf(node), 'other', '127.20.1.1'))).toBeNull();
  });
});
