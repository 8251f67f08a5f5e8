/**
 * One budget for everything whose size peers could influence: the arena itself, frames being assembled aside, send
 * queues, handler queues. Any thread reserves and releases; `used` never passes `budget` through `reserve`.
 */
import type { Arena } from './arena.js';
import { Header } from './arena-layout.js';

const KIB = 1024;

function toKib(bytes: number): number {
  return Math.ceil(bytes / KIB);
}

export class MemoryBudget implements Allowance {
  readonly #words: Int32Array;

  constructor(arena: Arena) {
    this.#words = arena.words;
  }

  /** Sets the limit and counts the arena against it. Main thread, once, before workers start. */
  open(budgetBytes: number, arena: Arena): void {
    this.resize(budgetBytes);
    this.#words[Header.BudgetUsedKib] = toKib(arena.buffer.byteLength);
  }

  /** Sets another limit. What is over it stays, and nothing more is given until there is less. Main thread. */
  resize(budgetBytes: number): void {
    Atomics.store(this.#words, Header.BudgetKib, Math.floor(budgetBytes / KIB));
  }

  /** Takes `bytes` (rounded up to whole KiB). False, and nothing taken, if that would pass the budget. */
  reserve(bytes: number): boolean {
    const kib = toKib(bytes);
    const before = Atomics.add(this.#words, Header.BudgetUsedKib, kib);
    if (before + kib <= this.#words[Header.BudgetKib]) return true;
    Atomics.sub(this.#words, Header.BudgetUsedKib, kib);
    return false;
  }

  /** Gives back what a `reserve` of the same `bytes` took. */
  release(bytes: number): void {
    Atomics.sub(this.#words, Header.BudgetUsedKib, toKib(bytes));
  }

  get usedBytes(): number {
    return Atomics.load(this.#words, Header.BudgetUsedKib) * KIB;
  }

  get budgetBytes(): number {
    return this.#words[Header.BudgetKib] * KIB;
  }
}

/** What takes memory from the budget. */
export interface Allowance {
  reserve(bytes: number): boolean;
  release(bytes: number): void;
}

/**
 * A part of the budget whose use also stands in a shared word, so that it can be given back when the thread that holds
 * it dies. One writing thread.
 */
export class TrackedAllowance implements Allowance {
  readonly #budget: MemoryBudget;
  readonly #words: Int32Array;
  readonly #index: number;

  constructor(budget: MemoryBudget, words: Int32Array, index: number) {
    this.#budget = budget;
    this.#words = words;
    this.#index = index;
  }

  reserve(bytes: number): boolean {
    if (!this.#budget.reserve(bytes)) return false;
    this.#words[this.#index] += toKib(bytes);
    return true;
  }

  release(bytes: number): void {
    this.#words[this.#index] -= toKib(bytes);
    this.#budget.release(bytes);
  }

  /** Gives back, after the thread that held it has died, all but `keptBytes` that another takes over. */
  forfeit(keptBytes = 0): void {
    const keptKib = toKib(keptBytes);
    this.#budget.release((this.#words[this.#index] - keptKib) * KIB);
    this.#words[this.#index] = keptKib;
  }
}
