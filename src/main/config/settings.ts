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
  /** Connection limits to start from. Default `default`. */
  readonly preset?: PresetName;
  /** 1 to 32 bytes; peers of another chain are refused. Default `paw-mainnet`. */
  readonly chainId?: string;
  /** Node ID to use instead of the one of the node key: 1 to 32 printable ASCII characters without `@`. */
  readonly nodeId?: string | null;
  /** Directory of the node key, used by one node at a time. Default `~/.paw/p2p`. */
  readonly dataDir?: string;
  /** `HOST:PORT` for peers; port 0 lets the system choose. Default `[::]:26656`: IPv6 and IPv4. */
  readonly listen?: string;
  /** `HOST:PORT` of the admin HTTP, or `off`. Default `127.0.0.1:26660`. */
  readonly admin?: string;
  /** Bearer token of the admin HTTP; needed when `admin` is not a loopback address. */
  readonly adminToken?: string | null;
  /** `HOST:PORT` where peers reach us, where that is not what we listen on. Told to others. */
  readonly externalAddress?: string | null;
  /** `HOST:PORT` of nodes that are asked for peers. Default: section 2.2 for `paw-mainnet`, none for other chains. */
  readonly seeds?: readonly string[] | null;
  /** `ID@HOST:PORT` or `HOST:PORT` of peers to stay connected to. */
  readonly persistentPeers?: readonly string[];
  /** Node IDs whose addresses are told to nobody. */
  readonly privatePeerIds?: readonly string[];
  /** Node IDs that do not count against the limits. */
  readonly unconditionalPeerIds?: readonly string[];
  /** Most peers. Default 100, or what the preset says. */
  readonly maxPeers?: number;
  /** Most inbound peers, at most `maxPeers`. Default 50, or what the preset says. */
  readonly maxInbound?: number;
  /** Most outbound peers, at most `maxPeers`. Default 50, or what the preset says. */
  readonly maxOutbound?: number;
  /** Outbound peers that are kept up, at most `maxOutbound`. Default 10. */
  readonly minOutbound?: number;
  /** Most inbound peers of one /24 (IPv4) or /64 (IPv6). Default 10. */
  readonly maxPerSubnet?: number;
  /** Whether addresses are exchanged with peers, and told to who crawls. Default true. */
  readonly pex?: boolean;
  /** How often a peer is told addresses. Default 30 s. */
  readonly pexInterval?: string | number;
  /** Looks for addresses, hands them out, and closes inbound connections after that. Default false. */
  readonly seedMode?: boolean;
  /** How often a node with enough peers tries another address, to know it and to mix the network. Default 2 min. */
  readonly feelerInterval?: string | number;
  /** Takes loopback and private addresses into the address book. Default false. */
  readonly nonStrictAddresses?: boolean;
  /** Silence after the first byte that tells a crawl from a handshake. Default 300 ms. */
  readonly crawlGrace?: string | number;
  /** Message types that are passed on to other peers, once each; `TYPE=N` to N peers. */
  readonly relay?: readonly string[];
  /** Memory for messages seen in the last 5 minutes, 16 bytes each, a power of two. Default 4 MiB. */
  readonly gossipCache?: string | number;
  /** Bytes a second that are read from one peer, or `off`. Default `off`, or what the preset says. */
  readonly receiveRate?: string | number | null;
  /** Bytes a second that are sent to one peer, or `off`. Default `off`, or what the preset says. */
  readonly sendRate?: string | number | null;
  /** Messages a second that are read from one peer, or `off`. Default `off`. */
  readonly receiveMessages?: number | 'off' | null;
  /** Messages a second that are sent to one peer, or `off`. Default `off`. */
  readonly sendMessages?: number | 'off' | null;
  /** Worker threads, 1 to 64, or `auto`: one less than the cores, 1 to 4. Default `auto`. */
  readonly workers?: number | 'auto';
  /** A worker that hangs in a message handler for so long is replaced, or `off`. Default 10 s. */
  readonly workerTimeout?: string | number | null;
  /**
   * Most JavaScript heap of one worker, a text such as `512MiB`, or bytes; one that needs more is replaced. What Buffers hold
   * lies outside. Default 512 MiB.
   */
  readonly workerHeap?: string | number;
  /** File URLs or paths of handler modules, loaded in every worker. */
  readonly handlers?: readonly (string | URL)[];
  /** Time for a TCP connection to come about: a text such as `5s`, or milliseconds. Default 5 s. */
  readonly dialTimeout?: string | number;
  /** Time for a handshake. Default 10 s. */
  readonly handshakeTimeout?: string | number;
  /** A peer that sends no byte for so long is disconnected. Default 30 s; longer than half of `pingInterval`. */
  readonly readTimeout?: string | number;
  /** A peer that accepts no waiting byte for so long is disconnected. Default 5 s. */
  readonly writeTimeout?: string | number;
  /** Keep-alive; a ping goes to a peer after half of it without sending. Default 30 s. */
  readonly pingInterval?: string | number;
  /** A peer with nothing but pings for so long is disconnected. Default 5 min. */
  readonly inactivityTimeout?: string | number;
  /** Time for a frame that has begun to arrive whole. Default 60 s. */
  readonly frameTimeout?: string | number;
  /** Time for handlers and writes to finish at shutdown. Default 4 s. */
  readonly shutdownTimeout?: string | number;
  /** Most random share added to the wait between dials of one address, 0 to 1. Default 0.2. */
  readonly backoffJitter?: number;
  /** Bytes that may wait to be sent to one peer: a text such as `8MiB`, or bytes. Default 8 MiB. */
  readonly sendQueue?: string | number;
  /** Most bytes of rings, partial frames and send queues together. Default 512 MiB. */
  readonly memoryBudget?: string | number;
  /** Receive ring of one connection, a power of two from 4 KiB to 64 MiB. Default: 8 MiB, or what fits. */
  readonly ringSize?: string | number;
  /** Ring from one worker to the main thread, a power of two from 64 KiB to 64 MiB. Default 1 MiB. */
  readonly outboundRing?: string | number;
  /** Least level that is logged. Default `info`. Not used with `logger`. */
  readonly logLevel?: LogLevel;
  /** How log lines look. Default `pretty` on a terminal, else `json`. Not used with `logger`. */
  readonly logFormat?: LogFormat | null;
  /** File that the log is appended to, opened anew by `reopenLog`. Default: standard output. Not used with `logger`. */
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
