/**
 * Which connected peer goes when there are too many: gives way to a newcomer, or goes because limits were lowered. Main
 * thread. The choice among inbound peers is a pure decision (`peers/eviction.ts`).
 */
import type { Limits } from '../peers/admission.js';
import { chooseEviction } from '../peers/eviction.js';
import type { Connection } from './connection.js';
import type { ConnectionTable } from './connection-table.js';

export interface EvictionsParts {
  /** So that nobody can compute which netgroups are protected: random, 16 bytes. */
  readonly key: Uint8Array;
  readonly table: ConnectionTable;
  score(connection: Connection): number;
  /** When a peer last sent something other than ping and pong; 0 if it never has. */
  lastMessageMs(connection: Connection): number;
}

export class Evictions {
  readonly #parts: EvictionsParts;

  constructor(parts: EvictionsParts) {
    this.#parts = parts;
  }

  /** The inbound peer that gives way to a newcomer; null if everybody deserves to stay. */
  forNewcomer(): Connection | null {
    const { score, lastMessageMs } = this.#parts;
    const candidates = this.#counted('inbound').map((connection) => ({
      connection,
      netGroup: connection.netGroup,
      connectedMs: connection.connectedMs,
      rttMs: connection.rttMs,
      lastMessageMs: lastMessageMs(connection),
      reputation: score(connection),
    }));
    return chooseEviction(candidates, this.#parts.key)?.connection ?? null;
  }

  /** A peer that is too many under these limits; null if nobody is, or only such as limits don't count. */
  overLimit({ maxPeers, maxInbound, maxOutbound }: Omit<Limits, 'maxPerSubnet'>): Connection | null {
    const { inbound, outbound } = this.#parts.table.counts();
    const isOver = inbound + outbound > maxPeers;
    // Those that we chose ourselves are worth more than those that chose us.
    if (inbound > maxInbound || (isOver && inbound > 0)) return this.forNewcomer() ?? this.#youngest('inbound');
    return outbound > maxOutbound || isOver ? this.#youngest('outbound') : null;
  }

  #counted(wanted: Connection['direction']): Connection[] {
    return [...this.#parts.table.connected()].filter(
      ({ direction, exempt, persistent }) => direction === wanted && !exempt && !persistent,
    );
  }

  #youngest(direction: Connection['direction']): Connection | null {
    return this.#counted(direction).sort((a, b) => b.connectedMs - a.connectedMs)[0] ?? null;
  }
}
