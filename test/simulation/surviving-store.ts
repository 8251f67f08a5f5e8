/** What a simulated node's disk holds: as with the real store, a crash loses at most the last second. */
import type { PeerStore } from '../../src/main/peer-memory.js';
import type { Table } from '../../src/main/store/environment.js';

const COMMIT_EVERY_MS = 1000;

export class SurvivingStore implements PeerStore {
  readonly fault = null;
  readonly #nowMs: () => number;
  readonly #disk: Record<Table, Map<string, unknown>>;
  /** Changes of the last second, in order. */
  #pending: (() => void)[] = [];
  #pendingSinceMs = 0;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
    const table = () => new Map<string, unknown>();
    this.#disk = { meta: table(), addresses: table(), bans: table(), offences: table(), reputation: table() };
  }

  contents() {
    return this.#disk;
  }

  put(table: Table, key: string, value: unknown): void {
    this.#change(() => this.#disk[table].set(key, value));
  }

  remove(table: Table, key: string): void {
    this.#change(() => this.#disk[table].delete(key));
  }

  async close(): Promise<void> {
    this.#commit();
  }

  /** The process is killed: what it had not committed is gone. */
  crash(): void {
    this.#commitDue();
    this.#pending = [];
  }

  #change(change: () => void): void {
    this.#commitDue();
    if (this.#pending.length === 0) this.#pendingSinceMs = this.#nowMs();
    this.#pending.push(change);
  }

  #commitDue(): void {
    if (this.#nowMs() - this.#pendingSinceMs >= COMMIT_EVERY_MS) this.#commit();
  }

  #commit(): void {
    for (const change of this.#pending) change();
    this.#pending = [];
  }
}
