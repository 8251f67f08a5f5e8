import { describe, expect, it } from 'vitest';
import { GRACE_LOOKS, Ledger, PATIENCE_LOOKS } from '../../../bench/soak/ledger.js';
import { readStamp, stampedPayload } from '../../../bench/soak/stamp.js';

function ledgerWith(messages: number) {
  const ledger = new Ledger(1);
  const [first, second] = [ledger.resident(), ledger.resident()];
  const origin = ledger.openOrigin();
  const numbers = Array.from({ length: messages }, () => ledger.send(origin));
  return { ledger, first, second, origin, numbers };
}

function lookTimes(ledger: Ledger, times: number): void {
  for (let i = 0; i < times; i++) ledger.look();
}

describe('a ledger', () => {
  it('finds nothing wrong where every resident gets everything once and in order', () => {
    const { ledger, first, second, origin, numbers } = ledgerWith(3);
    for (const resident of [first, second]) for (const number of numbers) ledger.arrived(resident, origin, number);
    ledger.close(origin, 3);
    expect(ledger.incomplete).toBe(0);
    lookTimes(ledger, GRACE_LOOKS);
    expect(ledger.open).toBe(0);
    expect(ledger.tally).toEqual({ sent: 3, delivered: 6, lost: 0, doubled: 0, strange: 0 });
  });

  it.each([
    ['a gap', [0, 2], { lost: 1, doubled: 0 }],
    ['an end that is missing', [0, 1], { lost: 1, doubled: 0 }],
    ['a beginning that is missing', [1, 2], { lost: 1, doubled: 0 }],
    ['a message that comes again', [0, 1, 1, 2], { lost: 0, doubled: 1 }],
    ['messages out of order', [0, 2, 1], { lost: 1, doubled: 1 }],
    ['nothing', [], { lost: 3, doubled: 0 }],
  ])('finds %s', (_, got, wrong) => {
    const { ledger, first, second, origin, numbers } = ledgerWith(3);
    for (const number of numbers) ledger.arrived(first, origin, number);
    for (const number of got) ledger.arrived(second, origin, number);
    ledger.close(origin, 3);
    lookTimes(ledger, PATIENCE_LOOKS);
    expect(ledger.open).toBe(0);
    expect(ledger.tally).toMatchObject(wrong);
  });

  it('asks of a connection that was cut only what had surely arrived, and that all got the same', () => {
    const { ledger, first, second, origin, numbers } = ledgerWith(3);
    for (const number of numbers.slice(0, 2)) ledger.arrived(first, origin, number);
    for (const number of numbers.slice(0, 1)) ledger.arrived(second, origin, number);
    ledger.close(origin, 1);
    expect(ledger.incomplete).toBe(0);
    ledger.settleAll();
    expect(ledger.tally).toMatchObject({ lost: 1 });
  });

  it('lets a visitor begin anywhere, and miss nothing from there', () => {
    const { ledger, origin } = ledgerWith(9);
    const visitor = ledger.visitor();
    for (const number of [4, 5, 7]) ledger.arrived(visitor, origin, number);
    expect(ledger.tally).toMatchObject({ delivered: 3, lost: 1 });
  });

  it('expects nobody to get what it sent itself', () => {
    const { ledger, first, second, origin, numbers } = ledgerWith(2);
    ledger.exempt(second, origin);
    for (const number of numbers) ledger.arrived(first, origin, number);
    ledger.close(origin, 2);
    ledger.settleAll();
    expect(ledger.tally).toMatchObject({ lost: 0, doubled: 0 });
  });

  it('counts what comes from nobody', () => {
    const { ledger, first } = ledgerWith(1);
    ledger.arrived(first, 99, 0);
    expect(ledger.tally).toMatchObject({ strange: 1 });
  });
});

describe('a stamp', () => {
  it.each(['tx', 'vote', 'block', 'echo'] as const)('comes back from a %s, and no byte may differ', (type) => {
    const payload = stampedPayload(type, { origin: 77, number: 123_456 });
    expect(readStamp(type, payload)).toEqual({ origin: 77, number: 123_456 });
    expect(readStamp(type, payload.subarray(1))).toBeNull();
    payload[payload.length - 1]! ^= 1;
    expect(readStamp(type, payload)).toBeNull();
  });
});
