import { describe, expect, it } from 'vitest';
import { Discovery, type DiscoveryParts } from '../../../src/main/discovery/discovery.js';
import type { Connection } from '../../../src/main/net/connection.js';
import { systemTimers } from '../../../src/main/timers.js';
import { ErrorCode, PeerError } from '../../../src/shared/errors.js';
import { address, from, newBook, randomOf, START_MS } from './book-fixtures.js';

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
