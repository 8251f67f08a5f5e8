/** Long lists: whole, and without holding the thread that makes them. */
import net from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import type { AdminServer } from '../../../src/main/admin/server.js';
import type { AddressInfo } from '../../../src/main/api.js';
import { address, call, entry, startAdmin } from './fake-node.js';

const MANY = 80_000;

let server: AdminServer | undefined;
afterEach(async () => {
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
      history: () => Array.from({ length: count }, (_, at) => ({ ...entry, detail: `"${at}"` })),
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
