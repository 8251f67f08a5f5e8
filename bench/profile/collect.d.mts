import type { ChildProcess } from 'node:child_process';

export type Tool = 'doctor' | 'bubbleprof' | 'flame' | 'heapprofiler';

/** Absolute paths of what a run left. */
export interface Reports {
  /** The report of the main thread. */
  readonly htmlPath: string;
  /** Clinic's own input for it. */
  readonly dataPath: string;
  /** A report for each worker thread; none from doctor and bubbleprof. */
  readonly workerHtmlPaths: readonly string[];
  /** A `.cpuprofile` (flame) or `.heapprofile` (heapprofiler) of each worker thread. */
  readonly workerProfiles: readonly string[];
  /** What `topText` reads; of flame only, the main thread's first. */
  readonly topPaths: readonly string[];
}

export interface Prepared {
  readonly execArgv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Called once the program has ended. */
  report(pid: number): Promise<Reports>;
}

export declare const TOOLS: readonly Tool[];
export declare function install(): Promise<void>;
export declare function prepare(tool: Tool, out: string): Promise<Prepared>;
export declare function stop(child: ChildProcess): Promise<void>;
