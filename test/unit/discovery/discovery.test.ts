import { describe, expect, it } from 'vitest';
import { Discovery, type DiscoveryParts } from '../../../src/main/discovery/discovery.js';
import type { Connection } from '../../../src/main/net/connection.js';
import { systemTimers } from '../../../src/main/timers.js';
import { ErrorCode, PeerError } from '../../../src/shared/errors.js';
import { address, DAY_MS, from, newBook, randomOf, START_MS } from './book-fixtures.js';

/** How a dial goes on. */
interface Dialled {
  readonly id: string | null;
  fail(code: ErrorCode): Promise<void>;
}

/** Discovery of a node with `connected` peers whose dials end as the test says; time stands still until it is moved. */
function discover(minOutbound = 8) {
  const time = { nowMs: 0 };
  const clock = { nowMs: () => time.nowMs, wallMs: () => START_MS + time.nowMs };
  const book = newBook();
  const connected = new Set<Connection>();
  const dialled: Dialled[] = [];
  const parts = {
    settings: { seeds: [], minOutbound, maxOutbound: 50, feelerIntervalMs: 1e9, seedMode: false, pex: true },
    nodeId: 'us',
    world: { timers: systemTimers, random: randomOf(7) },
    clock,
    book,
    exchange: null,
    anchors: [],
    connected: () => connected,
    isWanted: () => true,
    keepAnchors: () => undefined,
    dial: ({ id }: { id: string | null }) =>
      new Promise((_, reject) => {
        const fail = (code: ErrorCode) => {
          reject(new PeerError(code, 'failed'));
          return settled();
        };
        dialled.push({ id, fail });
      }),
  };
  const discovery = new Discovery(parts as unknown as DiscoveryParts);
  const look = (afterMs = 250) => {
    time.nowMs += afterMs;
    discovery.tick();
    return dialled.splice(0);
  };
  const know = (...ips: string[]) => {
    for (const ip of ips) book.add(address(ip), from('9.9.9.9'), clock.wallMs(), clock.wallMs());
  };
  const join = (peerId: string, ip: string) => {
    const peer = { peerId, ip, port: 1, direction: 'inbound', isHeard: true } as Connection;
    connected.add(peer);
    discovery.connected(peer);
    return peer;
  };
  const part = (peer: Connection) => {
    connected.delete(peer);
    discovery.disconnected(peer);
  };
  return { discovery, book, look, know, join, part };
}

/** Lets everything happen that needs no timer. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('a peer that has just gone', () => {
  it('is not dialled where it was for two seconds, in which it may not know it', () => {
    const { look, know, join, part } = discover();
    know('8.8.4.4');
    part(join('id-8.8.4.4', '8.8.4.4'));
    expect(look()).toEqual([]);
    expect(look(1500)).toEqual([]);
    expect(look(500)).toMatchObject([{ id: 'id-8.8.4.4' }]);
  });

  it('keeps nobody from being dialled whose ID it had borrowed', () => {
    const { look, know, join, part } = discover();
    know('8.8.4.4', '8.9.4.4');
    for (const id of ['id-8.8.4.4', 'id-8.9.4.4']) part(join(id, '6.6.6.6'));
    expect(look()).toHaveLength(2);
  });

  it('makes no duplicate of a dial elsewhere that only says so', async () => {
    const { book, look, know, join, part } = discover();
    join('somebody', '7.7.7.7');
    know('8.8.4.4', '8.9.4.4');
    const dials = look();
    part(join('id-8.8.4.4', '6.6.6.6'));
    part(join('id-8.9.4.4', '8.9.4.4'));
    for (const dial of dials) await dial.fail(ErrorCode.DuplicateConnection);
    expect(book.find('id-8.8.4.4')?.attempts).toBe(1);
    expect(book.find('id-8.9.4.4')?.attempts).toBe(0);
  });
});

describe('a dial that finds nobody', () => {
  /** Dials for so long, all in vain; a look each second. @returns when each was dialled, by ID */
  async function dialInVain(node: ReturnType<typeof discover>, seconds: number) {
    const dials = new Map<string | null, number[]>();
    for (let second = 0; second < seconds; second++) {
      for (const { id, fail } of node.look(1000)) {
        dials.set(id, [...(dials.get(id) ?? []), second]);
        await fail(ErrorCode.NetworkError);
      }
    }
    return dials;
  }

  it('is a failure of the address as long as somebody is connected', async () => {
    const node = discover();
    node.know('8.8.4.4');
    node.join('somebody', '7.7.7.7');
    await dialInVain(node, 3600);
    expect(node.book.list()).toEqual([]);
  });

  it('is none while nobody is connected: an hour without a network leaves the book as it was', async () => {
    const node = discover();
    node.book.good(address('8.9.4.4'), 'manual', START_MS - 8 * DAY_MS);
    node.know('8.8.4.4');
    await dialInVain(node, 3600);
    expect(node.book.list()).toMatchObject([{ attempts: 0 }, { attempts: 0 }]);
  });

  it('is one all the same if somebody was there, and refused', async () => {
    const { book, look, know } = discover();
    know('8.8.4.4');
    await look()[0]!.fail(ErrorCode.ChainIDMismatch);
    expect(book.list()).toMatchObject([{ attempts: 1 }]);
  });

  it('is none once the node stops', async () => {
    const { discovery, book, look, know, join } = discover();
    know('8.8.4.4', '8.9.4.4');
    join('somebody', '7.7.7.7');
    const [first, second] = look();
    await discovery.stop();
    await first!.fail(ErrorCode.ShuttingDown);
    await second!.fail(ErrorCode.NetworkError);
    expect(book.list()).toMatchObject([{ attempts: 0 }, { attempts: 0 }]);
  });

  it('is followed by others before it is made again, however long nobody is to be had', async () => {
    const node = discover(2);
    const ips = Array.from({ length: 40 }, (_, i) => `8.${i}.4.4`);
    node.know(...ips);
    const dials = await dialInVain(node, 3600);
    const counts = [...dials.values()].map(({ length }) => length);
    expect(counts).toHaveLength(ips.length);
    expect(Math.max(...counts)).toBeLessThan(2 * Math.min(...counts));
    const restSeconds = [...dials.values()].flatMap((at) => at.slice(1).map((second, i) => second - at[i]!));
    expect(Math.min(...restSeconds)).toBeGreaterThanOrEqual(10);
  });
});
