/**
 * Looks at every connection each sweep: what is due (timeouts) is asked of a pure function and carried out here, as are
 * pings and the shares of peers whose rates are limited. Main thread.
 */
import { type Clock, sinceSharedMs } from '../../shared/clock.js';
import { PING_NONCE_BYTES } from '../../shared/limits.js';
import type { Arena } from '../../shared/memory/arena.js';
import { Slot } from '../../shared/memory/arena-layout.js';
import { ControlType } from '../../shared/wire/message-type.js';
import type { Settings } from '../config/settings.js';
import { type Ages, due } from '../peers/timeouts.js';
import type { Statistics } from '../statistics.js';
import type { Cause, Connection } from './connection.js';
import type { ConnectionTable } from './connection-table.js';
import type { PeerRates } from './peer-rates.js';

/** How long frames that arrived before a close may take to be dispatched before the socket goes anyway. */
const DRAIN_MS = 5000;

export interface ConnectionSweepParts {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly randomBytes: (bytes: number) => Buffer;
  readonly arena: Arena;
  readonly table: ConnectionTable;
  readonly statistics: Statistics;
  readonly events: {
    /** A timeout ends the connection. */
    timedOut(connection: Connection, cause: Cause): void;
    /** The peer has sent far more messages than it may. */
    grossExcess(connection: Connection): void;
  };
  sendControl(connection: Connection, type: string, payload: Uint8Array): boolean;
}

/** What a sweep asks of those who keep connections. */
export interface SweptConnections {
  /** The node stops, and has no time for slow peers. */
  isStopping(): boolean;
  /** Whether the operator has named a peer: persistent, or unconditional, which is believed of whoever shows the ID. */
  mayIdle(connection: Connection): boolean;
  /** Ends a connection in whatever state it is, in good order. */
  end(connection: Connection, cause: Cause): void;
}

export class ConnectionSweep {
  readonly #parts: ConnectionSweepParts;
  readonly #connections: SweptConnections;

  constructor(parts: ConnectionSweepParts, connections: SweptConnections) {
    this.#parts = parts;
    this.#connections = connections;
  }

  run(): void {
    const { clock, table, settings } = this.#parts;
    const nowMs = clock.nowMs();
    for (const connection of [...table.all]) {
      // Destroyed a moment ago, maybe by a ban that came of what this sweep has found.
      if (!connection.isOpen) continue;
      if (connection.rates !== null) this.#giveShare(connection, connection.rates, nowMs);
      const step = due(this.#ages(connection, nowMs), settings);
      if (step.kind === 'close') this.#timedOut(connection, step);
      else if (step.kind === 'destroy') connection.destroy();
      else if (step.kind === 'ping') this.#ping(connection, nowMs);
    }
  }

  /** A pong: if it answers our last ping, it tells the round-trip time. */
  pong(connection: Connection, payload: Buffer): void {
    const { clock, statistics } = this.#parts;
    const { ping } = connection;
    if (ping === null || !payload.equals(ping.nonce)) return;
    connection.rttMs = clock.nowMs() - ping.sentMs;
    statistics.time('roundTrip', connection.rttMs);
    connection.ping = null;
  }

  /** A peer that was held back goes on once it has its share again. */
  #giveShare(connection: Connection, rates: PeerRates, nowMs: number): void {
    rates.received(0, this.#parts.statistics.framesFrom(connection), nowMs);
    if (rates.mayRead(nowMs)) connection.unthrottle();
    else connection.throttle();
    connection.writer.hold(!rates.mayWrite(nowMs));
    if (rates.takeGrossExcess(nowMs)) this.#parts.events.grossExcess(connection);
  }

  #ages(connection: Connection, nowMs: number): Ages {
    const { words, layout } = this.#parts.arena;
    const { seat } = connection;
    const partial = seat === null ? 0 : Atomics.load(words, layout.slot(seat.slot) + Slot.PartialSinceMs);
    const finSentMs = connection.finSentMs;
    return {
      state: connection.state,
      startedMs: nowMs - connection.startedMs,
      handshakingMs: nowMs - connection.handshakingMs,
      lastReadMs: nowMs - connection.lastReadMs,
      lastSentMs: nowMs - connection.lastSentMs,
      lastMessageMs:
        nowMs -
        Math.max(
          connection.lastMessageSentMs,
          connection.connectedMs,
          this.#parts.table.lastMessageMs(connection, nowMs),
        ),
      writeStalledMs: connection.writer.stalledMs(nowMs),
      partialMs: partial === 0 ? null : sinceSharedMs(nowMs, partial),
      paused: connection.paused || connection.throttled,
      mayIdle: this.#connections.mayIdle(connection),
      goodbyeMs: connection.goodbyeMs === 0 ? null : nowMs - connection.goodbyeMs,
      leavingMs: finSentMs > 0 ? nowMs - finSentMs : this.#overdueMs(connection, nowMs),
      hurried: this.#connections.isStopping(),
    };
  }

  /**
   * How long ago our side of a leaving connection should have been closed. A node that stops has a deadline for that
   * itself: until then only those hold it up who don't read what is still there for them.
   */
  #overdueMs({ leavingMs, writer }: Connection, nowMs: number): number {
    if (!this.#connections.isStopping()) return nowMs - leavingMs - DRAIN_MS;
    return writer.stalledMs(nowMs) >= this.#parts.settings.writeTimeoutMs ? Number.POSITIVE_INFINITY : 0;
  }

  #timedOut(connection: Connection, { code, reason }: Cause): void {
    const cause = { code, reason };
    connection.cause ??= cause;
    this.#parts.events.timedOut(connection, cause);
    // A ban that comes of it has cut the connection off.
    if (connection.isOpen) this.#connections.end(connection, cause);
  }

  #ping(connection: Connection, nowMs: number): void {
    const { randomBytes, sendControl } = this.#parts;
    const nonce = randomBytes(PING_NONCE_BYTES);
    if (sendControl(connection, ControlType.ping, nonce)) connection.ping = { nonce, sentMs: nowMs };
    connection.lastSentMs = nowMs;
  }
}
