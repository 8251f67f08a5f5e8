/**
 * How much one peer may send and get in a second (rulings 8), in bytes and messages. Main thread; decides only. Over the
 * limit the socket is not read, or the send queue held, until the peer has its share again: nothing is dropped for it.
 */
import type { Settings } from '../config/settings.js';
import { TokenBucket } from '../peers/token-bucket.js';

/** Every limit may be passed by one read of a socket: a bucket holds at least that. */
const LEAST_BURST_BYTES = 256 * 1024;
/** So many seconds ahead of its share is no accident of buffering (issue: only gross excess is penalised). */
const GROSS_EXCESS_SECONDS = 10;

type RateSettings = Pick<Settings, 'receiveRateBytes' | 'receiveRateMessages' | 'sendRateBytes' | 'sendRateMessages'>;

function bytesBucket(ratePerSecond: number | null): TokenBucket[] {
  if (ratePerSecond === null) return [];
  return [new TokenBucket({ ratePerSecond, burst: Math.max(ratePerSecond, LEAST_BURST_BYTES) })];
}

function messagesBucket(ratePerSecond: number | null): TokenBucket[] {
  return ratePerSecond === null ? [] : [new TokenBucket({ ratePerSecond, burst: ratePerSecond })];
}

export class PeerRates {
  readonly #bytesIn: readonly TokenBucket[];
  readonly #messagesIn: readonly TokenBucket[];
  readonly #bytesOut: readonly TokenBucket[];
  readonly #messagesOut: readonly TokenBucket[];
  #messagesSeen: number;
  #excessTold = false;

  /** The rates of one peer that has sent `messages` so far, which don't count; null if none is limited. */
  static of(settings: RateSettings, messages = 0): PeerRates | null {
    const { receiveRateBytes, receiveRateMessages, sendRateBytes, sendRateMessages } = settings;
    const limits = [receiveRateBytes, receiveRateMessages, sendRateBytes, sendRateMessages];
    return limits.every((limit) => limit === null) ? null : new PeerRates(settings, messages);
  }

  private constructor(settings: RateSettings, messages: number) {
    this.#messagesSeen = messages;
    this.#bytesIn = bytesBucket(settings.receiveRateBytes);
    this.#messagesIn = messagesBucket(settings.receiveRateMessages);
    this.#bytesOut = bytesBucket(settings.sendRateBytes);
    this.#messagesOut = messagesBucket(settings.sendRateMessages);
  }

  /** The peer has sent `bytes` more, and `messages` in all since it connected. */
  received(bytes: number, messages: number, nowMs: number): void {
    for (const bucket of this.#bytesIn) bucket.take(bytes, nowMs);
    for (const bucket of this.#messagesIn) bucket.take(messages - this.#messagesSeen, nowMs);
    this.#messagesSeen = messages;
  }

  sentBytes(bytes: number, nowMs: number): void {
    for (const bucket of this.#bytesOut) bucket.take(bytes, nowMs);
  }

  sentMessages(messages: number, nowMs: number): void {
    for (const bucket of this.#messagesOut) bucket.take(messages, nowMs);
  }

  mayRead(nowMs: number): boolean {
    return [...this.#bytesIn, ...this.#messagesIn].every((bucket) => bucket.waitMs(nowMs) === 0);
  }

  mayWrite(nowMs: number): boolean {
    return [...this.#bytesOut, ...this.#messagesOut].every((bucket) => bucket.waitMs(nowMs) === 0);
  }

  /** Whether the peer has gone far over its share of messages since this was last asked; told once an excess. */
  takeGrossExcess(nowMs: number): boolean {
    // Bytes are held back before they can pile up: a debt of bytes is the size of our own reads, not the peer's doing.
    const isExcess = this.#messagesIn.some((bucket) => bucket.debtSeconds(nowMs) > GROSS_EXCESS_SECONDS);
    const isNew = isExcess && !this.#excessTold;
    this.#excessTold = isExcess;
    return isNew;
  }
}
