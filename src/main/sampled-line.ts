/**
 * One kind of log line that peers can cause as often as they like: some are written, and every ten seconds one says how
 * many were not. Each code of ours has a budget of its own over all addresses, and each address one line of it. Main thread.
 */
import type { Logger } from 'pino';
import { errorCodeName } from '../shared/errors.js';
import { LogSampler } from '../shared/log-sampler.js';

/** Codes that are not ours, of which a peer may send any: one topic, or each of them had lines of its own. */
const NOT_OURS = 'Unknown';
/** What a line is about: a code, or null where it is about none. */
type Topic = number | typeof NOT_OURS | null;

/** Addresses that a line about lines left out names, those with the most. */
const NAMED_MAX = 3;

export interface SampledLineOptions {
  readonly level: 'info' | 'warn' | 'error';
  readonly message: string;
  /** Most lines of one code within ten seconds. */
  readonly linesMax: number;
}

export class SampledLine {
  readonly #log: Logger;
  readonly #options: SampledLineOptions;
  readonly #sampler: LogSampler<Topic, string>;

  constructor(log: Logger, options: SampledLineOptions) {
    this.#log = log;
    this.#options = options;
    const { linesMax } = options;
    this.#sampler = new LogSampler({ linesMax, sourcesMax: Math.max(256, linesMax) });
  }

  /** @param fields made only for a line that is written */
  write(code: number | null, source: string, nowMs: number, fields: () => object): void {
    const { level, message } = this.#options;
    const topic = code !== null && errorCodeName(code) === NOT_OURS ? NOT_OURS : code;
    if (!this.#log.isLevelEnabled(level) || !this.#sampler.admit(topic, source, nowMs)) return;
    this.#log[level](fields(), message);
  }

  /** Writes what was left out of windows that are over; Infinity: of all. */
  sweep(nowMs: number): void {
    const { level, message } = this.#options;
    for (const { topic, count, bySource } of this.#sampler.sweep(nowMs)) {
      const most = [...bySource].sort(([, a], [, b]) => b - a).slice(0, NAMED_MAX);
      const from = most.length === 0 ? {} : { mostFrom: Object.fromEntries(most) };
      this.#log[level]({ ...named(topic), leftOut: count, ...from }, `${message}: lines left out`);
    }
  }
}

function named(topic: Topic): { code?: number; name?: string } {
  if (topic === null) return {};
  return topic === NOT_OURS ? { name: topic } : { code: topic, name: errorCodeName(topic) };
}
