import { describe, expect, it } from 'vitest';
import type { ConnectionState } from '../../../src/main/api.js';
import { type ConnectionEvent, nextState } from '../../../src/main/net/connection-state.js';

const states: ConnectionState[] = ['Connecting', 'Handshaking', 'Connected', 'Disconnecting', 'Disconnected'];
const events: ConnectionEvent[] = ['opened', 'accepted', 'refused', 'leaving', 'closed'];

/** Every legal way between the states of specification 3.2. */
const legal: [ConnectionState, ConnectionEvent, ConnectionState][] = [
  ['Connecting', 'opened', 'Handshaking'],
  ['Connecting', 'closed', 'Disconnected'],
  ['Handshaking', 'accepted', 'Connected'],
  ['Handshaking', 'refused', 'Disconnecting'],
  ['Handshaking', 'closed', 'Disconnected'],
  ['Connected', 'leaving', 'Disconnecting'],
  ['Connected', 'closed', 'Disconnected'],
  ['Disconnecting', 'closed', 'Disconnected'],
];

const illegal = states.flatMap((state) =>
  events
    .filter((event) => !legal.some(([from, by]) => from === state && by === event))
    .map((event) => [state, event] as const),
);

describe('a connection', () => {
  it.each(legal)('in %s goes by %s to %s', (state, event, next) => {
    expect(nextState(state, event as never)).toBe(next);
  });

  it.each(illegal)('in %s knows no %s', (state, event) => {
    expect(() => nextState(state, event as never)).toThrow(`connection state ${state} has no event '${event}'`);
  });

  it('knows nothing that every object has', () => {
    expect(() => nextState('Connected', 'toString' as never)).toThrow();
  });

  it('comes from every state to Disconnected, and stays there', () => {
    for (const state of states.slice(0, -1)) expect(nextState(state, 'closed' as never)).toBe('Disconnected');
    expect(legal.filter(([from]) => from === 'Disconnected')).toEqual([]);
  });
});
