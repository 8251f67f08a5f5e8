/** Calls back for each message of a steady rate, with the time at which it should have been sent. */
import { sharedNowUs } from './latency.js';

export class Pacer {
  readonly #timer: NodeJS.Timeout;

  /** @param due gets the intended time; called late if this process was late, but never left out */
  constructor(ratePerSecond: number, due: (intendedUs: number) => void) {
    const startUs = sharedNowUs();
    const stepUs = 1e6 / ratePerSecond;
    let sent = 0;
    this.#timer = setInterval(() => {
      const nowUs = sharedNowUs();
      for (; startUs + sent * stepUs <= nowUs; sent++) due(startUs + sent * stepUs);
    }, 1);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
