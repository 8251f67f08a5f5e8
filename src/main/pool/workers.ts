/**
 * The workers as the rest of the main thread sees them. `WorkerGroup` runs them as threads; the simulation runs their
 * pipelines on its only thread.
 */
import type { Policy, RelayedType } from '../../shared/policy.js';
import type { Connection } from '../net/connection.js';

/** The message that a worker is at. */
export interface InHand {
  /** Null if the application has not declared it: others are a peer's words. */
  readonly type: string | null;
  /** That it came from; null if that has left its slot. */
  readonly connection: Connection | null;
}

export interface Workers {
  /** The policy table that the workers agreed on. */
  readonly policies: Readonly<Record<string, Policy>>;
  readonly size: number;
  readonly liveCount: number;
  /** Starts all workers. @throws NodeError if one can't start, such as ERR_PAW_HANDLER_MODULE */
  start(): Promise<void>;
  /** Lets every worker finish its turn and end; once `leftMs`, which is asked again and again, is 0 they are ended. */
  stop(leftMs: () => number): Promise<void>;
  /** The worker for a new connection. */
  pin(): number;
  unpin(worker: number): void;
  /**
   * A connection's ring has something new for its worker, which gets to know with the next `wake`; at once if that ring is
   * filling up.
   */
  ready(slot: number, worker: number, nowUs: number, isFilling: boolean): void;
  /** The end of a turn of the event loop: whoever has something new is woken, once for all of it. */
  wake(): void;
  /** From now on ends workers that hang for `limitMs`, null for never. */
  watch(limitMs: number | null): void;
  /** Whether the main thread wants messages of a type. In force for all bytes that are read from now on. */
  subscribe(type: string, wanted: boolean): void;
  /** The types that are passed on whatever their declarations say. In force for all bytes that are read from now on. */
  relay(relay: readonly RelayedType[]): void;
  /** Memory is short: workers give back what they keep for later. */
  spareMemory(): void;
  /** Connections that are pinned to a worker. */
  connections(worker: number): number;
  restarts(worker: number): number;
  isLive(worker: number): boolean;
  /** Since a worker last showed that it gets on: it does with each look at the clock. */
  silentMs(worker: number, nowMs: number): number;
  /** The message that a worker is at; null for none. Of one that gets on, what is told may be of two messages. */
  inHand(worker: number): InHand | null;
  /** Messages that wait or run in handler queues of one worker. */
  queuedBy(worker: number): number;
  /** The same of all workers. */
  queuedMessages(): number;
}
