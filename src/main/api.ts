/**
 * The shapes that the library, the admin HTTP and the commands show to users. Types only; `node.ts` makes them true.
 */
import type { PolicyDeclaration } from '../shared/policy.js';

/** Connection states, exactly as section 3.2 of the specification names them. */
export type ConnectionState = 'Connecting' | 'Handshaking' | 'Connected' | 'Disconnecting' | 'Disconnected';

export type Direction = 'inbound' | 'outbound';

/** One connected peer. Times are ISO 8601, sizes bytes, `rttMs` null until the first pong. */
export interface PeerInfo {
  readonly id: string;
  /** `host:port` as seen on the socket. */
  readonly address: string;
  readonly direction: Direction;
  readonly state: ConnectionState;
  readonly persistent: boolean;
  readonly connectedAt: string;
  readonly lastActivity: string;
  readonly rttMs: number | null;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly messagesSent: number;
  readonly messagesReceived: number;
  /** Index of the worker that the connection is pinned to. */
  readonly worker: number;
}

/** What a worker shows of itself. */
export interface WorkerStatus {
  readonly messages: number;
  /** How long the oldest unread byte of the last turn had waited, in milliseconds. */
  readonly lagMs: number;
  readonly restarts: number;
}

/** The answer of `GET /status` and of `node.stats()`. Counters count since start. */
export interface NodeStatus {
  readonly nodeId: string;
  readonly chainId: string;
  readonly version: string;
  readonly uptimeSeconds: number;
  /** `host:port` with the real port. */
  readonly listen: string;
  /** `host:port` with the real port, or null when off. */
  readonly admin: string | null;
  readonly peers: { readonly total: number; readonly inbound: number; readonly outbound: number };
  readonly messages: {
    readonly received: number;
    readonly sent: number;
    readonly dropped: number;
    readonly unhandled: number;
    /** By message type; at most 64 types, the rest under `other`. */
    readonly receivedByType: Readonly<Record<string, number>>;
    readonly sentByType: Readonly<Record<string, number>>;
    /** Frames dropped, by error code name. */
    readonly droppedByCode: Readonly<Record<string, number>>;
    /** Messages that did not go to a peer because its send queue was full. */
    readonly sendsSkipped: number;
    /** Queued messages that an overflow policy dropped, by message type. */
    readonly queueDropped: number;
    readonly handlerErrors: number;
  };
  readonly bytes: { readonly received: number; readonly sent: number };
  readonly connections: {
    readonly total: number;
    readonly inbound: number;
    readonly outbound: number;
    readonly rejectedInbound: number;
    readonly handshaking: number;
    /** Failed handshakes, by error code name. */
    readonly handshakesFailedByCode: Readonly<Record<string, number>>;
    readonly disconnectsByCode: Readonly<Record<string, number>>;
  };
  readonly dials: {
    readonly succeeded: number;
    readonly failed: number;
    readonly queued: number;
    readonly dropped: number;
  };
  readonly workers: readonly WorkerStatus[];
  readonly memory: { readonly rss: number; readonly budget: number; readonly used: number };
  readonly eventLoopLagMs: number;
}

/** The answer of `GET /health`: 200 while `ok`, 503 otherwise. */
export interface NodeHealth {
  readonly ok: boolean;
  /** Why it is not ok; empty while it is. */
  readonly reasons: readonly string[];
  /** What works with less than it should have, such as no peers. */
  readonly degraded: readonly string[];
}

/** What `broadcast` did. */
export interface BroadcastResult {
  /** Peers that it was queued for. */
  readonly sent: number;
  /** Peers passed over because their send queue was full. */
  readonly skipped: number;
}

/** A message as `subscribe` hands it over on the main thread. The payload is the subscriber's to keep. */
export interface SubscribedMessage {
  readonly type: string;
  readonly payload: Buffer;
  /** Decoded payload of a type declared with `codec: 'msgpack'`. */
  readonly value: unknown;
  readonly peerId: string;
}

/** Why a connection ended or was refused, as the events tell it. */
export interface PeerEnd {
  readonly id: string | null;
  readonly address: string;
  readonly direction: Direction;
  readonly code: number;
  readonly name: string;
  readonly reason: string;
}

/** Events of a node, by name, with the arguments of their listeners. */
export interface NodeEvents {
  'peer:connected': [peer: PeerInfo];
  'peer:disconnected': [end: PeerEnd];
  'peer:rejected': [end: PeerEnd];
  /** A value that a worker handler gave to `context.publish`. */
  published: [value: unknown, worker: number];
  error: [error: Error];
}

/** Message types declared without a handler module: how they are encoded, and how subscribers get them. */
export type TypeDeclarations = Readonly<Record<string, PolicyDeclaration>>;

/** What the admin HTTP needs of a node. */
export interface NodeView {
  status(): NodeStatus;
  health(): NodeHealth;
}
