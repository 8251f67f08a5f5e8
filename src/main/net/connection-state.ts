/**
 * The states of a connection (specification 3.2) and the only ways between them. Main thread; pure. An event that a
 * state does not know does not compile, and throws where types can't see it.
 */
import type { ConnectionState } from '../api.js';

const transitions = {
  Connecting: { opened: 'Handshaking', closed: 'Disconnected' },
  Handshaking: { accepted: 'Connected', refused: 'Disconnecting', closed: 'Disconnected' },
  Connected: { leaving: 'Disconnecting', closed: 'Disconnected' },
  Disconnecting: { closed: 'Disconnected' },
  Disconnected: {},
} as const satisfies Record<ConnectionState, Partial<Record<string, ConnectionState>>>;

type Transitions = typeof transitions;

/** Events that a connection in state `S` may have. */
export type EventOf<S extends ConnectionState> = keyof Transitions[S];
export type ConnectionEvent = { [S in ConnectionState]: EventOf<S> }[ConnectionState];

/** The state after `event`. @throws Error if the state has no such event */
export function nextState<S extends ConnectionState>(state: S, event: EventOf<S> & string): ConnectionState {
  const known: Partial<Record<string, ConnectionState>> = transitions[state];
  if (!Object.hasOwn(known, event)) throw new Error(`connection state ${state} has no event '${event}'`);
  return known[event]!;
}
