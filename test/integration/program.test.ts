import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { SubscribedMessage } from '../../dist/src/main/index.js';
import { portOf, startNode, until } from './support/nodes.js';
import { RawPeer } from './support/raw-peer.js';

afterEach(() => {
  vi.useRealTimers();
});

describe('subscribers', () => {
  it('that throw whatever they like, or reject, keep nobody else from the message, and are told of', async () => {
    const node = await startNode({ workers: 1 });
    const errors: string[] = [];
    node.on('error', ({ message }) => errors.push(message));
    const hostile = new Proxy(new Error('a proxy'), {
      get: () => {
        throw new Error('looked at');
      },
    });
    const thrown: unknown[] = [new Error('plain'), null, Object.create(null), hostile];
    for (const error of thrown) {
      node.subscribe('x', () => {
        throw error;
      });
    }
    node.subscribe('x', async () => Promise.reject(new Error('later')));
    let heard = 0;
    node.subscribe('x', () => heard++);
    const peer = await RawPeer.join(portOf(node));
    peer.send('x');
    peer.send('x');
    await until(() => heard === 2, 'both');
    await until(() => errors.length === 10, 'all that was thrown');
    expect(errors.filter((message) => message === 'later')).toHaveLength(2);
    expect(errors.filter((message) => message.includes('a subscriber threw no error'))).toHaveLength(6);
  });

  it('that subscribe others while they are told are told once, and the others of what comes from then on', async () => {
    const node = await startNode({ workers: 1 });
    const told: string[] = [];
    const next = (number: number) => {
      const off = node.subscribe('x', ({ payload }) => {
        told.push(`${number} ${payload.toString()}`);
        next(number + 1);
        off();
      });
    };
    next(1);
    const peer = await RawPeer.join(portOf(node));
    for (const text of ['a', 'b', 'c']) peer.send('x', Buffer.from(text));
    await until(() => told.length === 3, 'one for each');
    expect(told).toEqual(['1 a', '2 b', '3 c']);
  });

  it('get a payload each, to keep', async () => {
    const node = await startNode({ workers: 1, types: { x: { codec: 'msgpack' } } });
    const got: SubscribedMessage[] = [];
    for (let i = 0; i < 2; i++) {
      node.subscribe('x', (message) => {
        structuredClone(message.payload.buffer, { transfer: [message.payload.buffer as ArrayBuffer] });
        got.push(message);
      });
    }
    const sender = await startNode({ types: { x: { codec: 'msgpack' } } });
    const { id } = await sender.dial(node.listen);
    await sender.send(id, 'x', { list: [1, 2] });
    await until(() => got.length === 2, 'both');
    expect(got.map(({ value }) => value)).toEqual([{ list: [1, 2] }, { list: [1, 2] }]);
    expect(got[0]!.value).not.toBe(got[1]!.value);
  });

  it('are functions', async () => {
    const node = await startNode();
    expect(() => node.subscribe('x', undefined as never)).toThrow(/subscriber of 'x' is no function but undefined/);
  });
});

describe('a program', () => {
  it('may use its memory for other things while a message waits for room', async () => {
    const node = await startNode({ sendQueue: '64KiB' });
    const peer = await RawPeer.join(portOf(node), 'slow');
    peer.socket.pause();
    const payload = Buffer.alloc(100_000);
    const sends: Promise<void>[] = [];
    // More than the kernel takes.
    for (let i = 0; i < 200; i++) {
      payload.fill(i);
      sends.push(node.send('slow', 'x', payload));
    }
    payload.fill(255);
    peer.socket.resume();
    await Promise.all(sends);
    await until(() => peer.of('x').length === 200, 'all');
    for (const [i, frame] of peer.of('x').entries()) expect(frame.payload.equals(Buffer.alloc(100_000, i))).toBe(true);
  });

  it('that holds up its thread for longer than a timeout loses nobody for it', async () => {
    const node = await startNode({ dialTimeout: '1s', readTimeout: '1s', pingInterval: '1s' });
    const other = await startNode();
    const dialled = node.dial(other.listen);
    const endMs = performance.now() + 1500;
    while (performance.now() < endMs);
    node.disconnect((await dialled).id);
    const peer = await RawPeer.join(portOf(node), 'peer');
    // It is with the kernel before we look away.
    peer.send('x');
    const laterMs = performance.now() + 1500;
    while (performance.now() < laterMs);
    const timer = setInterval(() => peer.send('x'), 50);
    await until(() => node.stats().messages.received >= 3, 'what it says').finally(() => clearInterval(timer));
    expect(node.stats().connections.disconnectsByCode).toEqual({ GoingAway: 1 });
  });

  it('may put other timers in the place of the global ones, and take them back', async () => {
    const node = await startNode({ workers: 1 });
    const peer = await RawPeer.join(portOf(node), 'peer');
    vi.useFakeTimers();
    await node.send('peer', 'x', Buffer.from('meanwhile'));
    vi.useRealTimers();
    expect((await peer.frame('x')).payload.toString()).toBe('meanwhile');
  });

  it('whose logger throws has a node that connects and closes', async () => {
    const warnings: string[] = [];
    const onWarning = ({ name, message }: Error) => {
      if (name === 'LogWarning') warnings.push(message);
    };
    process.on('warning', onWarning);
    try {
      const logger = pino(
        { level: 'debug' },
        {
          write: () => {
            throw new Error('ENOSPC');
          },
        },
      );
      const [node, other] = [await startNode({ logger }), await startNode()];
      await node.dial(other.listen);
      await node.close();
      await until(() => warnings.length > 0, 'a warning');
      expect(warnings).toEqual(["the program's logger throws, lines are lost: ENOSPC"]);
    } finally {
      process.off('warning', onWarning);
    }
  });

  it('has one node in a data directory, whichever copy of the package or thread asks', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'paw-test-'));
    try {
      const { openDataDir } = await import('../../dist/src/main/data-dir.js');
      const copy: { openDataDir: typeof openDataDir } = await import('../../dist/src/main/data-dir.js?copy' as string);
      expect(copy.openDataDir).not.toBe(openDataDir);
      const held = await openDataDir(dataDir);
      await expect(copy.openDataDir(dataDir)).rejects.toMatchObject({ code: 'ERR_PAW_DATA_DIR' });
      held.release();
      (await copy.openDataDir(dataDir)).release();
    } finally {
      rmSync(dataDir, { recursive: true, force: true });
    }
  });
});
