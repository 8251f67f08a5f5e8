/** The command `crawl`, against seeds that are made up. */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { encodePeerList } from '../../../src/shared/wire/peer-list.js';
import { run } from './run.js';

const seeds: Server[] = [];
afterEach(() => {
  for (const seed of seeds.splice(0)) seed.close();
});

/** A seed that answers like this; what is no Buffer it does itself. */
async function startSeed(answer: Buffer | ((socket: Socket) => void)): Promise<string> {
  const seed = createServer((socket) => {
    socket.on('error', () => undefined).resume();
    if (Buffer.isBuffer(answer)) socket.end(answer);
    else answer(socket);
  });
  seeds.push(seed);
  await new Promise<void>((resolve) => seed.listen(0, '127.0.0.1', resolve));
  return `127.0.0.1:${(seed.address() as AddressInfo).port}`;
}

const peers = [
  { id: 'peer-a', ip: '8.8.8.8', port: 26656 },
  { id: 'peer-b', ip: '2001:4860:4860::8888', port: 1 },
  { id: 'peer-c', ip: '10.0.0.1', port: 2 },
];

describe('crawl', () => {
  test('shows what seeds tell, as a table and in a line about each', async () => {
    const [one, two, none] = await Promise.all([
      startSeed(encodePeerList(peers)),
      startSeed(encodePeerList([])),
      startSeed((socket) => socket.destroy()),
    ]);
    const { code, out, err } = await run('crawl', one, two, none);
    expect([code, err]).toEqual([0, '']);
    expect(out.split('\n')).toEqual([
      `${'seed'.padEnd(one.length)}  id      address`,
      `${one}  peer-a  8.8.8.8:26656`,
      `${one}  peer-b  [2001:4860:4860::8888]:1`,
      '',
      `${one}: 2 peers, 1 skipped`,
      `${two}: 0 peers, 0 skipped`,
      expect.stringMatching(new RegExp(`^${none}: 0 peers, 0 skipped; failed: .+ \\(0x08 NetworkError\\)$`)),
      '',
    ]);
  });

  test('prints the same as JSON, with private addresses where they are wanted', async () => {
    const one = await startSeed(encodePeerList(peers));
    const { code, out } = await run('crawl', one, '--json', '--non-strict-addresses');
    expect([code, JSON.parse(out)]).toEqual([
      0,
      {
        seeds: [
          {
            seed: one,
            address: '127.0.0.1',
            peers: peers.map(({ id, ip, port }) => ({ id, address: ip, port })),
            skipped: 0,
            error: null,
          },
        ],
      },
    ]);
  });

  test('fails if no seed answers rightly, and shows what came before the fault', async () => {
    const cutOff = await startSeed(encodePeerList(peers).subarray(0, -3));
    const silent = await startSeed(() => undefined);
    const { code, out, err } = await run('crawl', cutOff, silent, '--timeout', '100ms', '--json');
    expect([code, err]).toEqual([1, '']);
    expect(JSON.parse(out)).toMatchObject({
      seeds: [
        { peers: [{ id: 'peer-a' }, { id: 'peer-b' }], error: { code: 5, name: 'InvalidMessageFormat' } },
        { peers: [], error: { code: 8, name: 'NetworkError' } },
      ],
    });
    expect((await run('crawl', cutOff)).code).toBe(1);
  });

  test('shows nothing that could harm a terminal', async () => {
    const one = await startSeed(encodePeerList([{ id: 'a\u202eb', ip: '8.8.8.8', port: 1 }]));
    expect((await run('crawl', one)).out).toContain('a\uFFFDb');
  });
});
