/** Latencies in a histogram, and what is told of it. Times are microseconds of this machine's monotonic clock. */
import { build } from 'hdr-histogram-js';

const HIGHEST_US = 60_000_000;

/** Microseconds of a clock that all processes of a machine share. */
export function sharedNowUs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e6 + nanoseconds / 1000;
}

export class Latencies {
  readonly #histogram = build({ highestTrackableValue: HIGHEST_US, numberOfSignificantValueDigits: 3 });

  record(us: number): void {
    this.#histogram.recordValue(Math.min(HIGHEST_US, Math.max(1, Math.round(us))));
  }

  /** By percentile, and how many there were. */
  take(): Record<string, number> {
    const histogram = this.#histogram;
    const at = (percentile: number) => histogram.getValueAtPercentile(percentile);
    const taken = {
      p50: at(50),
      p90: at(90),
      p99: at(99),
      p999: at(99.9),
      max: histogram.maxValue,
      count: histogram.totalCount,
    };
    histogram.reset();
    return taken;
  }
}
