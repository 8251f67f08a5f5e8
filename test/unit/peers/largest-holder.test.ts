import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Holder, largestHolders } from '../../../src/main/peers/largest-holder.js';

function holder(ip: string, heldBytes: number, named = false) {
  return { ip, heldBytes, named };
}

describe('the largest holder', () => {
  it('is the peer that holds most', () => {
    const peers = [holder('10.0.0.1', 5), holder('10.0.0.2', 9), holder('10.0.0.3', 7)];
    expect(largestHolders(peers, 1)).toEqual([peers[1]]);
  });

  it('is nobody where nobody holds anything', () => {
    expect(largestHolders([holder('10.0.0.1', 0), holder('10.0.0.2', 0, true)], 1)).toEqual([]);
    expect(largestHolders([], 1)).toEqual([]);
  });

  it('is of the host whose connections hold most together, so that a crowd hides behind nobody', () => {
    const honest = holder('10.0.0.1', 50);
    const crowd = Array.from({ length: 20 }, (_, i) => holder('10.0.0.2', 5 + (i === 7 ? 1 : 0)));
    expect(largestHolders([honest, ...crowd], 1)).toEqual([crowd[7]]);
    const v6 = Array.from({ length: 20 }, (_, i) => holder(`2001:db8::${i + 1}`, 5));
    expect(largestHolders([honest, ...v6], 1)[0]!.ip).toMatch(/^2001/);
  });

  it('goes with the next ones until they hold enough together, sixteen at most', () => {
    const peers = Array.from({ length: 40 }, (_, i) => holder(`10.0.0.${i + 1}`, 100 - i));
    expect(largestHolders(peers, 250)).toEqual(peers.slice(0, 3));
    expect(largestHolders(peers, 1e9)).toEqual(peers.slice(0, 16));
    expect(largestHolders(peers.slice(0, 2), 1e9)).toEqual(peers.slice(0, 2));
  });

  it('is no peer that the operator has named, unless those hold more than all others together', () => {
    const friend = holder('10.0.0.1', 50, true);
    const others = [holder('10.0.0.2', 30), holder('10.0.0.3', 20)];
    expect(largestHolders([friend, ...others], 1)).toEqual([others[0]]);
    const heavy = { ...friend, heldBytes: 51 };
    expect(largestHolders([heavy, ...others], 1)).toEqual([heavy]);
    expect(largestHolders([friend], 1)).toEqual([friend]);
  });

  it('is always somebody who holds something, and never the same twice', () => {
    const anyHolder: fc.Arbitrary<Holder> = fc.record({
      ip: fc.nat(5).map((n) => `10.0.0.${n}`),
      heldBytes: fc.nat(100),
      named: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(anyHolder, { maxLength: 30 }), fc.nat(500), (peers, wanted) => {
        const chosen = largestHolders(peers, wanted);
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
