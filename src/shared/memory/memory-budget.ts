/**
 * One budget for everything whose size peers could influence: the arena itself, frames being assembled aside, send
 * queues, handler queues. Any thread reserves and releases; `used` never passes `budget` through `reserve`.
 *
 * What is laid out at the start stays; the rest moves. Who may still take of what moves when little is left goes by how
 * much a refusal costs: peers that do not keep up are passed over, inbound frames and queued messages wait
 * (back-pressure), then broadcasts are left out, then direct messages are refused, and what is left belongs to control
 * messages.
 */
import type { Arena } from './arena.js';
import { Header, Worker } from './arena-layout.js';

const KIB = 1024;

function toKib(bytes: number): number {
  return Math.ceil(bytes / KIB);
}

/** What memory is asked for, the first to be refused first. */
export const Claim = {
  /** What is kept for later, and nobody needs now. */
  Spare: 0,
  /** Copies of broadcasts for peers that do not keep up: these are passed over, and nobody else waits for their sake. */
  Backlog: 1,
  /** Frames assembled aside and copies for queued handlers: refused, their connection waits. */
  Inbound: 2,
  /** Broadcasts and what is passed on: others have it, too. */
  Broadcast: 3,
  /** Sends and replies to one peer. */
  Direct: 4,
  /** The protocol's own: ping, pong, disconnect, peer exchange. */
  Control: 5,
} as const;
export type Claim = (typeof Claim)[keyof typeof Claim];

/**
 * What is asked for a peer that does not keep up: less is left to it than to those that do, and nobody else waits. Control
 * messages are no exception: answers to a flood of pings, which nobody reads, would take the last of what others need.
 */
export function claimOfBacklog(claim: Claim): Claim {
  if (claim === Claim.Broadcast) return Claim.Backlog;
  return claim > Claim.Broadcast ? Claim.Broadcast : claim;
}

/** What of the part that moves each claim must leave to those after it: 1 / 2^shift of it. */
const LEFT_SHIFTS = [1, 2, 3, 4, 5, 31] as const;

/** The budget's use by what it is for, in bytes; the sum is what is used. */
export interface MemoryParts {
  /** Receive and outbound rings, and what lies beside them in the arena. Laid out at the start. */
  readonly rings: number;
  /** Frames too large for a ring. */
  readonly partialFrames: number;
  /** What waits to be sent. */
  readonly sendQueues: number;
  /** Messages that wait or run in queued handlers. */
  readonly handlerQueues: number;
  /** Hashes of messages seen. Laid out at the start. */
  readonly caches: number;
}

export class MemoryBudget implements Allowance {
  readonly #arena: Arena;
  readonly #words: Int32Array;

  constructor(arena: Arena) {
    this.#arena = arena;
    this.#words = arena.words;
  }

  /** Sets the limit and counts the arena against it. Main thread, once, before workers start. */
  open(budgetBytes: number, arena: Arena): void {
    this.resize(budgetBytes);
    this.#words[Header.BudgetUsedKib] = toKib(arena.buffer.byteLength);
  }

  /** Sets another limit. What is over it stays, and nothing more is given until there is less. Main thread. */
  resize(budgetBytes: number): void {
    const budgetKib = Math.floor(budgetBytes / KIB);
    const movingKib = Math.max(0, budgetKib - toKib(this.#arena.buffer.byteLength));
    for (const [claim, shift] of LEFT_SHIFTS.entries()) {
      Atomics.store(this.#words, Header.BudgetLimitsKib + claim, budgetKib - (movingKib >> shift));
    }
  }

  /**
   * Takes `bytes` (rounded up to whole KiB). False, and nothing taken, if that would pass what the claim may have of the
   * budget.
   */
  reserve(bytes: number, claim: Claim = Claim.Control): boolean {
    return this.reserveKib(toKib(bytes), claim);
  }

  /** The same in KiB. */
  reserveKib(kib: number, claim: Claim): boolean {
    const before = Atomics.add(this.#words, Header.BudgetUsedKib, kib);
    if (before + kib <= this.#words[Header.BudgetLimitsKib + claim]) return true;
    Atomics.sub(this.#words, Header.BudgetUsedKib, kib);
    return false;
  }

  /** Gives back what a `reserve` of the same `bytes` took. */
  release(bytes: number): void {
    Atomics.sub(this.#words, Header.BudgetUsedKib, toKib(bytes));
  }

  /** Whether such a claim could be given anything at all. Plain loads, since this is asked for each reply. */
  hasRoom(claim: Claim): boolean {
    return this.#words[Header.BudgetUsedKib] < this.#words[Header.BudgetLimitsKib + claim];
  }

  get usedBytes(): number {
    return Atomics.load(this.#words, Header.BudgetUsedKib) * KIB;
  }

  get budgetBytes(): number {
    return this.#words[Header.BudgetLimitsKib + Claim.Control] * KIB;
  }

  /** What is not laid out at the start. */
  get movingBytes(): number {
    return Math.max(0, this.budgetBytes - this.#arena.buffer.byteLength);
  }

  /** What the budget is in use for. */
  parts(): MemoryParts {
    const words = this.#words;
    const { layout, buffer } = this.#arena;
    let asideKib = 0;
    let queuedKib = 0;
    for (let worker = 0; worker < layout.geometry.workers; worker++) {
      asideKib += Atomics.load(words, layout.worker(worker) + Worker.AsideKib);
      queuedKib += Atomics.load(words, layout.worker(worker) + Worker.QueuedKib);
    }
    return {
      rings: buffer.byteLength - layout.seenBytes,
      partialFrames: asideKib * KIB,
      sendQueues: Atomics.load(words, Header.SendQueuesKib) * KIB,
      handlerQueues: queuedKib * KIB,
      caches: layout.seenBytes,
    };
  }
}

/** What takes memory from the budget. */
export interface Allowance {
  reserve(bytes: number, claim?: Claim): boolean;
  release(bytes: number): void;
}

/**
 * A part of the budget whose use also stands in a shared word, so that it can be told by itself, and given back when the
 * thread that holds it dies. One writing thread.
 */
export class TrackedAllowance implements Allowance {
  readonly #budget: MemoryBudget;
  readonly #words: Int32Array;
  readonly #index: number;
  readonly #claim: Claim;

  /** `claim` is what is asked for where a call does not say. */
  constructor(budget: MemoryBudget, words: Int32Array, index: number, claim: Claim = Claim.Control) {
    this.#budget = budget;
    this.#words = words;
    this.#index = index;
    this.#claim = claim;
  }

  reserve(bytes: number, claim: Claim = this.#claim): boolean {
    const kib = toKib(bytes);
    // No call between the two: a thread that is ended there would leave what nobody gives back.
    if (!this.#budget.reserveKib(kib, claim)) return false;
    this.#words[this.#index] += kib;
    return true;
  }

  release(bytes: number): void {
    const kib = toKib(bytes);
    this.#words[this.#index] -= kib;
    Atomics.sub(this.#words, Header.BudgetUsedKib, kib);
  }

  /** Gives back, after the thread that held it has died, all but `keptBytes` that another takes over. */
  forfeit(keptBytes = 0): void {
    const keptKib = toKib(keptBytes);
    this.#budget.release((this.#words[this.#index] - keptKib) * KIB);
    this.#words[this.#index] = keptKib;
  }
}
