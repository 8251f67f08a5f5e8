import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { handlerModule, portOf, startNode, until } from './support/nodes.js';
import { frame, RawPeer } from './support/raw-peer.js';

const mortal = { handlers: [handlerModule('mortal.mjs')], ringSize: '256KiB' };

function numbered(count: number, bytesOf: (i: number) => number): Buffer {
  return Buffer.concat(
    Array.from({ length: count }, (_, i) => {
      const payload = Buffer.alloc(bytesOf(i), i);
      payload.writeUInt32BE(i);
      return frame('seq', payload);
    }),
  );
}

function acked(peer: RawPeer): number[] {
  return peer.of('ack').map(({ payload }) => payload.readUInt32BE(0));
}

/** What of 0..count-1 is missing, and how many came twice. */
function reckon(acks: readonly number[], count: number) {
  const seen = new Set(acks);
  const lost = Array.from({ length: count }, (_, i) => i).filter((i) => !seen.has(i));
  const isOrdered = acks.every((ack, i) => i === 0 || ack >= acks[i - 1]);
  return { lost, doubled: acks.length - seen.size, isOrdered };
}

describe('a worker that dies while frames flow', () => {
  it('is replaced where it stood, many times: nothing is lost, sockets stay up', async () => {
    const node = await startNode({ ...mortal, workers: 2 });
    const peers = await Promise.all(Array.from({ length: 6 }, (_, i) => RawPeer.join(portOf(node), `p${i}`)));
    const count = 20_000;
    const kills = 12;
    // Frames of every kind: in place, wrapped, and larger than the ring.
    const bytes = numbered(count, (i) => (i % 1000 === 7 ? 400_000 : 20 + (i % 700)));
    for (const peer of peers) peer.socket.write(bytes);
    for (let kill = 0; kill < kills; kill++) {
      const before = node.stats().workers.reduce((sum, { restarts }) => sum + restarts, 0);
      await until(() => node.health().ok, 'both workers');
      void node.workerThreads[kill % 2].terminate();
      await until(() => node.stats().workers.reduce((sum, { restarts }) => sum + restarts, 0) > before, 'the restart');
      const doneMs = performance.now() + 40;
      await until(() => performance.now() > doneMs, 'frames to flow');
    }
    for (const peer of peers) {
      await until(() => acked(peer).at(-1) === count - 1, 'the last answer', 20_000);
      const { lost, doubled, isOrdered } = reckon(acked(peer), count);
      expect({ lost, isOrdered }).toEqual({ lost: [], isOrdered: true });
      expect(doubled).toBeLessThanOrEqual(kills);
    }
    expect(node.peers()).toHaveLength(6);
    expect(node.stats().messages.dropped).toBe(0);
  });

  it('leaves peers that have never spoken to the main thread, before and after', async () => {
    const node = await startNode({ ...mortal, workers: 1 });
    const ended: string[] = [];
    node.on('peer:disconnected', ({ id }) => ended.push(id!));
    for (let round = 0; round < 5; round++) {
      const [silent, speaking] = await Promise.all(
        ['silent', 'speaking'].map((name) => RawPeer.join(portOf(node), `${name}${round}`)),
      );
      const { restarts } = node.stats().workers[0];
      void node.workerThreads[0].terminate();
      await until(() => node.stats().workers[0].restarts > restarts, 'the restart');
      silent.socket.end();
      await until(() => ended.includes(`silent${round}`), 'the end of the silent peer');
      // Takes the place that has just become free.
      const next = await RawPeer.join(portOf(node), `next${round}`);
      for (const peer of [next, speaking]) {
        peer.socket.write(numbered(3, () => 20));
        await until(() => acked(peer).at(-1) === 2, 'the last answer');
        expect(acked(peer)).toEqual([0, 1, 2]);
      }
    }
  });

  it('by an uncaught error is replaced as well', async () => {
    const node = await startNode({ ...mortal, workers: 1 });
    const peer = await RawPeer.join(portOf(node));
    peer.send('throwLater');
    await until(() => node.stats().workers[0].restarts === 1, 'the restart');
    peer.socket.write(numbered(10, () => 50));
    await until(() => acked(peer).length >= 10, 'answers from the replacement');
    expect(reckon(acked(peer), 10).lost).toEqual([]);
  });

  it('leaves waits that were really waited, and what it had counted', async () => {
    const node = await startNode({ ...mortal, workers: 1 });
    const peer = await RawPeer.join(portOf(node));
    peer.socket.write(numbered(10, () => 50));
    await until(() => acked(peer).length === 10, 'the first answers');
    const counted = node.timings().handlers.seq.counts.reduce((a, b) => a + b, 0);
    void node.workerThreads[0].terminate();
    await until(() => node.stats().workers[0].restarts === 1, 'the restart');
    peer.socket.write(numbered(10, () => 50));
    await until(() => acked(peer).length === 20, 'answers from the replacement');
    const { workerLag, handlers } = node.timings();
    // A unit that is wrong makes hours of it, or nothing.
    expect(workerLag[0].sumSeconds).toBeGreaterThan(0);
    expect(workerLag[0].sumSeconds).toBeLessThan(30);
    await until(() => node.timings().handlers.seq.counts.reduce((a, b) => a + b, 0) === counted + 10, 'all to count');
    expect(handlers.seq.sumSeconds).toBeGreaterThan(0);
    expect(counted).toBe(10);
  });

  it('over one frame twice has that frame skipped and counted, and its peer banned; others live on', async () => {
    const node = await startNode({ ...mortal, workers: 1 });
    const peer = await RawPeer.join(portOf(node), 'poison', '127.7.0.1');
    const other = await RawPeer.join(portOf(node), 'other');
    peer.socket.write(Buffer.concat([numbered(5, () => 30), frame('exit')]));
    await until(() => node.stats().messages.droppedByCode.WorkerPoisoned === 1, 'the frame to be skipped');
    other.socket.write(numbered(5, () => 30));
    await until(() => acked(other).length === 5, 'the other peer');
    await until(() => peer.ended, 'the end of the one');
    expect(node.stats().workers[0].restarts).toBe(2);
    expect(acked(peer)).toEqual([0, 1, 2, 3, 4]);
    expect(node.peers().map(({ id }) => id)).toEqual(['other']);
    expect(node.bans()).toMatchObject([{ target: '127.7.0.1', name: 'WorkerPoisoned' }]);
  });

  it('over one frame once gets it again from its replacement', async () => {
    const node = await startNode({ ...mortal, workers: 1 });
    const peer = await RawPeer.join(portOf(node));
    const folder = mkdtempSync(join(tmpdir(), 'paw-once-'));
    peer.socket.write(Buffer.concat([frame('exitOnce', Buffer.from(join(folder, 'died'))), numbered(3, () => 30)]));
    await until(() => acked(peer).length === 3, 'the frames behind it');
    expect(node.stats().messages.receivedByType.exitOnce).toBe(1);
    expect(node.stats()).toMatchObject({ workers: [{ restarts: 1 }], messages: { dropped: 0 } });
    rmSync(folder, { recursive: true });
  });
});

describe('a worker that hangs', () => {
  it('is found within its limit and a quarter of a second, and replaced; what came behind is handled, nothing is lost', async () => {
    const node = await startNode({ ...mortal, workers: 1, workerTimeout: '500ms' });
    const folder = mkdtempSync(join(tmpdir(), 'paw-hang-'));
    const restarts: { reason: string; atMs: number }[] = [];
    node.on('worker:restarted', ({ reason }) => restarts.push({ reason, atMs: performance.now() }));
    const [guilty, other] = [await RawPeer.join(portOf(node), 'guilty'), await RawPeer.join(portOf(node), 'other')];
    guilty.socket.write(numbered(10, () => 20));
    await until(() => acked(guilty).length === 10, 'a worker at work');
    const startMs = performance.now();
    guilty.socket.write(Buffer.concat([frame('hangOnce', Buffer.from(join(folder, 'once'))), numbered(10, () => 20)]));
    other.socket.write(numbered(10, () => 20));
    await until(() => acked(other).length === 10 && acked(guilty).length === 20, 'the replacement');
    expect(restarts.map(({ reason }) => reason)).toEqual(['hangs for 500ms']);
    // When it is found; how long a new thread takes to come up is for `bench crash` to measure, on a machine that is quiet.
    expect(restarts[0].atMs - startMs).toBeGreaterThan(500);
    expect(restarts[0].atMs - startMs).toBeLessThan(500 + 250);
    rmSync(folder, { recursive: true });
  });

  it('over one frame twice has that frame skipped, and its peer banned', async () => {
    const node = await startNode({ ...mortal, workers: 1, workerTimeout: '300ms' });
    const other = await RawPeer.join(portOf(node), 'other', '127.9.0.1');
    const guilty = await RawPeer.join(portOf(node), 'guilty');
    guilty.send('hang');
    await until(() => node.bans().length > 0, 'the ban');
    expect(node.bans()[0]).toMatchObject({ name: 'WorkerPoisoned' });
    expect(node.stats()).toMatchObject({
      messages: { droppedByCode: { WorkerPoisoned: 1 } },
      workers: [{ restarts: 2 }],
    });
    other.socket.write(numbered(10, () => 20));
    await until(() => acked(other).length === 10, 'the others to go on');
  });

  it('not, but works slowly, is left alone', async () => {
    const node = await startNode({ ...mortal, workers: 1, workerTimeout: '500ms' });
    const peer = await RawPeer.join(portOf(node));
    for (let i = 0; i < 12; i++) peer.send('burn', Buffer.from('100'));
    peer.socket.write(numbered(1, () => 20));
    await until(() => acked(peer).length === 1, 'all of them');
    expect(node.stats().workers[0].restarts).toBe(0);
  });
});

describe('a hundred peers at once', () => {
  it('each get the answers to everything they sent, in order', async () => {
    const node = await startNode({ ...mortal, preset: 'high-traffic' });
    const peers = await Promise.all(Array.from({ length: 100 }, (_, i) => RawPeer.join(portOf(node), `p${i}`)));
    const bytes = numbered(500, (i) => 10 + (i % 2000));
    for (const peer of peers) peer.socket.write(bytes);
    const all = Array.from({ length: 500 }, (_, i) => i);
    for (const peer of peers) {
      await until(() => peer.of('ack').length === 500, 'all answers', 20_000);
      expect(acked(peer)).toEqual(all);
    }
    expect(node.stats().messages).toMatchObject({ received: 50_000, sent: 50_000, dropped: 0 });
    const byWorker = node.peers().map(({ worker }) => worker);
    expect(byWorker.filter((worker) => worker === 0)).toHaveLength(50);
  });
});
