import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Admission, admit, type Newcomer, type Rival } from '../../../src/main/peers/admission.js';
import { ErrorCode } from '../../../src/shared/errors.js';

const limits = { maxPeers: 100, maxInbound: 50, maxOutbound: 50, maxPerSubnet: 10 };
const nobody = { inbound: 0, outbound: 0 };

function newcomer(given: Partial<Newcomer> = {}): Newcomer {
  return { peerId: 'peer', direction: 'inbound', exempt: false, subnetPeers: 0, vouched: false, ...given };
}

function codeOf(admission: Admission): number | string {
  return admission.kind === 'refuse' ? admission.code : admission.kind;
}

describe('limits', () => {
  it.each([
    ['inbound', { inbound: 49, outbound: 50 }, 'admit'],
    ['inbound', { inbound: 50, outbound: 0 }, ErrorCode.PeerLimitReached],
    ['outbound', { inbound: 50, outbound: 49 }, 'admit'],
    ['outbound', { inbound: 0, outbound: 50 }, ErrorCode.PeerLimitReached],
    ['inbound', { inbound: 10, outbound: 90 }, ErrorCode.PeerLimitReached],
    ['outbound', { inbound: 60, outbound: 40 }, ErrorCode.PeerLimitReached],
  ] as const)('an %s newcomer beside %j', (direction, counts, expected) => {
    expect(codeOf(admit('us', newcomer({ direction }), null, counts, limits))).toBe(expected);
  });

  it('don’t hold for who is exempt', () => {
    for (const direction of ['inbound', 'outbound'] as const) {
      const full = { inbound: 50, outbound: 50 };
      expect(codeOf(admit('us', newcomer({ direction, exempt: true }), null, full, limits))).toBe('admit');
    }
  });

  it('also hold for one subnet, inbound only, whatever gives way', () => {
    const crowded = (direction: 'inbound' | 'outbound', subnetPeers: number) =>
      admit('us', newcomer({ direction, subnetPeers }), null, nobody, limits);
    expect(crowded('inbound', 9).kind).toBe('admit');
    expect(crowded('inbound', 10)).toMatchObject({ kind: 'refuse', code: ErrorCode.PeerLimitReached, full: false });
    expect(crowded('outbound', 10).kind).toBe('admit');
  });

  it('say whether an inbound peer that gives way would help', () => {
    const refused = (direction: 'inbound' | 'outbound', counts: { inbound: number; outbound: number }) =>
      admit('us', newcomer({ direction }), null, counts, limits);
    expect(refused('inbound', { inbound: 50, outbound: 0 })).toMatchObject({ full: true });
    expect(refused('inbound', { inbound: 10, outbound: 90 })).toMatchObject({ full: true });
    expect(refused('outbound', { inbound: 0, outbound: 50 })).toMatchObject({ full: false });
  });

  it('don’t hold for who takes the place of a connection that was counted, but for who replaces a mere dial', () => {
    const full = { inbound: 50, outbound: 50 };
    const counted: Rival = { direction: 'inbound', connected: true, connectedDuringDial: true, vouched: false };
    const replaced = admit('a', newcomer({ peerId: 'b', direction: 'outbound' }), counted, full, limits);
    expect(codeOf(replaced)).toBe('replace');
    const dialled: Rival = { direction: 'outbound', connected: false, connectedDuringDial: false, vouched: false };
    expect(codeOf(admit('b', newcomer({ peerId: 'a' }), dialled, full, limits))).toBe(ErrorCode.PeerLimitReached);
  });
});

describe('a second connection of a peer', () => {
  it('is a duplicate where the first was there before, whoever made them and whoever is smaller', () => {
    for (const direction of ['inbound', 'outbound'] as const) {
      for (const first of ['inbound', 'outbound'] as const) {
        for (const [own, peerId] of ['ab', 'ba']) {
          const rival: Rival = { direction: first, connected: true, connectedDuringDial: false, vouched: false };
          const admission = admit(own, newcomer({ peerId, direction, exempt: true }), rival, nobody, limits);
          expect(codeOf(admission)).toBe(ErrorCode.DuplicateConnection);
        }
      }
    }
  });

  it('that arrives while we dial wins if its initiator has the smaller ID, compared bytewise', () => {
    const dialled: Rival = { direction: 'outbound', connected: false, connectedDuringDial: false, vouched: false };
    const from = (peerId: string, own: string) => codeOf(admit(own, newcomer({ peerId }), dialled, nobody, limits));
    expect(from('a', 'b')).toBe('replace');
    expect(from('b', 'a')).toBe(ErrorCode.DuplicateConnection);
    // UTF-16 order would have it the other way round.
    expect(from('\uffee', '\u{1f600}')).toBe('replace');
    expect(from('a', 'aa')).toBe('replace');
  });
});

/**
 * Two nodes that dial each other at once, each of whose four steps (a handshake reaches the responder, its answer
 * reaches the initiator) may happen in any order that causality allows.
 */
function meet(order: readonly number[], knowIds: boolean): { kept: Record<'a' | 'b', string[]> } {
  type Side = 'a' | 'b';
  const other = { a: 'b', b: 'a' } as const;
  // Connections are named after their initiators. `true` is connected, `false` a dial under way.
  const views: Record<Side, Map<Side, boolean>> = { a: new Map([['a', false]]), b: new Map([['b', false]]) };
  const answers: Partial<Record<Side, boolean>> = {};
  const closings: (() => void)[] = [];
  const drop = (side: Side, connection: Side) => {
    views[side].delete(connection);
    closings.push(() => views[other[side]].delete(connection));
  };
  const arrive = (initiator: Side) => {
    const me = other[initiator];
    const mine = views[me].get(me);
    const hasRival = mine === true || (mine === false && knowIds);
    const rival: Rival | null = hasRival
      ? { direction: 'outbound', connected: mine === true, connectedDuringDial: false, vouched: false }
      : null;
    const admission = admit(me, newcomer({ peerId: initiator }), rival, nobody, limits);
    answers[initiator] = admission.kind !== 'refuse';
    if (admission.kind === 'replace') drop(me, me);
    if (admission.kind !== 'refuse') views[me].set(initiator, true);
  };
  const answer = (me: Side) => {
    // Our dial may have given way meanwhile.
    if (!views[me].has(me)) return;
    if (!answers[me]) {
      views[me].delete(me);
      return;
    }
    const rival: Rival | null = views[me].get(other[me])
      ? { direction: 'inbound', connected: true, connectedDuringDial: true, vouched: false }
      : null;
    const admission = admit(me, newcomer({ peerId: other[me], direction: 'outbound' }), rival, nobody, limits);
    if (admission.kind === 'refuse') {
      drop(me, me);
      return;
    }
    if (admission.kind === 'replace') drop(me, other[me]);
    views[me].set(me, true);
  };
  const steps = [() => arrive('a'), () => arrive('b'), () => answer('a'), () => answer('b')];
  for (const step of order) steps[step]();
  for (const close of closings) close();
  const kept = (side: Side) => [...views[side]].filter(([, connected]) => connected).map(([initiator]) => initiator);
  return { kept: { a: kept('a'), b: kept('b') } };
}

describe('a persistent peer that accepts our dial', () => {
  const dialled = newcomer({ direction: 'outbound', exempt: true, vouched: true });

  it.each(['inbound', 'outbound'] as const)('takes the place of an %s connection that borrowed its ID', (direction) => {
    const borrowed: Rival = { direction, connected: true, connectedDuringDial: false, vouched: false };
    expect(admit('us', dialled, borrowed, nobody, limits).kind).toBe('replace');
  });

  it('is a duplicate beside a connection of its own', () => {
    const own: Rival = { direction: 'inbound', connected: true, connectedDuringDial: false, vouched: true };
    expect(codeOf(admit('us', dialled, own, nobody, limits))).toBe(ErrorCode.DuplicateConnection);
  });
});

describe('two nodes that dial each other at once', () => {
  const orders = [
    [0, 1, 2, 3],
    [0, 1, 3, 2],
    [1, 0, 2, 3],
    [1, 0, 3, 2],
    [0, 2, 1, 3],
    [1, 3, 0, 2],
  ];

  it.each([true, false])('agree on one connection in every order of events (IDs known: %s)', (knowIds) => {
    for (const order of orders) {
      const { kept } = meet(order, knowIds);
      expect(kept.a, `order ${order}`).toHaveLength(1);
      expect(kept.a, `order ${order}`).toEqual(kept.b);
    }
  });

  it('keep that of the smaller ID whenever both handshakes cross', () => {
    for (const order of orders.slice(0, 4)) {
      for (const knowIds of [true, false]) {
        expect(meet(order, knowIds).kept, `order ${order}`).toEqual({ a: ['a'], b: ['a'] });
      }
    }
  });
});

describe('admission', () => {
  it('never refuses without a code, and never replaces what is not there', () => {
    const id = fc.constantFrom('a', 'b', 'c');
    const direction = fc.constantFrom('inbound' as const, 'outbound' as const);
    const flags = { connected: fc.boolean(), connectedDuringDial: fc.boolean(), vouched: fc.boolean() };
    const rival = fc.option(fc.record({ direction, ...flags }), { nil: null });
    const count = fc.integer({ min: 0, max: 101 });
    const counts = fc.record({ inbound: count, outbound: count });
    const who = fc.record({ peerId: id, direction, exempt: fc.boolean(), subnetPeers: count, vouched: fc.boolean() });
    fc.assert(
      fc.property(id, who, rival, counts, (own, peer, there, counted) => {
        const admission = admit(own, peer, there, counted, limits);
        if (admission.kind === 'replace') expect(there).not.toBeNull();
        if (admission.kind === 'admit') expect(there).toBeNull();
        if (admission.kind === 'refuse') expect(admission.reason).not.toBe('');
      }),
    );
  });
});
