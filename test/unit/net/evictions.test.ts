import { describe, expect, it } from 'vitest';
import type { Direction } from '../../../src/main/api.js';
import type { Connection } from '../../../src/main/net/connection.js';
import { Evictions } from '../../../src/main/net/evictions.js';

interface Given {
  readonly direction: Direction;
  readonly persistent?: true;
  readonly exempt?: true;
}

let age = 0;

function peer({ direction, persistent, exempt }: Given): Connection {
  return {
    direction,
    persistent: persistent === true,
    exempt: exempt === true,
    netGroup: `group ${age % 7}`,
    connectedMs: age++,
    rttMs: null,
  } as Connection;
}

const some = (count: number, given: Given) => Array.from({ length: count }, () => peer(given));

/** Who goes of these, `count` at a time, until nobody does. */
function letGo(peers: readonly Connection[], limits: Parameters<Evictions['overLimit']>[0], count: number) {
  const connected = new Set(peers);
  const counted = (direction: Direction) =>
    [...connected].filter((one) => one.direction === direction && !one.exempt).length;
  const evictions = new Evictions({
    key: Buffer.alloc(16),
    table: {
      connected: () => new Set(connected).values(),
      counts: () => ({ inbound: counted('inbound'), outbound: counted('outbound') }),
    },
    score: () => 50,
    lastMessageMs: () => 0,
  });
  const steps: number[] = [];
  for (let gone = evictions.overLimit(limits, count); gone.length > 0; gone = evictions.overLimit(limits, count)) {
    for (const one of gone) connected.delete(one);
    steps.push(gone.length);
  }
  return { left: [...connected], steps };
}

const directions = (peers: readonly Connection[]) => peers.map(({ direction }) => direction);

describe('of lowered limits', () => {
  it('each lets go of those that are too many, so many at a time', () => {
    const peers = [...some(60, { direction: 'inbound' }), ...some(20, { direction: 'outbound' })];
    const { left, steps } = letGo(peers, { maxPeers: 100, maxInbound: 15, maxOutbound: 5 }, 25);
    expect(directions(left)).toEqual([...Array(15).fill('inbound'), ...Array(5).fill('outbound')]);
    expect(steps).toEqual([25, 25, 10]);
  });

  it('that of all peers takes those first that chose us', () => {
    const peers = [...some(4, { direction: 'inbound' }), ...some(8, { direction: 'outbound' })];
    const { left } = letGo(peers, { maxPeers: 5, maxInbound: 5, maxOutbound: 8 }, 3);
    expect(directions(left)).toEqual(Array(5).fill('outbound'));
  });

  it('none is kept from the peers that we dialled by a persistent one that dialled us', () => {
    const named = peer({ direction: 'inbound', persistent: true });
    const { left } = letGo(
      [named, ...some(9, { direction: 'outbound' })],
      { maxPeers: 4, maxInbound: 0, maxOutbound: 3 },
      50,
    );
    expect(left[0]).toBe(named);
    expect(directions(left)).toEqual(['inbound', 'outbound', 'outbound', 'outbound']);
  });

  it('none ends a peer that limits do not count', () => {
    const friends = some(3, { direction: 'inbound', exempt: true });
    const { left } = letGo(
      [...friends, ...some(3, { direction: 'inbound' })],
      { maxPeers: 0, maxInbound: 0, maxOutbound: 0 },
      50,
    );
    expect(left).toEqual(friends);
  });
});
