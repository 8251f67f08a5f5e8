/**
 * Ends a shortage of memory that does not end by itself. Main thread, by the sweep. While the budget is short, what is kept
 * for later goes back. Once peers have waited too long for memory, or messages have been left out for want of it all that
 * time, the largest holder is disconnected with ResourceExhausted, one after the other until nobody starves; those that are
 * being left anyway first. Also lets go of closed connections whose last frames find no memory.
 */
import { type Clock, sinceSharedMs } from '../../shared/clock.js';
import { ErrorCode } from '../../shared/errors.js';
import type { Arena } from '../../shared/memory/arena.js';
import { QUEUED_UNIT_BYTES, Slot, SlotState } from '../../shared/memory/arena-layout.js';
import { Claim, type MemoryBudget } from '../../shared/memory/memory-budget.js';
import { largestHolders } from '../peers/largest-holder.js';
import type { Cause, Connection } from './connection.js';
import type { ConnectionTable } from './connection-table.js';

/** How long somebody starves before somebody else has to go: handlers and readers that are only slow come round by then. */
export const PATIENCE_MS = 2000;
/** Then it is looked again: partial frames and send queues have come back by then. */
const RELIEF_EVERY_MS = 250;
/** What those that go at once hold together, of the part that moves: one large holder, or several small ones. */
const RELIEF_SHARE = 1 / 8;
/**
 * A host that holds less of it is not worth its peers: a pong on its way, a message or two. It takes more than 200 hosts
 * below it to be short of memory.
 */
const LEAST_SHARE = 1 / 256;
/**
 * What a queued message may take of its payload: there is a head to each, and an end to each segment that is not filled. Small
 * ones take more, but of these a queue holds little. Too much is no harm: where most have left it is about those who are there.
 */
const QUEUED_SIZE = 2;
/** What is kept for later is asked back so often while memory is short. */
const SPARE_EVERY_MS = 250;
/** Messages that are left out so far apart are no shortage that lasts. */
const SHED_GAP_MS = 1000;
/** A connection that has been closing for so long, and whose last frames have found no memory all that time, goes without them. */
const LAST_FRAMES_MS = 5000;
/** A worker that has not looked at its connections for so long can't say whether they still find no memory. */
const LOOKED_MS = 500;
/** With more than this in its send queue nobody reads a farewell behind it. */
const READING_BYTES = 256 * 1024;

const cause: Cause = { code: ErrorCode.ResourceExhausted, reason: 'holds most of the memory while others wait for it' };

export interface MemoryReliefParts {
  readonly arena: Arena;
  readonly budget: MemoryBudget;
  readonly table: ConnectionTable;
  readonly clock: Clock;
  /** Messages not sent for want of memory so far. */
  shed(): number;
  /** What is kept for later goes back. */
  spare(): void;
  /** Since a worker last looked at a clock. */
  silentMs(worker: number, nowMs: number): number;
  /** The node drains. */
  isStopping(): boolean;
  /** Tells a peer why, and lets go of it with all that it sent. */
  cutOff(connection: Connection, cause: Cause): void;
  /** A connection is let go without frames that had arrived whole. */
  lastFramesLost(connection: Connection): void;
  /** The state of a slot has changed: its worker looks at it. */
  wake(connection: Connection): void;
}

export class MemoryRelief {
  readonly #parts: MemoryReliefParts;
  #sparedMs = Number.NEGATIVE_INFINITY;
  #relievedMs = Number.NEGATIVE_INFINITY;
  #shed = 0;
  /** When messages were first and last left out, of a time in which they were all along. */
  #shedSinceMs = 0;
  #shedLastMs = Number.NEGATIVE_INFINITY;
  #starvedMs = 0;

  constructor(parts: MemoryReliefParts) {
    this.#parts = parts;
  }

  /** For how long somebody has been waiting for memory, or messages have been left out; 0 for nobody. */
  get starvedMs(): number {
    return this.#starvedMs;
  }

  /** Looks whether somebody starves, and does what is due. */
  sweep(): void {
    const { budget, clock } = this.#parts;
    const nowMs = clock.nowMs();
    const hasRoom = budget.hasRoom(Claim.Inbound);
    const messagesMs = this.#messagesStarvedMs(nowMs);
    // Messages that were left out until those went who held the memory are nobody's fault who is still there.
    this.#starvedMs = Math.max(this.#peersStarvedMs(nowMs), hasRoom ? 0 : messagesMs);
    if (hasRoom && this.#starvedMs === 0) return;
    if (nowMs - this.#sparedMs >= SPARE_EVERY_MS) {
      this.#sparedMs = nowMs;
      this.#parts.spare();
    }
    if (this.#starvedMs < PATIENCE_MS || nowMs - this.#relievedMs < RELIEF_EVERY_MS) return;
    // Who drains has a deadline of its own, and has promised to send what waits.
    if (this.#parts.isStopping()) return;
    this.#relievedMs = nowMs;
    const wantedBytes = budget.movingBytes * RELIEF_SHARE;
    this.#cutOffConnected(wantedBytes - this.#destroyLeaving(wantedBytes));
  }

  /**
   * Those that are being left go first: nothing more comes of them, and no timeout looks at whether they read. What they have
   * sent is dispatched all the same. @returns what they held together
   */
  #destroyLeaving(wantedBytes: number): number {
    const leaving = [...this.#parts.table.all].filter(({ state }) => state === 'Disconnecting');
    const holders = leaving.map((connection) => this.#holder(connection, connection.writer.heldBytes));
    const chosen = largestHolders(holders, { wantedBytes, leastBytes: this.#leastBytes, returningBytes: 0 });
    for (const { connection } of chosen) {
      connection.cause ??= cause;
      connection.destroy();
    }
    return chosen.reduce((bytes, { heldBytes }) => bytes + heldBytes, 0);
  }

  #cutOffConnected(wantedBytes: number): void {
    const connected = [...this.#parts.table.connected()];
    const holders = connected.map((connection) => {
      const { partialBytes, queuedBytes } = this.#inbound(connection);
      return this.#holder(connection, partialBytes + queuedBytes + connection.writer.heldBytes);
    });
    const shortage = { wantedBytes, leastBytes: this.#leastBytes, returningBytes: this.#returningBytes(connected) };
    for (const { connection } of largestHolders(holders, shortage)) {
      const isReading = connection.writer.queuedBytes <= READING_BYTES;
      this.#parts.cutOff(connection, cause);
      if (!isReading) connection.destroy();
    }
  }

  #holder(connection: Connection, heldBytes: number) {
    return { connection, hostKey: connection.hostKey, heldBytes, named: connection.persistent };
  }

  get #leastBytes(): number {
    return this.#parts.budget.movingBytes * LEAST_SHARE;
  }

  /** What a peer has sent that takes memory beside its ring: its partial frame, its messages in handler queues. */
  #inbound({ seat }: Connection): { partialBytes: number; queuedBytes: number } {
    if (seat === null) return { partialBytes: 0, queuedBytes: 0 };
    const { words, layout } = this.#parts.arena;
    const control = layout.slot(seat.slot);
    return {
      partialBytes: Atomics.load(words, control + Slot.AsideBytes),
      queuedBytes: Atomics.load(words, control + Slot.QueuedUnits) * QUEUED_UNIT_BYTES,
    };
  }

  /**
   * The same of nobody who is there: most of it messages of those who left, cut off or by themselves, which come back only
   * as handlers are through.
   */
  #returningBytes(connected: readonly Connection[]): number {
    let { partialFrames, handlerQueues } = this.#parts.budget.parts();
    for (const connection of connected) {
      const { partialBytes, queuedBytes } = this.#inbound(connection);
      partialFrames -= partialBytes;
      handlerQueues -= queuedBytes * QUEUED_SIZE;
    }
    return Math.max(0, partialFrames) + Math.max(0, handlerQueues);
  }

  #peersStarvedMs(nowMs: number): number {
    const { arena, table, silentMs } = this.#parts;
    const { words, layout } = arena;
    let longestMs = 0;
    for (const connection of table.seatedConnections()) {
      const seat = connection.seat!;
      if (table.isReleased(seat) || silentMs(seat.worker, nowMs) > LOOKED_MS) continue;
      const control = layout.slot(seat.slot);
      const since = Atomics.load(words, control + Slot.StarvedSinceMs);
      if (since === 0) continue;
      const starvedMs = Math.max(1, sinceSharedMs(nowMs, since));
      longestMs = Math.max(longestMs, starvedMs);
      const isClosing = Atomics.load(words, control + Slot.State) === SlotState.Closing;
      const waitedMs = Math.min(starvedMs, nowMs - connection.leavingMs);
      if (!isClosing || waitedMs < LAST_FRAMES_MS || this.#parts.isStopping()) continue;
      Atomics.store(words, control + Slot.State, SlotState.Aborted);
      this.#parts.lastFramesLost(connection);
      this.#parts.wake(connection);
    }
    return longestMs;
  }

  #messagesStarvedMs(nowMs: number): number {
    const shed = this.#parts.shed();
    if (shed !== this.#shed) {
      if (nowMs - this.#shedLastMs > SHED_GAP_MS) this.#shedSinceMs = nowMs;
      this.#shedLastMs = nowMs;
      this.#shed = shed;
    }
    return nowMs - this.#shedLastMs > SHED_GAP_MS ? 0 : Math.max(1, nowMs - this.#shedSinceMs);
  }
}
