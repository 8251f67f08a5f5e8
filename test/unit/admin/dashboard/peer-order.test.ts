import { describe, expect, test } from 'vitest';
import {
  filtered,
  heldOrder,
  hostOf,
  type PeerRow,
  type SortKey,
  sorted,
} from '../../../../src/main/admin/dashboard/peer-order.js';
import { peer } from '../fake-node.js';

function row(id: string, more: Partial<PeerRow> = {}): PeerRow {
  return { ...peer, id, bytesIn: 0, bytesOut: 0, messagesIn: 0, messagesOut: 0, ageSeconds: 0, ...more };
}

const idsBy = (rows: PeerRow[], key: SortKey, descending = false) =>
  sorted(rows, { key, descending }).map(({ id }) => id);

describe('peers in order', () => {
  test('are sorted by figure or text, numbers within a text by their value, equals by ID', () => {
    const rows = [
      row('c', { address: '10.0.0.10:1', rttMs: 2 }),
      row('b', { address: '10.0.0.9:1', rttMs: 10 }),
      row('a', { address: '10.0.0.10:1', rttMs: 2 }),
    ];
    expect(idsBy(rows, 'id')).toEqual(['a', 'b', 'c']);
    expect(idsBy(rows, 'id', true)).toEqual(['c', 'b', 'a']);
    expect(idsBy(rows, 'address')).toEqual(['b', 'a', 'c']);
    expect(idsBy(rows, 'rtt')).toEqual(['a', 'c', 'b']);
    expect(idsBy(rows, 'rtt', true)).toEqual(['b', 'a', 'c']);
  });

  test('have what is not known at the end, either way', () => {
    const rows = [row('a', { rttMs: null }), row('b', { rttMs: 5 }), row('c', { rttMs: 1 })];
    expect(idsBy(rows, 'rtt')).toEqual(['c', 'b', 'a']);
    expect(idsBy(rows, 'rtt', true)).toEqual(['b', 'c', 'a']);
  });

  test('keep the order in which they stand while it is held; newcomers go to the end', () => {
    const rows = [row('new'), row('a'), row('b'), row('c')];
    expect(heldOrder(rows, ['c', 'gone', 'a', 'b']).map(({ id }) => id)).toEqual(['c', 'a', 'b', 'new']);
  });
});

describe('peers that are filtered', () => {
  const rows = [
    row('Alpha', { direction: 'inbound', address: '10.0.0.1:1' }),
    row('beta', { direction: 'outbound', address: '10.0.0.2:1', state: 'Disconnecting' }),
  ];
  const ids = (text: string, direction: 'any' | 'inbound' | 'outbound' = 'any') =>
    filtered(rows, { text, direction }).map(({ id }) => id);

  test.each([
    ['', ['Alpha', 'beta']],
    ['ALPHA', ['Alpha']],
    ['10.0.0', ['Alpha', 'beta']],
    ['  10.0.0 disconnecting ', ['beta']],
    ['(', []],
  ])('by %j are %j', (text, expected) => {
    expect(ids(text)).toEqual(expected);
  });

  test('by direction are those of that direction', () => {
    expect([ids('', 'inbound'), ids('alpha', 'outbound')]).toEqual([['Alpha'], []]);
  });
});

test.each([
  ['10.0.0.1:26656', '10.0.0.1'],
  ['[2001:db8::1]:26656', '2001:db8::1'],
  ['[fe80::1%eth0]:1', 'fe80::1%eth0'],
])('the host of %s is %s', (address, host) => {
  expect(hostOf(address)).toBe(host);
});
