/**
 * Owns the tests before an eviction (bitcoin's addrman): newcomers that we reached and that wait for a place in `tried`
 * until who stands there was dialled again. Only a failed dial costs a place; a test that could not be made is off. So
 * whoever is reached often enough to cause tests drives out nobody that answers. Main thread; decides only.
 */
import { type AddressRecord, keyOf } from './address-record.js';

/** Tests at once, and how long one may take: longer than to feel for all of them, one every four minutes. */
const MAX_TESTS = 16;
const TEST_WINDOW_MS = 2 * 3_600_000;
/** An occupant that was dialled within this time is not dialled again yet. */
const TEST_PAUSE_MS = 60_000;
/** An occupant that was reached within this time needs no test. */
const TESTED_WITHIN_MS = 4 * 3_600_000;

/** Keys of a newcomer and of who stands in its place. */
export interface TriedTest {
  readonly newcomer: string;
  readonly occupant: string;
  readonly sinceMs: number;
  /** Failed dials in a row of the occupant, before. */
  readonly attemptsBefore: number;
}

export class TriedTests {
  #tests: TriedTest[] = [];

  begin(newcomer: AddressRecord, occupant: AddressRecord, nowMs: number): void {
    const key = keyOf(newcomer);
    if (this.#tests.length >= MAX_TESTS || this.#tests.some((test) => test.newcomer === key)) return;
    const { attempts } = occupant;
    this.#tests.push({ newcomer: key, occupant: keyOf(occupant), sinceMs: nowMs, attemptsBefore: attempts });
  }

  /** An occupant to dial now, of those that may be; the longest waiting first. */
  next(
    find: (key: string) => AddressRecord | undefined,
    nowMs: number,
    isUsable: (occupant: AddressRecord) => boolean,
  ): AddressRecord | null {
    for (const { occupant } of this.#tests) {
      const record = find(occupant);
      if (record !== undefined && nowMs - record.lastTriedMs > TEST_PAUSE_MS && isUsable(record)) return record;
    }
    return null;
  }

  /** Ends the tests that are decided. @returns those whose newcomer has won */
  resolve(find: (key: string) => AddressRecord | undefined, nowMs: number): TriedTest[] {
    const won: TriedTest[] = [];
    const waiting: TriedTest[] = [];
    for (const test of this.#tests) {
      const verdict = verdictOf(test, find(test.occupant), find(test.newcomer), nowMs);
      if (verdict === 'waits') waiting.push(test);
      else if (verdict === 'gives way') won.push(test);
    }
    this.#tests = waiting;
    return won;
  }

  /** The clock was set back. */
  holdBack(nowMs: number): void {
    this.#tests = this.#tests.map((test) => ({ ...test, sinceMs: Math.min(test.sinceMs, nowMs) }));
  }
}

/** What becomes of the occupant. */
function verdictOf(
  { sinceMs, attemptsBefore }: TriedTest,
  occupant: AddressRecord | undefined,
  newcomer: AddressRecord | undefined,
  nowMs: number,
): 'stays' | 'gives way' | 'waits' {
  if (newcomer === undefined || newcomer.bucket === 'tried' || newcomer.attempts > 0) return 'stays';
  if (occupant?.bucket !== 'tried') return 'gives way';
  if (nowMs - occupant.lastSuccessMs < TESTED_WITHIN_MS) return 'stays';
  if (occupant.attempts > attemptsBefore) return 'gives way';
  return nowMs - sinceMs < TEST_WINDOW_MS ? 'waits' : 'stays';
}
