/**
 * Which connected peer goes when there are too many: gives way to a newcomer, or goes because limits were lowered. Main
 * thread. The choice among inbound peers is a pure decision (`peers/eviction.ts`).
 */
import type { Limits } from '../peers/admission.js';
import { chooseEvictions } from '../peers/eviction.js';
import type { Connection } from './connection.js';
import type { ConnectionTable } from './connection-table.js';

export interface EvictionsParts {
  /** So that nobody can compute which netgroups are protected: random, 16 bytes. */
  readonly key: Uint8Array;
  readonly table: Pick<ConnectionTable, 'connected' | 'counts'>;
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
    return this.#giveWay(this.#counted('inbound'), 1)[0] ?? null;
  }

  /**
   * Peers that are too many under these limits, not more than `count`; only such as limits count, and no persistent ones.
   * Fewer than `count` once nobody is left who should go.
   */
  overLimit({ maxPeers, maxInbound, maxOutbound }: Omit<Limits, 'maxPerSubnet'>, count: number): Connection[] {
    const { inbound, outbound } = this.#parts.table.counts();
    const over = inbound + outbound - maxPeers;
    const isOver = over > 0 || inbound > maxInbound || outbound > maxOutbound;
    if (!isOver) return [];
    // Those that we chose ourselves are worth more than those that chose us.
    const strangers = this.#tooMany('inbound', Math.min(count, Math.max(inbound - maxInbound, over)));
    const chosen = Math.max(outbound - maxOutbound, over - strangers.length);
    return [...strangers, ...this.#tooMany('outbound', Math.min(count - strangers.length, chosen))];
  }

  #tooMany(direction: Connection['direction'], count: number): Connection[] {
    if (count <= 0) return [];
    const candidates = this.#counted(direction);
    const first = direction === 'inbound' ? this.#giveWay(candidates, count) : [];
    if (first.length === count) return first;
    const gone = new Set(first);
    const youngest = candidates
      .filter((connection) => !gone.has(connection))
      .sort((a, b) => b.connectedMs - a.connectedMs);
    return [...first, ...youngest.slice(0, count - first.length)];
  }

  #giveWay(inbound: readonly Connection[], count: number): Connection[] {
    const { score, lastMessageMs, key } = this.#parts;
    const candidates = inbound.map((connection) => ({
      connection,
      netGroup: connection.netGroup,
      connectedMs: connection.connectedMs,
      rttMs: connection.rttMs,
      lastMessageMs: lastMessageMs(connection),
      reputation: score(connection),
    }));
    return chooseEvictions(candidates, key, count).map(({ connection }) => connection);
  }

  #counted(wanted: Connection['direction']): Connection[] {
    return [...this.#parts.table.connected()].filter(
      ({ direction, exempt, persistent }) => direction === wanted && !exempt && !persistent,
    );
  }
}
