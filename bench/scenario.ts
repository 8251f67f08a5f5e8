/**
 * What a scenario is: cases, and for each the programs that are measured side by side. A scenario measures one run; the
 * harness repeats, interleaves and reports.
 */
import type { Goal, Metric, Run } from './result.js';

/** What a run may depend on. */
export interface Settings {
  /** Seconds that a figure is measured for. */
  readonly seconds: number;
  /** Worker threads of the node under test. */
  readonly workers: number;
  /** Seconds that `soak` lasts. */
  readonly soakSeconds: number;
  /** Tiny cases, to see that everything still runs; the figures mean nothing. */
  readonly smoke: boolean;
}

export interface Case {
  readonly name: string;
  readonly parameters: Readonly<Record<string, number>>;
  /** Measured in turn, each once a round; what takes long says how far it is. */
  readonly targets: Readonly<Record<string, (progress: (text: string) => void) => Promise<Run>>>;
}

export interface Scenario {
  readonly name: string;
  /** One line. */
  readonly title: string;
  readonly metrics: readonly Metric[];
  readonly goals: readonly Goal[];
  /** What a reader of the figures has to know. */
  readonly notes?: readonly string[];
  /** Only run when it is named: it takes hours, or needs what is not there. */
  readonly onlyByName?: true;
  /** The case that is profiled unless another is named; the first if none is. */
  readonly typical?: string;
  /** What is not installed that it needs, and how to get it; null if nothing is missing. */
  missing?(): string | null;
  /** Always so many rounds, whatever was asked for. */
  readonly rounds?: number;
  cases(settings: Settings): readonly Case[];
}
