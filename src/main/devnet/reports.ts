/**
 * Owns what the devnet and its node processes say to each other over IPC. Types only; everything here is plain JSON.
 */
import type { PresetName } from '../config/presets.js';
import type { LatencyPairs } from './latency.js';
import type { OriginArrivals, OriginCount } from './ledger.js';

/** What a node process is to be. Nodes count from 0; node 0 is the seed. */
export interface NodePlan {
  readonly index: number;
  readonly nodes: number;
  readonly preset: PresetName;
  readonly workers: number;
  readonly dataDir: string;
  /** `HOST:PORT` of the seed; null for the seed itself. */
  readonly seed: string | null;
  readonly minOutbound: number;
  readonly ratePerSecond: number;
  readonly durationMs: number;
}

/** Parent to node process. */
export type Order =
  | { readonly kind: 'open'; readonly plan: NodePlan }
  | { readonly kind: 'generate' }
  /** Every message of yours below `sequence` has arrived everywhere, or never will. */
  | { readonly kind: 'passed'; readonly sequence: number }
  | { readonly kind: 'stop' }
  | { readonly kind: 'collect' }
  | { readonly kind: 'close' };

/** What a node counted, several times a second. */
export interface NodeReport {
  readonly peers: number;
  /** Messages made here. */
  readonly sent: number;
  /** Messages that arrived intact, duplicates included. */
  readonly received: number;
  readonly corrupted: number;
  readonly origins: readonly OriginCount[];
  readonly latency: LatencyPairs;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Times that the node passed over a peer because its send queue was full. */
  readonly sendsSkipped: number;
  /** Messages that it passed on, and copies that it dropped. */
  readonly relayed: number;
  readonly duplicates: number;
  readonly handlerErrors: number;
  readonly workerRestarts: number;
}

/** Node process to parent. */
export type Answer =
  | { readonly kind: 'ready'; readonly nodeId: string; readonly listen: string; readonly admin: string | null }
  | { readonly kind: 'report'; readonly report: NodeReport }
  /** Nothing more will be sent. */
  | { readonly kind: 'generated'; readonly sent: number }
  | { readonly kind: 'collected'; readonly report: NodeReport; readonly arrivals: readonly OriginArrivals[] }
  | { readonly kind: 'failed'; readonly message: string };
