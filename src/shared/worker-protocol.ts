/**
 * What the main thread and a worker say to each other outside shared memory: how a worker starts, and rare commands and
 * notices over its port. Everything here can be cloned.
 */
import type { MessagePort } from 'node:worker_threads';
import type { Policy, PolicyDeclaration, RelayedType } from './policy.js';

/** Argument of a worker's endless task. */
export interface WorkerInit {
  readonly arena: SharedArrayBuffer;
  readonly worker: number;
  readonly port: MessagePort;
  /** URLs of handler modules. */
  readonly handlers: readonly string[];
  readonly types: Readonly<Record<string, PolicyDeclaration>>;
  /** Types that are passed on, whatever their declarations say. */
  readonly relay: readonly RelayedType[];
  /** Secret of this node, for the hashes of messages that it has seen. */
  readonly gossipKey: Uint8Array;
  /** Message types that the main thread subscribed to. */
  readonly subscriptions: readonly string[];
  readonly sendQueueBytes: number;
  /** Buffers of half-assembled frames that the worker before this one left, by ID. */
  readonly asides: ReadonlyMap<number, SharedArrayBuffer>;
  /** The same of messages that waited for queued handlers (`queue-segment.ts`). */
  readonly segments: ReadonlyMap<number, SharedArrayBuffer>;
}

/** Main thread to worker. Posted, then announced by the worker's CommandEpoch. */
export type WorkerCommand =
  | { readonly kind: 'subscribe'; readonly type: string; readonly wanted: boolean }
  /** The types that are passed on whatever their declarations say, from now on. Answered with `policies`. */
  | { readonly kind: 'relay'; readonly relay: readonly RelayedType[] }
  /** Memory is short: what is kept for later goes back. */
  | { readonly kind: 'spare' }
  | { readonly kind: 'stop' };

/** Worker to main thread. */
export type WorkerNotice =
  | { readonly kind: 'ready'; readonly policies: Readonly<Record<string, Policy>> }
  /** The policy table has changed. */
  | { readonly kind: 'policies'; readonly policies: Readonly<Record<string, Policy>> }
  /** It can't start: a handler module is not what it must be. Its task ends. */
  | { readonly kind: 'failed'; readonly message: string }
  /** There is, or with null there is no longer, a buffer for frames that are assembled aside, or for queued messages. */
  | { readonly kind: 'aside' | 'segment'; readonly id: number; readonly buffer: SharedArrayBuffer | null }
  | {
      readonly kind: 'log';
      readonly level: 'debug' | 'info' | 'warn' | 'error';
      readonly message: string;
      readonly fields: Readonly<Record<string, unknown>>;
    };
