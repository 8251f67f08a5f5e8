import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Holder, largestHolders, type Shortage } from '../../../src/main/peers/largest-holder.js';
import { hostKeyOf } from '../../../src/main/peers/net-group.js';

function holder(ip: string, heldBytes: number, named = false) {
  return { hostKey: hostKeyOf(ip), heldBytes, named };
}

/** Those that have to go where so much is missing; by default everything is worth it, and nothing comes back by itself. */
function going<T extends Holder>(holders: readonly T[], wantedBytes: number, more: Partial<Shortage> = {}): T[] {
  return largestHolders(holders, { wantedBytes, leastBytes: 0, returningBytes: 0, ...more });
}

describe('the largest holder', () => {
  it('is the peer that holds most', () => {
    const peers = [holder('10.0.0.1', 5), holder('10.0.0.2', 9), holder('10.0.0.3', 7)];
    expect(going(peers, 1)).toEqual([peers[1]]);
  });

  it('is nobody where nobody holds anything', () => {
    expect(going([holder('10.0.0.1', 0), holder('10.0.0.2', 0, true)], 1)).toEqual([]);
    expect(going([], 1)).toEqual([]);
  });

  it('is of the host whose connections hold most together, so that a crowd hides behind nobody', () => {
    const honest = holder('10.0.0.1', 50);
    const crowd = Array.from({ length: 20 }, (_, i) => holder('10.0.0.2', 5 + (i === 7 ? 1 : 0)));
    expect(going([honest, ...crowd], 1)).toEqual([crowd[7]]);
    const v6 = Array.from({ length: 20 }, (_, i) => holder(`2001:db8::${i + 1}`, 5));
    expect(going([honest, ...v6], 1)[0]!.hostKey).toMatch(/^2001/);
  });

  it('goes with the next ones until they hold enough together, sixteen at most', () => {
    const peers = Array.from({ length: 40 }, (_, i) => holder(`10.0.0.${i + 1}`, 100 - i));
    expect(going(peers, 250)).toEqual(peers.slice(0, 3));
    expect(going(peers, 1e9)).toEqual(peers.slice(0, 16));
    expect(going(peers.slice(0, 2), 1e9)).toEqual(peers.slice(0, 2));
  });

  it('is no peer that the operator has named, unless those hold more than all others together', () => {
    const friend = holder('10.0.0.1', 50, true);
    const others = [holder('10.0.0.2', 30), holder('10.0.0.3', 20)];
    expect(going([friend, ...others], 1)).toEqual([others[0]]);
    const heavy = { ...friend, heldBytes: 51 };
    expect(going([heavy, ...others], 1)).toEqual([heavy]);
    expect(going([friend], 1)).toEqual([friend]);
  });

  it('is nobody who holds too little for it to help, as a host', () => {
    const peers = [holder('10.0.0.1', 9), holder('10.0.0.2', 6), holder('10.0.0.2', 5), holder('10.0.0.3', 30)];
    expect(going(peers, 1000, { leastBytes: 10 })).toEqual([peers[3], peers[1]]);
  });

  it('is nobody where more than any host holds comes back by itself, and is enough', () => {
    const peers = [holder('10.0.0.1', 60), holder('10.0.0.2', 50), holder('10.0.0.3', 40)];
    expect(going(peers, 50, { returningBytes: 61 })).toEqual([]);
    // Not all that is missing: who holds most goes for the rest.
    expect(going(peers, 100, { returningBytes: 61 })).toEqual([peers[0]]);
    // Less than somebody holds: nobody hides behind it.
    expect(going(peers, 100, { returningBytes: 55 })).toEqual([peers[0]]);
    expect(going([], 100, { returningBytes: 55 })).toEqual([]);
  });

  it('is found by one look at each, however many go', () => {
    const looked = { count: 0 };
    const peers = Array.from({ length: 10_000 }, (_, i) => ({
      ...holder('10.0.0.1', 1000 + i),
      get hostKey() {
        looked.count++;
        return `2001:db8:0:${i}::/64`;
      },
    }));
    expect(going(peers, 1e9)).toEqual(peers.slice(-16).reverse());
    // Each is asked for its host once, not for each of the sixteen that go.
    expect(looked.count).toBeLessThan(10_100);
  });

  it('is always somebody who holds something, and never the same twice', () => {
    const anyHolder: fc.Arbitrary<Holder> = fc.record({
      hostKey: fc.nat(5).map((n) => `10.0.0.${n}`),
      heldBytes: fc.nat(100),
      named: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(anyHolder, { maxLength: 30 }), fc.nat(500), (peers, wanted) => {
        const chosen = going(peers, wanted);
        const held = (some: readonly Holder[]) => some.reduce((sum, { heldBytes }) => sum + heldBytes, 0);
        expect(new Set(chosen).size).toBe(chosen.length);
        expect(chosen.every(({ heldBytes }) => heldBytes > 0)).toBe(true);
        // The last was still needed.
        if (chosen.length > 0) expect(held(chosen.slice(0, -1))).toBeLessThan(wanted);
        if (held(peers) >= wanted && chosen.length < 16) expect(held(chosen)).toBeGreaterThanOrEqual(wanted);
      }),
    );
  });
});
