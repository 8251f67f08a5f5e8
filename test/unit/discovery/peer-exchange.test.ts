import { describe, expect, it } from 'vitest';
import { PeerExchange, type PeerExchangeParts } from '../../../src/main/discovery/peer-exchange.js';
import type { Connection } from '../../../src/main/net/connection.js';

/** An exchange with one peer, whose turns of the event loop the test takes. */
function exchange() {
  const turns: (() => void)[] = [];
  const learned: string[] = [];
  const connection = { ip: '9.9.9.9', port: 1, peerId: 'teller', netGroup: '9.9', direction: 'inbound' };
  const clock = { nowMs: () => 1000, wallMs: () => 1000 };
  const parts = {
    nodeId: 'me',
    settings: { strictAddresses: true, pexIntervalMs: 30_000, seedMode: false },
    book: {
      sample: () => [],
      add: ({ id }: { id: string }) => {
        learned.push(id);
        return 'added';
      },
    },
    clock,
    timers: { soon: (run: () => void) => void turns.push(run) },
    own: () => ({ listen: { host: '127.0.0.1', port: 1 }, external: null }),
    isWanted: () => true,
    fault: () => undefined,
    send: () => true,
    hearsay: { time: () => undefined },
    served: () => undefined,
  };
  const pex = new PeerExchange(parts as unknown as PeerExchangeParts);
  pex.connected(connection as Connection);
  const tell = (count: number) => {
    const peers = Array.from({ length: count }, (_, i) => ({ id: `p${i}`, address: `8.8.8.${i}`, port: 26_656 }));
    pex.receive(connection as Connection, Buffer.from(JSON.stringify({ peers })));
  };
  return { pex, turns, learned, tell };
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
