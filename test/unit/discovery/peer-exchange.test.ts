import { describe, expect, it } from 'vitest';
import { PeerExchange, type PeerExchangeParts } from '../../../src/main/discovery/peer-exchange.js';
import type { Connection } from '../../../src/main/net/connection.js';
import { address, from, newBook } from './book-fixtures.js';

/** An exchange with one peer, whose turns of the event loop the test takes, of a node that listens at `host`. */
function exchange(host = '127.0.0.1', strictAddresses = true, known = 0) {
  const turns: (() => void)[] = [];
  const learned: string[] = [];
  const sent: Buffer[] = [];
  const connection = { ip: '9.9.9.9', port: 1, peerId: 'teller', netGroup: '9.9', direction: 'inbound' };
  const time = { nowMs: 1000 };
  const clock = { nowMs: () => time.nowMs, wallMs: () => time.nowMs };
  const book = newBook({ strict: false });
  for (let i = 0; book.counts().known < known; i++) {
    const ip = `${1 + (i % 200)}.${i % 250}.${(i >> 8) % 250}.1`;
    book.add(address(ip, `id-${i}`), from(`${1 + (i % 220)}.${(i * 31) % 250}.1.1`), time.nowMs, time.nowMs);
  }
  const parts = {
    nodeId: 'me',
    settings: { strictAddresses, pexIntervalMs: 30_000, seedMode: false },
    book: {
      sample: (...asked: Parameters<typeof book.sample>) => book.sample(...asked),
      counts: () => book.counts(),
      add: ({ id }: { id: string }) => {
        learned.push(id);
        return 'added';
      },
    },
    clock,
    timers: { soon: (run: () => void) => void turns.push(run) },
    own: () => ({ listen: { host, port: 1 }, external: null }),
    isWanted: () => true,
    fault: () => undefined,
    send: (_: Connection, payload: Buffer) => sent.push(payload) > 0,
    hearsay: { time: () => undefined },
    served: () => undefined,
  };
  const pex = new PeerExchange(parts as unknown as PeerExchangeParts);
  pex.connected(connection as Connection);
  const tell = (count: number) => {
    const peers = Array.from({ length: count }, (_, i) => ({ id: `p${i}`, address: `8.8.8.${i}`, port: 26_656 }));
    pex.receive(connection as Connection, Buffer.from(JSON.stringify({ peers })));
  };
  /** Somebody else is connected. @returns whom it is told of */
  const toldTo = (peerId: string): string[] => {
    pex.connected({ ...connection, peerId } as Connection);
    return JSON.parse(sent.at(-1)!.toString()).peers.map(({ id }: { id: string }) => id);
  };
  return { pex, turns, learned, sent, tell, toldTo, time };
}

describe('addresses that a peer tells', () => {
  it('are looked at a part in each turn of the event loop, all of them and in order', () => {
    const { turns, learned, tell } = exchange();
    tell(200);
    tell(20);
    const counts: number[] = [];
    for (let turn = turns.shift(); turn !== undefined; turn = turns.shift()) {
      turn();
      counts.push(learned.length);
    }
    expect(counts).toEqual([50, 100, 150, 200, 220]);
    expect(learned.slice(0, 200)).toEqual(Array.from({ length: 200 }, (_, i) => `p${i}`));
  });

  it('are not looked at any more once the node stops', () => {
    const { pex, turns, learned, tell } = exchange();
    tell(200);
    turns.shift()!();
    pex.stop();
    tell(200);
    while (turns.length > 0) turns.shift()!();
    expect(learned).toHaveLength(50);
  });
});

describe('what newcomers are told of a large book', () => {
  it('is the same for a second, but never of themselves', () => {
    const { toldTo, time } = exchange('127.0.0.1', true, 3000);
    const told = toldTo('newcomer');
    time.nowMs += 999;
    expect(told).toHaveLength(25);
    expect(toldTo('another')).toEqual(told);
    expect(toldTo(told[3]!)).toEqual(told.filter((id) => id !== told[3]));
    time.nowMs += 1;
    expect(toldTo('another')).not.toEqual(told);
  });

  it('is drawn anew once the settings are others, since somebody may be private now', () => {
    const { pex, toldTo } = exchange('127.0.0.1', true, 3000);
    const told = toldTo('newcomer');
    pex.settingsChanged();
    expect(toldTo('another')).not.toEqual(told);
  });

  it('and of a small one is drawn for each', () => {
    const { toldTo } = exchange('127.0.0.1', true, 300);
    expect(toldTo('newcomer')).not.toEqual(toldTo('another'));
  });
});

describe('where a node listens itself', () => {
  it.each([
    ['127.0.0.1', false, 1],
    ['fe80::1', false, 1],
    ['127.0.0.1', true, 0],
    ['fe80::1%eth0', false, 0],
  ])('%s (strict: %s) is told in %i messages', (host, strictAddresses, messages) => {
    const { sent } = exchange(host, strictAddresses);
    expect(sent).toHaveLength(messages);
    for (const payload of sent)
      expect(JSON.parse(payload.toString()).peers).toMatchObject([{ id: 'me', address: host }]);
  });
});
