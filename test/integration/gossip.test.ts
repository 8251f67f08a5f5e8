import { describe, expect, it } from 'vitest';
import type { Node, NodeOptions } from '../../dist/src/main/index.js';
import { handlerModule, portOf, startNode, until } from './support/nodes.js';
import { frame, RawPeer } from './support/raw-peer.js';

const handlers = [handlerModule('gossip.mjs')];

/** A node that handles gossip and knows nobody but whom it is told to dial. */
function start(options: NodeOptions = {}): ReturnType<typeof startNode> {
  return startNode({ handlers, pex: false, minOutbound: 0, ...options });
}

/** Everything that the handlers of a node published. */
function published(node: Node): unknown[] {
  const list: unknown[] = [];
  node.on('published', (value) => list.push(value));
  return list;
}

async function connect(nodes: readonly Node[], pairs: readonly (readonly [number, number])[]): Promise<void> {
  for (const [from, to] of pairs) await nodes[from].dial(nodes[to].listen);
  const degree = (n: number) => pairs.filter((pair) => pair.includes(n)).length;
  await until(() => nodes.every((node, n) => node.peers().length === degree(n)), 'all connections');
}

const ring = (size: number) => Array.from({ length: size }, (_, i) => [i, (i + 1) % size] as const);
const mesh = (size: number) =>
  Array.from({ length: size }, (_, i) => Array.from({ length: i }, (_, j) => [i, j] as const)).flat();

function restarts(nodes: readonly Node[]): number {
  return nodes.flatMap((node) => node.stats().workers).reduce((sum, worker) => sum + worker.restarts, 0);
}

/** What of these texts is missing, and how many came more than once. */
function reckon(got: readonly unknown[], texts: readonly string[]) {
  const counts = new Map<unknown, number>();
  for (const one of got) counts.set(one, (counts.get(one) ?? 0) + 1);
  return {
    lost: texts.filter((text) => !counts.has(text)),
    doubled: got.length - counts.size,
    strange: [...counts.keys()].filter((text) => !texts.includes(text as string)),
  };
}

const once = { lost: [], doubled: 0, strange: [] };

describe('a broadcast of a gossip type', () => {
  it('goes all round a ring of nodes, reaches each exactly once, and its sender never', async () => {
    const nodes = await Promise.all(Array.from({ length: 7 }, () => start({ workers: 1 })));
    const got = nodes.map(published);
    await connect(nodes, ring(7));
    const texts = Array.from({ length: 300 }, (_, i) => `tx ${i}`);
    for (const text of texts) nodes[0].broadcast('tx', Buffer.from(text));
    await until(() => got.slice(1).every((list) => list.length >= 300), 'all messages everywhere');
    await until(() => nodes.reduce((sum, node) => sum + node.stats().gossip.duplicates, 0) >= 300, 'the duplicates');
    for (const list of got.slice(1)) expect(reckon(list, texts)).toEqual(once);
    expect(got[0]).toEqual([]);
    expect(nodes[0].stats()).toMatchObject({ gossip: { relayed: 0, duplicates: 0 }, messages: { received: 0 } });
    expect(nodes[1].stats().gossip.relayed).toBe(300);
  });

  it('reaches everybody in a mesh once, whoever sends it, through several workers each', async () => {
    const nodes = await Promise.all(Array.from({ length: 5 }, () => start({ workers: 2 })));
    const got = nodes.map(published);
    await connect(nodes, mesh(5));
    const texts = nodes.map((_, n) => Array.from({ length: 400 }, (_, i) => `tx ${n} ${i}`));
    for (let i = 0; i < 400; i++) {
      for (const [n, node] of nodes.entries()) node.broadcast('tx', Buffer.from(texts[n][i]));
      if (i % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await until(() => got.every((list) => list.length >= 1600), 'all messages everywhere');
    const copies = () => nodes.reduce((sum, node) => sum + node.stats().messages.received, 0);
    // Each message is sent to four, and by each of them to the three others that did not send it.
    await until(() => copies() >= 5 * 400 * (4 + 4 * 3), 'every copy');
    for (const [n, list] of got.entries()) {
      expect(reckon(list, texts.filter((_, from) => from !== n).flat())).toEqual(once);
    }
    const sum = (key: 'relayed' | 'duplicates' | 'forgotten') =>
      nodes.reduce((total, node) => total + node.stats().gossip[key], 0);
    expect([sum('relayed'), sum('duplicates'), sum('forgotten')]).toEqual([5 * 1600, 5 * 400 * 12, 0]);
  });

  it('is lost by no node whose workers are killed all the time, and handled twice at most once a kill', async () => {
    const nodes = await Promise.all(Array.from({ length: 4 }, () => start({ workers: 2 })));
    const got = nodes.map(published);
    await connect(nodes, ring(4));
    const kills = 12;
    let isOver = false;
    const texts: string[] = [];
    const sending = (async () => {
      for (let i = 0; !isOver; i++) {
        const text = `tx ${i}`;
        texts.push(text);
        nodes[0].broadcast('tx', Buffer.concat([Buffer.from(text.padEnd(24)), Buffer.alloc((i * 37) % 3000)]));
        if (i % 8 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      }
    })();
    for (let kill = 0; kill < kills; kill++) {
      const victim = nodes[1 + (kill % 3)];
      const before = restarts(nodes);
      await until(() => victim.health().reasons.length === 0, 'both workers');
      void victim.workerThreads[kill % 2].terminate();
      await until(() => restarts(nodes) > before, 'the restart');
    }
    await until(() => nodes.every((node) => node.health().reasons.length === 0), 'all workers');
    isOver = true;
    await sending;
    const missing = (list: readonly unknown[]) => texts.length - new Set(list).size;
    await until(() => got.slice(1).every((list) => missing(list) === 0), 'all messages everywhere');
    const padded = texts.map((text) => text.padEnd(24));
    for (const list of got.slice(1)) {
      const { lost, doubled, strange } = reckon(list, padded);
      expect({ lost, strange }).toEqual({ lost: [], strange: [] });
      expect(doubled).toBeLessThanOrEqual(kills / 3);
    }
    expect(got[0]).toEqual([]);
  }, 60_000);

  it('goes to all peers whatever its fanout, again if it is sent again, and what comes back is a duplicate', async () => {
    const node = await start({ workers: 1 });
    const got = published(node);
    const peers = await Promise.all(Array.from({ length: 8 }, (_, i) => RawPeer.join(portOf(node), `p${i}`)));
    await until(() => node.peers().length === 8, 'all peers');
    expect(node.broadcast('few', Buffer.from('mine'))).toEqual({ sent: 8, skipped: 0 });
    await until(() => peers.every((peer) => peer.of('few').length === 1), 'the message everywhere');
    peers[0].send('few', Buffer.from('mine'));
    peers[0].send('few', Buffer.from('other'));
    await until(() => got.length === 1, 'the other message');
    expect(node.broadcast('few', Buffer.from('mine'))).toEqual({ sent: 8, skipped: 0 });
    await until(
      () => peers.every((peer) => peer.of('few').filter(({ payload }) => `${payload}` === 'mine').length === 2),
      'it again',
    );
    expect(got).toEqual(['other']);
    expect(node.stats().gossip).toMatchObject({ duplicates: 1, relayed: 1 });
  });

  it('by a handler is remembered, too', async () => {
    const node = await start();
    const got = published(node);
    const [first, second] = [await RawPeer.join(portOf(node), 'first'), await RawPeer.join(portOf(node), 'second')];
    first.send('tell', Buffer.from('news'));
    await second.frame('tx');
    second.send('tx', Buffer.from('news'));
    second.send('tx', Buffer.from('more'));
    await until(() => got.length === 1, 'the other message');
    expect(got).toEqual(['more']);
    expect(node.stats().gossip.duplicates).toBe(1);
  });
});

describe('a gossip message that arrives', () => {
  it('at all workers at once is handled and passed on once', async () => {
    const node = await start({ workers: 3 });
    const got = published(node);
    const senders = await Promise.all(Array.from({ length: 6 }, (_, i) => RawPeer.join(portOf(node), `s${i}`)));
    const listener = await RawPeer.join(portOf(node), 'listener');
    const texts = Array.from({ length: 3000 }, (_, i) => `tx ${i}`);
    const bytes = Buffer.concat(texts.map((text) => frame('tx', Buffer.from(text))));
    for (const sender of senders) sender.socket.write(bytes);
    await until(() => listener.of('tx').length >= 3000, 'all messages at the listener');
    await until(() => node.stats().gossip.duplicates === 5 * 3000, 'all duplicates');
    expect(reckon(got, texts)).toEqual(once);
    expect(
      reckon(
        listener.of('tx').map(({ payload }) => payload.toString()),
        texts,
      ),
    ).toEqual(once);
    // Nobody gets what it sent first: each message goes to six of seven.
    await until(() => senders.reduce((sum, { frames }) => sum + frames.length, 0) === 5 * 3000, 'five of six senders');
    expect(node.stats()).toMatchObject({
      gossip: { relayed: 3000, forgotten: 0 },
      messages: { receivedByType: { tx: 6 * 3000 }, unhandled: 0 },
    });
  });

  it('reaches as many others as its fanout says, not always the same', async () => {
    const node = await start({ workers: 1 });
    const sender = await RawPeer.join(portOf(node), 'sender');
    const others = await Promise.all(
      Array.from({ length: 9 }, (_, i) => RawPeer.join(portOf(node), `p${i}`, `127.${i + 1}.0.1`)),
    );
    await until(() => node.peers().length === 10, 'all peers');
    const total = () => others.reduce((sum, peer) => sum + peer.of('few').length, 0);
    for (let i = 0; i < 60; i++) {
      sender.send('few', Buffer.from(`few ${i}`));
      await until(() => total() === 3 * (i + 1), 'three of nine');
    }
    for (const peer of others) expect(peer.of('few').length).toBeGreaterThan(0);
    expect(sender.frames).toEqual([]);
    expect(node.stats().gossip.relayed).toBe(60);
  });

  it('is not passed on when it is penalised or its handler throws; the sender is held to account', async () => {
    const node = await start();
    const sender = await RawPeer.join(portOf(node), 'sender');
    const other = await RawPeer.join(portOf(node), 'other');
    for (const text of ['bad one', 'throw two', 'good']) sender.send('tx', Buffer.from(text));
    for (const text of ['bad slow', 'throw slow', 'good slow']) sender.send('slow', Buffer.from(text));
    await other.frame('tx');
    await other.frame('slow');
    expect(other.frames.map(({ payload }) => payload.toString()).toSorted()).toEqual(['good', 'good slow']);
    await until(() => node.history().filter(({ kind }) => kind === 'penalised').length === 2, 'the entries');
    expect(node.history()).toContainEqual(
      expect.objectContaining({ kind: 'penalised', peerId: 'sender', detail: 'not good: bad one' }),
    );
    const reputation = (id: string) => node.peers().find((peer) => peer.id === id)!.reputation;
    expect(reputation('sender')).toBeLessThan(50);
  });

  it('is held against its sender even when that is gone, and another has its slot, before the handler is through', async () => {
    const node = await start();
    const sender = await RawPeer.join(portOf(node), 'sender', '127.8.0.1');
    sender.send('late', Buffer.from('bad one'));
    await until(() => node.stats().messages.receivedByType.late === 1, 'the message');
    sender.socket.destroy();
    await until(() => node.peers().length === 0, 'it to be gone');
    await RawPeer.join(portOf(node), 'next', '127.8.0.2');
    const penalised = () => node.history().filter(({ kind }) => kind === 'penalised');
    await until(() => penalised().length > 0, 'the entry');
    expect(penalised()).toMatchObject([{ peerId: 'sender' }]);
    expect(node.peers()).toMatchObject([{ id: 'next', reputation: 51 }]);
  });

  it('is passed on by a queued handler when that is through, and by any handler that says so, once', async () => {
    const node = await start();
    const got = published(node);
    const sender = await RawPeer.join(portOf(node), 'sender');
    const other = await RawPeer.join(portOf(node), 'other');
    for (let i = 0; i < 50; i++) sender.send('slow', Buffer.from(`slow ${i}`));
    for (let i = 0; i < 2; i++) sender.send('manual', Buffer.from('manual'));
    await until(() => other.of('slow').length === 50 && got.length === 52, 'all of them');
    const told = got.filter((value) => Array.isArray(value));
    expect(told).toEqual([
      ['manual', true, false],
      ['manual', false, false],
    ]);
    expect(other.of('manual')).toHaveLength(1);
    expect(sender.frames).toEqual([]);
  });

  it('without any handler is passed on because the operator says so', async () => {
    const node = await start({ handlers: [], relay: ['block', 'vote=1'] });
    const sender = await RawPeer.join(portOf(node), 'sender');
    const others = [await RawPeer.join(portOf(node), 'a'), await RawPeer.join(portOf(node), 'b')];
    const large = Buffer.alloc(3_000_000, 'block');
    sender.send('block', large);
    sender.send('vote', Buffer.from('aye'));
    sender.send('unknown', Buffer.from('x'));
    await until(() => others.every((peer) => peer.of('block').length === 1), 'the block at both');
    await until(() => others.reduce((sum, peer) => sum + peer.of('vote').length, 0) === 1, 'the vote at one');
    for (const peer of others) expect(peer.of('block')[0].payload.equals(large)).toBe(true);
    expect(node.stats().messages.unhandled).toBe(1);
  });

  it('waits for no slow peer: others get all of it at once, and what the slow one missed is counted', async () => {
    const node = await start({ sendQueue: '64KiB', workers: 1 });
    const sender = await RawPeer.join(portOf(node), 'sender');
    const slow = await RawPeer.join(portOf(node), 'slow');
    const quick = await RawPeer.join(portOf(node), 'quick');
    slow.socket.pause();
    const count = 3000;
    const sentMs = performance.now();
    for (let i = 0; i < count; i++) {
      sender.send('tx', Buffer.concat([Buffer.from(`tx ${i}`.padEnd(24)), Buffer.alloc(4000)]));
      // As quickly as the quick one reads: its queue must not be full by its own fault.
      if (i % 6 === 5) await until(() => quick.of('tx').length >= i - 6, 'the quick peer');
    }
    await until(() => quick.of('tx').length === count, 'everything at the quick peer');
    expect(performance.now() - sentMs).toBeLessThan(10_000);
    const { sendsSkipped } = node.stats().messages;
    expect(sendsSkipped).toBeGreaterThan(100);
    slow.socket.resume();
    await until(() => slow.of('tx').length === count - sendsSkipped, 'the rest at the slow peer');
    expect(node.stats().gossip.relayed).toBe(count);
  });
});
