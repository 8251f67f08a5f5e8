import { describe, expect, it } from 'vitest';
import { PeerExchange, type PeerExchangeParts } from '../../../src/main/discovery/peer-exchange.js';
import type { Connection } from '../../../src/main/net/connection.js';

/** An exchange with one peer, whose turns of the event loop the test takes, of a node that listens at `host`. */
function exchange(host = '127.0.0.1', strictAddresses = true) {
  const turns: (() => void)[] = [];
  const learned: string[] = [];
  const sent: Buffer[] = [];
  const connection = { ip: '9.9.9.9', port: 1, peerId: 'teller', netGroup: '9.9', direction: 'inbound' };
  const clock = { nowMs: () => 1000, wallMs: () => 1000 };
  const parts = {
    nodeId: 'me',
    settings: { strictAddresses, pexIntervalMs: 30_000, seedMode: false },
    book: {
      sample: () => [],
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
  return { pex, turns, learned, sent, tell };
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
