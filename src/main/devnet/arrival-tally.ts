/**
 * Owns what one worker of a devnet node has seen arrive and not yet told the main thread. Worker thread, one per
 * worker: the module is loaded once there, whichever handler module imports it.
 */
import type { HandlerContext, Message } from '../../shared/handler.js';
import { LatencyHistogram, type LatencyPairs } from './latency.js';
import type { Runs } from './ledger.js';
import { decodeMessage, wallNowMs } from './wire-message.js';

/** How long arrivals may wait in a worker before the main thread hears of them. */
const TELL_EVERY_MS = 100;
/** With messages out of order every one is a run of its own; so many are told at once. */
const MOST_RUNS = 1000;

/** What a worker publishes: what arrived since the last time. */
export interface ArrivalDelta {
  readonly kind: 'devnet-arrivals';
  readonly runs: Runs;
  /** Messages that were too short or whose checksum was wrong. */
  readonly corrupted: number;
  readonly latency: LatencyPairs;
}

export function isArrivalDelta(value: unknown): value is ArrivalDelta {
  return typeof value === 'object' && value !== null && (value as Partial<ArrivalDelta>).kind === 'devnet-arrivals';
}

export class ArrivalTally {
  readonly #latency = new LatencyHistogram();
  readonly #lastRun = new Map<number, number>();
  #runs: number[] = [];
  #corrupted = 0;
  #timer: NodeJS.Timeout | null = null;

  /** Checks a message and counts it. @returns whether it is intact */
  arrived(message: Message, context: HandlerContext): boolean {
    const header = decodeMessage(message.payload);
    if (header === null) this.#corrupted++;
    else {
      this.#count(header.origin, header.sequence);
      this.#latency.record(wallNowMs() - header.sentMs);
    }
    if (this.#runs.length >= MOST_RUNS * 3) this.#tell(context);
    else this.#timer ??= setTimeout(() => this.#tell(context), TELL_EVERY_MS);
    return header !== null;
  }

  #count(origin: number, sequence: number): void {
    const at = this.#lastRun.get(origin);
    if (at !== undefined && this.#runs[at + 2] === sequence) {
      this.#runs[at + 2] = sequence + 1;
      return;
    }
    this.#lastRun.set(origin, this.#runs.length);
    this.#runs.push(origin, sequence, sequence + 1);
  }

  #tell(context: HandlerContext): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const delta: ArrivalDelta = {
      kind: 'devnet-arrivals',
      runs: this.#runs,
      corrupted: this.#corrupted,
      latency: this.#latency.take(),
    };
    this.#runs = [];
    this.#lastRun.clear();
    this.#corrupted = 0;
    context.publish(delta);
  }
}

/** The tally of this worker. */
export const tally = new ArrivalTally();
