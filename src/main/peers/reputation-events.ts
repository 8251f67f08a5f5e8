/**
 * The one table of what counts for or against a peer (specification 6.3, rulings 6): how much, and whether it is the
 * peer's own affair (`standing`) or shared by everybody behind its address (`debt`). Main thread; data only.
 */
import { ErrorCode } from '../../shared/errors.js';

/** So many within so long can't be an accident: a ban at once (rulings 6). */
export interface Outrage {
  readonly count: number;
  readonly withinMs: number;
}

export interface EventRule {
  /** Added to the standing, or taken on as debt where it is negative and on `debt`. */
  readonly weight: number;
  readonly on: 'standing' | 'debt';
  readonly code: ErrorCode;
  /** Debt up to which it adds: so far accidents may go, and no further. */
  readonly mostDebt?: number;
  /** Standing up to which it adds: who connects again and again has not served anybody. */
  readonly mostStanding?: number;
  readonly outrage?: Outrage;
}

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

export const reputationEvents = {
  connected: { weight: 1, on: 'standing', code: ErrorCode.GoingAway, mostStanding: 52 },
  /** Stayed connected for a minute. */
  proven: { weight: 4, on: 'standing', code: ErrorCode.GoingAway, mostStanding: 60 },
  hourOfService: { weight: 2, on: 'standing', code: ErrorCode.GoingAway },
  /** Also a wrong ID: whoever gossips it must not harm the host that it names. */
  dialFailed: { weight: -2, on: 'standing', code: ErrorCode.NetworkError },
  malformedFrame: {
    weight: -2,
    on: 'debt',
    code: ErrorCode.InvalidMessageFormat,
    // A hundred in a minute may be an accident (rulings 6), so they alone get nobody refused.
    mostDebt: 25,
    outrage: { count: 101, withinMs: MINUTE_MS },
  },
  oversizedFrame: {
    weight: -15,
    on: 'debt',
    code: ErrorCode.MessageTooLarge,
    outrage: { count: 3, withinMs: HOUR_MS },
  },
  workerPoisoned: { weight: -50, on: 'debt', code: ErrorCode.WorkerPoisoned, outrage: { count: 1, withinMs: HOUR_MS } },
  pexTooLarge: {
    weight: -10,
    on: 'debt',
    code: ErrorCode.InvalidMessageFormat,
    outrage: { count: 3, withinMs: HOUR_MS },
  },
  pexTooOften: { weight: -3, on: 'debt', code: ErrorCode.RateLimited },
  pexInvalid: { weight: -5, on: 'debt', code: ErrorCode.InvalidMessageFormat },
  /** A message handler of the application holds something against the sender. */
  penalised: { weight: -5, on: 'debt', code: ErrorCode.InvalidMessageFormat },
  rateExcess: { weight: -10, on: 'debt', code: ErrorCode.RateLimited },
  frameTimeout: { weight: -5, on: 'debt', code: ErrorCode.ReadTimeout },
  handshakeTimeout: { weight: -2, on: 'debt', code: ErrorCode.HandshakeTimeout },
  /** A slow reader may have a slow line. */
  writeTimeout: { weight: -2, on: 'standing', code: ErrorCode.WriteTimeout },
} as const satisfies Record<string, EventRule>;

export type ReputationEvent = keyof typeof reputationEvents;

export function ruleOf(event: ReputationEvent): EventRule {
  return reputationEvents[event];
}
