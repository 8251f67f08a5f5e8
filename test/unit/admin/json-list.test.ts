/** Long lists: whole, and without holding the thread that makes them. */
import net from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { AdminServer } from '../../../src/main/admin/server.js';
import type { AddressInfo } from '../../../src/main/api.js';
import { Bans } from '../../../src/main/peers/bans.js';
import { History } from '../../../src/main/peers/history.js';
import { readingNode } from '../../fuzz/reading-node.js';
import { address, call, entry, startAdmin } from './fake-node.js';

const MANY = 80_000;

let server: AdminServer | undefined;
afterEach(async () => {
  vi.restoreAllMocks();
  await server?.close();
  server = undefined;
});

function* book(count: number, made: (at: number) => void = () => undefined): Generator<AddressInfo> {
  for (let at = 0; at < count; at++) {
    made(at);
    yield { ...address, id: `peer-${at}` };
  }
}

describe('a list', () => {
  test.each([0, 1, 249, 250, 251, 500, 1100])('of %i arrives whole and in order', async (count) => {
    server = await startAdmin({
      eachAddress: () => book(count),
      eachHistory: () => Array.from({ length: count }, (_, at) => ({ ...entry, detail: `"${at}"` })),
    });
    const addresses = await call(server, '/addresses');
    expect(addresses.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(addresses.json).toEqual({ addresses: [...book(count)] });
    const { json } = await call(server, '/history?limit=10000');
    expect((json as { entries: { detail: string }[] }).entries.map(({ detail }) => detail)).toEqual(
      Array.from({ length: count }, (_, at) => `"${at}"`),
    );
  });

  test('of a full address book is made with turns of the event loop between', async () => {
    let turns = 0;
    const perTurn = new Map<number, number>();
    server = await startAdmin({
      eachAddress: () => book(MANY, () => perTurn.set(turns, (perTurn.get(turns) ?? 0) + 1)),
    });
    let isOver = false;
    const turn = (): void => {
      turns++;
      if (!isOver) setImmediate(turn);
    };
    turn();
    const { json } = await call(server, '/addresses');
    isOver = true;
    expect((json as { addresses: unknown[] }).addresses).toHaveLength(MANY);
    expect(perTurn.size).toBeGreaterThanOrEqual(MANY / 250);
    expect(Math.max(...perTurn.values())).toBeLessThanOrEqual(500);
  });

  test.each([
    ['/bans', 'bans', 20_000],
    ['/history?limit=10000', 'entries', 10_000],
  ])('%s of a node is made with turns between, as it was when it began', async (path, name, many) => {
    const bans = new Bans();
    const history = new History();
    const times = Array.from({ length: many }, (_, at) => ({ timeMs: Date.UTC(2025, 11, 1) + at }));
    const ban = { reason: '', code: 5, untilMs: null };
    const target = (at: number) => `10.0.${at >> 8}.${at & 255}`;
    bans.restore(
      times.map(({ timeMs }, at) => ({ ...ban, target: target(at), sinceMs: timeMs })),
      [],
      Date.UTC(2026, 0, 1),
    );
    for (const { timeMs } of times) {
      history.add({ timeMs, kind: 'rejected', code: 5, peerId: null, address: null, detail: '' });
    }
    server = await startAdmin(readingNode({ bans, history }));
    let turns = 0;
    let isOver = false;
    const turn = (): void => {
      turns++;
      // What comes meanwhile is of no matter: the list is of the moment when it was asked for.
      if (turns % 10 === 0) {
        bans.unban(target(turns));
        history.add({ timeMs: 0, kind: 'rejected', code: 5, peerId: null, address: null, detail: 'later' });
      }
      if (!isOver) setImmediate(turn);
    };
    const perTurn = new Map<number, number>();
    const format = Date.prototype.toISOString;
    const made = vi.spyOn(Date.prototype, 'toISOString').mockImplementation(function (this: Date) {
      if (perTurn.size === 0) turn();
      perTurn.set(turns, (perTurn.get(turns) ?? 0) + 1);
      return format.call(this);
    });
    // Not by `call`, which holds each date against its description in one turn.
    const json = await (await fetch(`http://${server.address}${path}`)).json();
    isOver = true;
    made.mockRestore();
    expect(Math.max(...perTurn.values())).toBeLessThanOrEqual(500);
    const list = (json as Record<string, { since?: string; time?: string }[]>)[name]!;
    const newestFirst = times.map(({ timeMs }) => new Date(timeMs).toISOString()).reverse();
    expect(list.map(({ since, time }) => since ?? time)).toEqual(newestFirst);
  });

  test('is not made further than it is read, and not at all once the reader is gone', async () => {
    let made = 0;
    let isLetGo = false;
    function* endless() {
      try {
        yield* book(Number.POSITIVE_INFINITY, () => made++);
      } finally {
        isLetGo = true;
      }
    }
    server = await startAdmin({ eachAddress: endless });
    const socket = net.connect(Number(server.address.split(':')[1]), '127.0.0.1').pause();
    socket.write('GET /addresses HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n');
    const endMs = performance.now() + 20_000;
    for (let before = -1; made === 0 || made !== before; ) {
      before = made;
      await new Promise((resolve) => setTimeout(resolve, 300));
      if (performance.now() > endMs) throw new Error(`made ${made} addresses for nobody`);
    }
    socket.destroy();
    while (!isLetGo && performance.now() < endMs) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(isLetGo).toBe(true);
  });

  test('has a head that can be asked for alone', async () => {
    server = await startAdmin({ eachAddress: () => book(5000) });
    expect(await call(server, '/addresses', { method: 'HEAD' })).toMatchObject({ status: 200, text: '' });
  });
});
