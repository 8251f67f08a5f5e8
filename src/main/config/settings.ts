/**
 * Owns the shapes of configuration: what users give (`NodeOptions`) and what the program reads (`Settings`). Types
 * only; `resolve.ts` makes one from the other. Main thread.
 */
import type { Logger } from 'pino';
import type { RelayedType } from '../../shared/policy.js';
import type { TypeDeclarations } from '../api.js';
import type { HostPort, PeerAddress } from '../net/address.js';
import type { OptionKey, ParsedOf } from './options.js';
import type { PresetName } from './presets.js';

/** The lowest level that is logged. */
export type LogLevel = ParsedOf<'logLevel'>;
/** How log lines are written. */
export type LogFormat = 'pretty' | 'json';

/**
 * Configuration of a node as the library takes it. What is left out has the value of the preset or the default; every
 * key but `types` and `logger` is also a key of the configuration file.
 */
export interface NodeOptions {
  /** Set of limits to start from. Default `default`. */
  readonly preset?: PresetName;
  /** Chain ID; peers of another chain are refused. 1 to 32 bytes. Default `paw-mainnet`. */
  readonly chainId?: string;
  /** Node ID to use instead of that of the node key: 1 to 32 printable ASCII characters without `@`. */
  readonly nodeId?: string | null;
  /** Directory of the node key and the store; one node at a time. Default `~/.paw/p2p`. */
  readonly dataDir?: string;
  /** Address for peers, `[::]` for IPv6 and IPv4; port 0 lets the system choose. `HOST:PORT`, default `[::]:26656`. */
  readonly listen?: string;
  /** Address of the admin HTTP: `HOST:PORT`, or `off`. Default `127.0.0.1:26660`. */
  readonly admin?: string;
  /** Bearer token of the admin HTTP; required off loopback. */
  readonly adminToken?: string | null;
  /**
   * Address where peers reach us, if it is not the one we listen on; announced to peers. `HOST:PORT`; default: the
   * address we listen on.
   */
  readonly externalAddress?: string | null;
  /** Nodes to ask for peers, as `HOST:PORT`. Default: nine built-in seeds for `paw-mainnet`, none for other chains. */
  readonly seeds?: readonly string[] | null;
  /** Peers to stay connected to, best named by ID and IP address: `ID@HOST:PORT` or `HOST:PORT`. */
  readonly persistentPeers?: readonly string[];
  /** Node IDs whose addresses are never passed on. */
  readonly privatePeerIds?: readonly string[];
  /** Node IDs that do not count against the limits. */
  readonly unconditionalPeerIds?: readonly string[];
  /** Maximum number of peers. Default 100, or what the preset says. */
  readonly maxPeers?: number;
  /** Maximum number of inbound peers, at most `maxPeers`. Default 50, or what the preset says. */
  readonly maxInbound?: number;
  /** Maximum number of outbound peers, at most `maxPeers`. Default 50, or what the preset says. */
  readonly maxOutbound?: number;
  /** Number of outbound peers to maintain, at most `maxOutbound`. Default 10. */
  readonly minOutbound?: number;
  /** Maximum number of inbound peers per /24 (IPv4) or /64 (IPv6). Default 10. */
  readonly maxPerSubnet?: number;
  /** Whether addresses are exchanged with peers and given to crawlers. Default true. */
  readonly pex?: boolean;
  /** How often addresses are sent to a peer. Default 30 s. */
  readonly pexInterval?: string | number;
  /** Probes addresses, hands them out, and then closes inbound connections. Default false. */
  readonly seedMode?: boolean;
  /** How often a node with enough peers tries another address, to check it and to mix the network. Default 2 min. */
  readonly feelerInterval?: string | number;
  /** Accepts loopback and private addresses into the address book. Default false. */
  readonly nonStrictAddresses?: boolean;
  /** Silence after the first byte that marks a crawl, not a handshake. Default 300 ms. */
  readonly crawlGrace?: string | number;
  /** Message types that are passed on to other peers, once each; `TYPE=N` to N peers. */
  readonly relay?: readonly string[];
  /** Memory for messages seen in the last 5 minutes, 16 bytes each; a power of two. Default 4 MiB, or what the preset says. */
  readonly gossipCache?: string | number;
  /** Bytes per second read from one peer, or `off`. Default `off`, or what the preset says. */
  readonly receiveRate?: string | number | null;
  /** Bytes per second sent to one peer, or `off`. Default `off`, or what the preset says. */
  readonly sendRate?: string | number | null;
  /** Messages per second read from one peer, or `off`. Default `off`. */
  readonly receiveMessages?: number | 'off' | null;
  /** Messages per second sent to one peer, or `off`. Default `off`. */
  readonly sendMessages?: number | 'off' | null;
  /** Worker threads, 1 to 64, or `auto`: one fewer than the cores, 1 to 4. Default `auto`. */
  readonly workers?: number | 'auto';
  /** A worker that hangs in a message handler for this long is replaced; `off`: never. Default 10 s. */
  readonly workerTimeout?: string | number | null;
  /**
   * Largest JavaScript heap of one worker; a worker that needs more is replaced. A text such as `512MiB`, or bytes; what
   * Buffers hold lies outside. Default 512 MiB.
   */
  readonly workerHeap?: string | number;
  /** Module of message handlers, loaded in every worker: the file URL or path of each. */
  readonly handlers?: readonly (string | URL)[];
  /** Time for a TCP connection to be established: a text such as `5s`, or milliseconds. Default 5 s. */
  readonly dialTimeout?: string | number;
  /** Time for a handshake to complete. Default 10 s. */
  readonly handshakeTimeout?: string | number;
  /** A peer that sends no byte for this long is disconnected. Default 30 s; longer than half of `pingInterval`. */
  readonly readTimeout?: string | number;
  /** A peer that takes no waiting byte for this long is disconnected. Default 5 s. */
  readonly writeTimeout?: string | number;
  /** Keep-alive; a peer that nothing was sent to for half of it is pinged. Default 30 s. */
  readonly pingInterval?: string | number;
  /** A peer with no traffic but pings for this long is disconnected. Default 5 min. */
  readonly inactivityTimeout?: string | number;
  /** Time a started frame has to arrive completely. Default 60 s. */
  readonly frameTimeout?: string | number;
  /** Time for handlers and writes to finish at shutdown. Default 4 s. */
  readonly shutdownTimeout?: string | number;
  /** Largest random fraction added to the wait between dials of one address, 0 to 1. Default 0.2. */
  readonly backoffJitter?: number;
  /** Bytes that may wait to be sent to one peer: a text such as `8MiB`, or bytes. Default 8 MiB. */
  readonly sendQueue?: string | number;
  /** Maximum bytes of rings, partial frames, queues and caches together. Default 512 MiB. */
  readonly memoryBudget?: string | number;
  /**
   * Receive ring of one connection, a power of two; takes memory only as data arrives. From 4 KiB to 64 MiB, or `auto`.
   * Default: what the preset says, or `auto`: 8 MiB, or what fits into half of the memory budget.
   */
  readonly ringSize?: string | number;
  /** Ring from one worker to the main thread, a power of two, from 64 KiB to 64 MiB. Default 1 MiB. */
  readonly outboundRing?: string | number;
  /** Lowest level that is logged. Default `info`. Not used with `logger`. */
  readonly logLevel?: LogLevel;
  /** Format of log lines. Default `pretty` on a terminal, else `json`. Not used with `logger`. */
  readonly logFormat?: LogFormat | null;
  /**
   * File that the log is appended to; SIGUSR2 reopens it, for log rotation (a program has `reopenLog` instead).
   * Default: standard output. Not used with `logger`.
   */
  readonly logFile?: string | null;
  /** Message types that are declared without a handler module. */
  readonly types?: TypeDeclarations;
  /** Logger to use instead of the node's own. */
  readonly logger?: Logger;
}

/** {@link NodeOptions} without what no text can say. */
export type RawOptions = Omit<NodeOptions, 'types' | 'logger'>;

type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;
/** True while the interface above and the table of options name the same keys; `resolve.ts` asserts it. */
export type OptionNamesAgree = Same<keyof RawOptions, OptionKey>;

/** Configuration as the program reads it: complete, validated, with units in the names. */
export interface Settings {
  readonly preset: PresetName;
  readonly chainId: string;
  /** Null: the ID of the node key. */
  readonly nodeId: string | null;
  /** Absolute path. */
  readonly dataDir: string;
  readonly listen: HostPort;
  /** Null: no admin HTTP. */
  readonly admin: HostPort | null;
  readonly adminToken: string | null;
  /** Null: what we listen on. */
  readonly externalAddress: HostPort | null;
  readonly seeds: readonly PeerAddress[];
  readonly persistentPeers: readonly PeerAddress[];
  readonly privatePeerIds: readonly string[];
  readonly unconditionalPeerIds: readonly string[];
  readonly maxPeers: number;
  readonly maxInbound: number;
  readonly maxOutbound: number;
  readonly minOutbound: number;
  readonly maxPerSubnet: number;
  readonly pex: boolean;
  readonly pexIntervalMs: number;
  readonly seedMode: boolean;
  readonly feelerIntervalMs: number;
  /** Only addresses that the internet routes go into the book. */
  readonly strictAddresses: boolean;
  readonly crawlGraceMs: number;
  readonly relay: readonly RelayedType[];
  /** Power of two. */
  readonly gossipCacheBytes: number;
  /** A second, for one peer; null: no limit. */
  readonly receiveRateBytes: number | null;
  readonly sendRateBytes: number | null;
  readonly receiveRateMessages: number | null;
  readonly sendRateMessages: number | null;
  readonly workers: number;
  /** Null: workers may take any time. */
  readonly workerTimeoutMs: number | null;
  readonly workerHeapBytes: number;
  /** File URLs. */
  readonly handlers: readonly string[];
  readonly dialTimeoutMs: number;
  readonly handshakeTimeoutMs: number;
  readonly readTimeoutMs: number;
  readonly writeTimeoutMs: number;
  readonly pingIntervalMs: number;
  readonly inactivityTimeoutMs: number;
  readonly frameTimeoutMs: number;
  readonly shutdownTimeoutMs: number;
  readonly backoffJitter: number;
  readonly sendQueueBytes: number;
  readonly memoryBudgetBytes: number;
  /** Power of two; null: as large as the memory budget has room for. */
  readonly ringBytes: number | null;
  /** Power of two. */
  readonly outboundRingBytes: number;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  /** Absolute path; null: standard output. */
  readonly logFile: string | null;
}
