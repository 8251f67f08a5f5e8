/**
 * Owns which of many like events are told one by one: of each topic so many within a window, of each source in it one;
 * the others are counted, by source. No event is lost: each is told or counted. Decides only; the caller tells. Pure;
 * both sides.
 */

export interface LogSamplerOptions {
  /** How long a topic's window lasts, from its first event. */
  readonly windowMs?: number;
  /** Most that are told of one topic in a window. */
  readonly linesMax?: number;
  /** Most sources that are counted one by one in a window; peers make sources up, so there must be a bound. */
  readonly sourcesMax?: number;
}

/** What was left out of a window that is over. */
export interface LeftOut<Topic, Source> {
  readonly topic: Topic;
  readonly count: number;
  /** How many of each source; of sources beyond `sourcesMax` nothing. */
  readonly bySource: ReadonlyMap<Source, number>;
}

interface Window<Source> {
  readonly startedMs: number;
  lines: number;
  leftOut: number;
  /** Events left out, by source; 0 for one that was told. */
  readonly sources: Map<Source, number>;
}

export class LogSampler<Topic, Source> {
  readonly #windowMs: number;
  readonly #linesMax: number;
  readonly #sourcesMax: number;
  /** In order of their starts, oldest first. */
  readonly #windows = new Map<Topic, Window<Source>>();
  readonly #ended: LeftOut<Topic, Source>[] = [];

  constructor({ windowMs = 10_000, linesMax = 10, sourcesMax = 256 }: LogSamplerOptions = {}) {
    if (!(windowMs > 0) || !(linesMax >= 1) || !(sourcesMax >= linesMax)) {
      throw new RangeError('windowMs and linesMax must be positive, sourcesMax at least linesMax');
    }
    this.#windowMs = windowMs;
    this.#linesMax = linesMax;
    this.#sourcesMax = sourcesMax;
  }

  /** Whether to tell of this event; if not, it is counted. */
  admit(topic: Topic, source: Source, nowMs: number): boolean {
    const window = this.#windowOf(topic, nowMs);
    const before = window.sources.get(source);
    if (before === undefined && window.lines < this.#linesMax) {
      window.lines++;
      window.sources.set(source, 0);
      return true;
    }
    window.leftOut++;
    if (before !== undefined || window.sources.size < this.#sourcesMax) window.sources.set(source, (before ?? 0) + 1);
    return false;
  }

  /** Ends windows that are over, and gives what was left out of them. Infinity ends all. */
  sweep(nowMs: number): LeftOut<Topic, Source>[] {
    for (const [topic, window] of this.#windows) {
      if (nowMs - window.startedMs < this.#windowMs) break;
      this.#end(topic, window);
    }
    return this.#ended.splice(0);
  }

  #windowOf(topic: Topic, nowMs: number): Window<Source> {
    const open = this.#windows.get(topic);
    if (open !== undefined && nowMs - open.startedMs < this.#windowMs) return open;
    if (open !== undefined) this.#end(topic, open);
    const window = { startedMs: nowMs, lines: 0, leftOut: 0, sources: new Map<Source, number>() };
    this.#windows.set(topic, window);
    return window;
  }

  #end(topic: Topic, { leftOut, sources }: Window<Source>): void {
    this.#windows.delete(topic);
    if (leftOut === 0) return;
    const bySource = new Map([...sources].filter(([, count]) => count > 0));
    this.#ended.push({ topic, count: leftOut, bySource });
  }
}
