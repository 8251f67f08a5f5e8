/**
 * A token bucket that may go into debt: what has been taken is never refused, it has to be waited for. Pure; main
 * thread.
 */
export class TokenBucket {
  readonly #ratePerMs: number;
  readonly #burst: number;
  #tokens: number;
  #atMs: number | null = null;

  /** @param rate tokens a second, and how many may be in hand at most; a new bucket is full */
  constructor({ ratePerSecond, burst }: { readonly ratePerSecond: number; readonly burst: number }) {
    const isAmount = (value: number) => value > 0 && Number.isFinite(value);
    if (!isAmount(ratePerSecond) || !isAmount(burst)) throw new RangeError('a token bucket needs a rate and a burst');
    this.#ratePerMs = ratePerSecond / 1000;
    this.#burst = burst;
    this.#tokens = burst;
  }

  /** Takes tokens, and goes into debt for what is not there. */
  take(amount: number, nowMs: number): void {
    this.#refill(nowMs);
    this.#tokens -= amount;
  }

  /** Takes tokens if they are in hand. @returns whether they were */
  takeIfThere(amount: number, nowMs: number): boolean {
    this.#refill(nowMs);
    if (this.#tokens < amount) return false;
    this.#tokens -= amount;
    return true;
  }

  /** How long until there is no debt; 0 means go on. */
  waitMs(nowMs: number): number {
    this.#refill(nowMs);
    return this.#tokens >= 0 ? 0 : -this.#tokens / this.#ratePerMs;
  }

  /** The debt in seconds of the rate. */
  debtSeconds(nowMs: number): number {
    return this.waitMs(nowMs) / 1000;
  }

  #refill(nowMs: number): void {
    // A clock that jumps back gives nothing and takes nothing.
    const elapsedMs = this.#atMs === null ? 0 : Math.max(0, nowMs - this.#atMs);
    this.#atMs = nowMs;
    this.#tokens = Math.min(this.#burst, this.#tokens + elapsedMs * this.#ratePerMs);
  }
}
