/**
 * The shapes that the library, the admin HTTP and the commands show to users. Types only; `node.ts` makes them true.
 */
import type { Durations } from '../shared/memory/histogram.js';
import type { PolicyDeclaration } from '../shared/policy.js';

/** Connection states, exactly as section 3.2 of the specification names them. */
export type ConnectionState = 'Connecting' | 'Handshaking' | 'Connected' | 'Disconnecting' | 'Disconnected';

/** Who dialled: a peer us, or we it. */
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
  /** 0 to 100; below 20 it would be refused. */
  readonly reputation: number;
  /** Index of the worker that the connection is pinned to. */
  readonly worker: number;
}

/** A ban in force. `target` is an IP address, a CIDR range or `id:NODEID`. */
export interface BanInfo {
  readonly target: string;
  readonly reason: string;
  /** Why, as an error code and its name. */
  readonly code: number;
  readonly name: string;
  /** ISO 8601. */
  readonly since: string;
  /** ISO 8601, or null: until somebody lifts it. */
  readonly until: string | null;
}

/** For how long somebody is banned, and why. */
export interface BanOptions {
  /** A text such as `24h`, milliseconds, or `forever`. Default: 24 h, 7 d or 30 d, by how often it was banned before. */
  readonly for?: string | number | undefined;
  readonly reason?: string | undefined;
}

/** An address that the node knows. Times are ISO 8601. */
export interface AddressInfo {
  readonly id: string;
  /** IP address without port. */
  readonly address: string;
  readonly port: number;
  /** Where it was learned from: `seed`, `pex`, `manual`, … */
  readonly source: string;
  /** `tried`: we have reached it ourselves. */
  readonly bucket: 'new' | 'tried';
  readonly firstSeen: string;
  readonly lastSeen: string;
  /** Failed dials in a row. */
  readonly attempts: number;
}

/** What history keeps. */
export type HistoryKind =
  | 'rejected'
  | 'disconnected'
  | 'dial-failed'
  | 'banned'
  | 'unbanned'
  | 'dropped'
  | 'crawl-failed'
  | 'penalised';

/** Something that was refused, dropped, banned or failed, and why. */
export interface HistoryEntry {
  /** ISO 8601. */
  readonly time: string;
  readonly kind: HistoryKind;
  readonly code: number;
  readonly name: string;
  readonly peerId: string | null;
  readonly address: string | null;
  readonly detail: string;
}

/** What a worker shows of itself. */
export interface WorkerStatus {
  readonly messages: number;
  /** The longest that a ring with something to read waited for the worker within its last full second, in milliseconds. */
  readonly lagMs: number;
  readonly restarts: number;
  /** Connections that are pinned to it. */
  readonly connections: number;
  /** Messages that wait or run in its handler queues. */
  readonly queuedMessages: number;
}

/** How often something of a kind happened, by error code. */
export interface HourCount {
  readonly kind: HistoryKind;
  readonly code: number;
  readonly name: string;
  readonly count: number;
}

/** What the node knows of the network and does to know more. Counters count since start. */
export interface DiscoveryStatus {
  /** Addresses in the book. */
  readonly known: number;
  /** Those that we have reached ourselves. */
  readonly tried: number;
  readonly pexReceived: number;
  readonly pexSent: number;
  /** New addresses that peers and seeds sent us. */
  readonly addressesLearned: number;
  /** Seeds that we crawled. */
  readonly crawls: number;
  readonly crawlsFailed: number;
  /** Crawls of us that we answered. */
  readonly crawlsServed: number;
  /** Crawls of us that we refused: too often, or from an address that is banned or of low reputation. */
  readonly crawlsRefused: number;
  /** Dials that only checked whether an address is alive. */
  readonly feelers: number;
  /** Inbound peers that gave way to newcomers. */
  readonly evictions: number;
  readonly bans: number;
}

/** Sums over all runs of a data directory. */
export interface LifetimeStatus {
  /** ISO 8601. */
  readonly firstStarted: string;
  readonly starts: number;
  readonly uptimeSeconds: number;
  readonly messages: { readonly received: number; readonly sent: number };
  readonly bytes: { readonly received: number; readonly sent: number };
}

/** Bytes. */
export interface MemoryStatus {
  /** Resident memory of the process. */
  readonly rss: number;
  /** Most that everything may take whose size peers influence. */
  readonly budget: number;
  /** What of the budget is in use: the sum of `by`. */
  readonly used: number;
  readonly by: {
    /** Receive and outbound rings, and what lies beside them. Laid out at the start. */
    readonly rings: number;
    /** Frames too large for a ring, whole or not. */
    readonly partialFrames: number;
    /** What waits to be sent. */
    readonly sendQueues: number;
    /** Messages that wait or run in queued handlers. */
    readonly handlerQueues: number;
    /** Hashes of messages seen. Laid out at the start. */
    readonly caches: number;
  };
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
    /** Frames dropped, by error code name. What a closed connection leaves for want of memory or slots counts once: ResourceExhausted. */
    readonly droppedByCode: Readonly<Record<string, number>>;
    /**
     * Messages that were broadcast, relayed, or sent by a handler (its `reply` or `send`) and did not go to a peer: its
     * send queue was full, the memory budget had no room, or the peer was gone. `node.send` waits or throws instead.
     */
    readonly sendsSkipped: number;
    /** Messages that were not sent because the memory budget had no room for their class. */
    readonly shedByClass: { readonly broadcast: number; readonly direct: number; readonly control: number };
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
    /** Connections closed before their handshake, because file descriptors were short. */
    readonly refusedNoFiles: number;
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
  readonly discovery: DiscoveryStatus;
  readonly gossip: {
    /** Messages passed on to other peers, once each however many got it. */
    readonly relayed: number;
    /** Messages that had been seen within 5 minutes and were dropped. */
    readonly duplicates: number;
    /** Hashes that had to be forgotten before their time, because the cache was full. */
    readonly forgotten: number;
  };
  readonly lifetime: LifetimeStatus;
  readonly workers: readonly WorkerStatus[];
  readonly memory: MemoryStatus;
  readonly eventLoopLagMs: number;
  /** What was refused, dropped, banned or failed within the last hour, the most frequent first. */
  readonly lastHour: readonly HourCount[];
  /** How far a drain has come, null while there is none. */
  readonly draining: DrainStatus | null;
}

/** How long things took since the start, for `GET /metrics`. */
export interface NodeTimings {
  /** By worker: from when a ring turned ready until its worker took it up. */
  readonly workerLag: readonly Durations[];
  /** By worker: from when a ring turned ready until all whole frames in it, as its worker found it, were done. */
  readonly ringResidence: readonly Durations[];
  /** By message type; at most 64 types, the rest under `other`. */
  readonly handlers: Readonly<Record<string, Durations>>;
  /** How late the timer of the main thread's sweep was. */
  readonly eventLoopDelay: Durations;
  /** From a ping to its pong. */
  readonly roundTrip: Durations;
}

/** The answer of `GET /health`: 200 while `ok`, 503 otherwise. */
export interface NodeHealth {
  readonly ok: boolean;
  /** Why it is not ok; empty while it is. */
  readonly reasons: readonly string[];
  /** What works with less than it should have, such as no peers. */
  readonly degraded: readonly string[];
}

/** How a check of the doctor came out, the worst last. `unknown`: it says what it can't know, and why. */
export type FindingLevel = 'ok' | 'unknown' | 'warn' | 'fail';

/** What one check of the doctor found, in plain words. */
export interface Finding {
  /** Stable name of the check, such as `reachable`. */
  readonly check: string;
  readonly level: FindingLevel;
  /** One sentence. */
  readonly summary: string;
  /** What it is concluded from, one fact a line. */
  readonly evidence: readonly string[];
  /** What to do about it; null when there is nothing to do. */
  readonly remedy: string | null;
}

/** The answer of `GET /doctor`. */
export interface DoctorReport {
  /** ISO 8601. */
  readonly time: string;
  /** The worst level of all findings. */
  readonly level: FindingLevel;
  /** One for each check, the worst first. */
  readonly findings: readonly Finding[];
}

/** An option whose value changes, as it would stand in a file. */
export interface SettingChange {
  readonly key: string;
  readonly from: unknown;
  readonly to: unknown;
}

/** What a reload of the configuration did. */
export interface ReloadResult {
  /** What is in force from now on. */
  readonly applied: readonly SettingChange[];
  /** What is different and stays as it is until the node is restarted. */
  readonly needsRestart: readonly SettingChange[];
}

/** How a node is drained. */
export interface DrainOptions {
  /** What is not through after this time is cut off: a text such as `60s`, or milliseconds. Default 60 s. */
  readonly within?: string | number | undefined;
}

/** How far a drain has come. */
export interface DrainStatus {
  /** ISO 8601. */
  readonly since: string;
  /** When what is left is cut off. ISO 8601. */
  readonly until: string;
  /** Connections that have not closed yet. */
  readonly connections: number;
  /** Messages that wait or run in handler queues. */
  readonly queuedMessages: number;
  /** Bytes that wait to be sent. */
  readonly queuedBytes: number;
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

/** A worker thread that died, and why. */
export interface WorkerRestart {
  readonly worker: number;
  /** How often it has died and was started again so far. */
  readonly restarts: number;
  /** What kind of error it was and where it came from, never its message, which may quote what a peer sent. */
  readonly reason: string;
}

/** Events of a node, by name, with the arguments of their listeners. */
export interface NodeEvents {
  /** The handshake with a peer is through, whoever dialled. */
  'peer:connected': [peer: PeerInfo];
  /** A peer that was connected is no more, and why. */
  'peer:disconnected': [end: PeerEnd];
  /** Somebody who dialled us was refused, and why: one that never got to be a peer. */
  'peer:rejected': [end: PeerEnd];
  /** An address or a node ID is banned, by the operator or for what it did. */
  'peer:banned': [ban: BanInfo];
  /** A worker thread died, and its replacement is up: it has all that was left, and handles messages from here on. */
  'worker:restarted': [restart: WorkerRestart];
  /** A value that a worker handler gave to `context.publish`. */
  published: [value: unknown, worker: number];
  /**
   * A fault that no peer caused: a subscriber that throws, a store that can't be written, a worker that does not come up.
   * The log has it, too; without a listener it is told to nobody, and throws nothing.
   */
  error: [error: Error];
}

/** Message types declared without a handler module: how they are encoded, and how subscribers get them. */
export type TypeDeclarations = Readonly<Record<string, PolicyDeclaration>>;

/** What the admin HTTP needs of a node. */
export interface NodeView {
  status(): NodeStatus;
  timings(): NodeTimings;
  health(): NodeHealth;
  /** What is wrong with the node, from what it is concluded and what to do about it. Takes some seconds at most. */
  doctor(): Promise<DoctorReport>;
  peers(): PeerInfo[];
  /** A connected peer, null if it is none. */
  peer(id: string): PeerInfo | null;
  /** The address book as it is now. Each is made as it is asked for: there may be 80,000. */
  eachAddress(): Iterable<AddressInfo>;
  /** Bans in force, the newest first, made likewise: there may be 100,000. */
  eachBan(): Iterable<BanInfo>;
  /** The newest entries first; at most `limit`, of one code if given. Made likewise. */
  eachHistory(query: HistoryQuery): Iterable<HistoryEntry>;
  /** @throws ConfigError `address`; PeerError, NodeError when it fails */
  dial(address: string): Promise<PeerInfo>;
  /** @returns whether there was such a peer */
  disconnect(peerId: string, code?: number): boolean;
  /** @throws ConfigError `target` or `for` */
  ban(target: string, options?: BanOptions): BanInfo;
  /** @returns whether there was such a ban. @throws ConfigError `target` */
  unban(target: string): boolean;
  /** Sends these bytes as they are, whatever the type's codec. @throws NodeError ERR_PAW_MESSAGE */
  broadcastBytes(type: string, payload: Uint8Array): BroadcastResult;
  /** The configuration in force, by key, as it would stand in a file; secrets only as whether they are set. */
  config(): Readonly<Record<string, unknown>>;
  /**
   * Reads the configuration again from where it was read at the start, and takes up what can change.
   * @throws ConfigError, with nothing changed; NodeError ERR_PAW_RELOAD for a node that was given its options by a program
   */
  reload(): ReloadResult;
  /** Stops the node gently. May be called again, to ask how far it is. @throws ConfigError `within` */
  drain(options: DrainOptions): DrainStatus;
  on<K extends keyof NodeEvents>(event: K, listener: (...args: NodeEvents[K]) => void): unknown;
  off<K extends keyof NodeEvents>(event: K, listener: (...args: NodeEvents[K]) => void): unknown;
}

/** Which entries of history are wanted. */
export interface HistoryQuery {
  /** Default 100, at most 10,000. */
  readonly limit?: number | undefined;
  /** A code's number, or all. */
  readonly code?: number | undefined;
}
