/**
 * The node as a program that embeds it sees it: the type of what `createNode` returns. What it is made of stays inside, so
 * that a program's compiler needs no declarations but these. Main thread.
 */
import type { EventEmitter } from 'node:events';
import type {
  AddressInfo,
  BanInfo,
  BanOptions,
  BroadcastResult,
  DoctorReport,
  DrainOptions,
  DrainStatus,
  HistoryEntry,
  HistoryQuery,
  NodeEvents,
  NodeHealth,
  NodeStatus,
  PeerInfo,
  ReloadResult,
  SubscribedMessage,
} from './api.js';
import type { NodeOptions } from './config/settings.js';

/** A running node. Made by `createNode`; `await using` closes it. */
export interface Node extends EventEmitter<NodeEvents>, AsyncDisposable {
  readonly nodeId: string;
  readonly chainId: string;
  /** `host:port` that peers reach, with the real port. */
  readonly listen: string;
  /** `host:port` of the admin HTTP with the real port, null if it is off. */
  readonly admin: string | null;
  /** Settles when the node has closed, whoever asked for it; rejects if something of it failed on the way. */
  readonly closed: Promise<void>;

  /**
   * Sends a message to a connected peer: bytes, or a value for a type declared with `codec: 'msgpack'`. Settles once it
   * stands in the peer's send queue, and waits while that is full. It does not tell that the peer has read it.
   * @throws NodeError ERR_PAW_NOT_CONNECTED, ERR_PAW_SEND_QUEUE_FULL, ERR_PAW_MESSAGE
   */
  send(peerId: string, type: string, payload: unknown): Promise<void>;

  /**
   * Sends a message to all connected peers, whatever the `fanout` of its type. A peer whose send queue is full is passed
   * over and counted. Of a gossip type its echoes are duplicates from now on.
   * @throws NodeError ERR_PAW_MESSAGE
   */
  broadcast(type: string, payload: unknown, options?: { exclude?: string | readonly string[] }): BroadcastResult;

  /**
   * Calls `listener` on this thread for each message of a type that arrives from now on, each with a payload of its own.
   * It may be async. What it throws, or rejects with, is logged and emitted as `error`.
   * @returns ends it
   * @throws NodeError ERR_PAW_MESSAGE for what is no type of the application's
   */
  subscribe(type: string, listener: (message: SubscribedMessage) => void): () => void;

  /** Connected peers. */
  peers(): PeerInfo[];

  /**
   * Dials `host:port` or `id@host:port`. Settles when the handshake is through.
   * @throws ConfigError for an address that is none
   * @throws PeerError with the code of why it failed, NodeError ERR_PAW_DIAL_QUEUE_FULL
   */
  dial(address: string): Promise<PeerInfo>;

  /**
   * Closes the connection to a peer, telling it why.
   * @param code a value of `ErrorCode`; GoingAway unless given
   * @returns whether there was one
   * @throws ConfigError `code` for one that is no byte
   */
  disconnect(peerId: string, code?: number): boolean;

  /**
   * Bans an IP address, a CIDR range or `id:NODEID`, and cuts off whoever that is. Without `for` it lasts 24 h, then 7 d,
   * then 30 d, by how often the target was banned before. An ID is not proven: a ban by ID also hits whoever borrows it.
   * @throws ConfigError `target` or `for`, NodeError ERR_PAW_CLOSED once the node has closed its store
   */
  ban(target: string, options?: BanOptions): BanInfo;

  /**
   * Lifts a ban, and forgives: the target's reputation and its earlier bans are forgotten. @returns whether there was one.
   * @throws ConfigError `target`, NodeError ERR_PAW_CLOSED once the node has closed its store
   */
  unban(target: string): boolean;

  /** Bans in force, the newest first. */
  bans(): BanInfo[];

  /** What was refused, dropped, banned or failed, the newest first; the last 10,000 are kept. */
  history(query?: HistoryQuery): HistoryEntry[];

  /** The address book. */
  addresses(): AddressInfo[];

  /** Everything that the node counts. */
  stats(): NodeStatus;

  /** Whether the node does its work, and what it does with less than it should have. */
  health(): NodeHealth;

  /**
   * Examines the node: what is wrong, from what that is concluded, and what to do about it; the worst first. Dials the
   * node's own addresses, and takes less than 5 s. Whoever asks while it runs gets the same answer.
   * @throws NodeError ERR_PAW_CLOSED once the node closes
   */
  doctor(): Promise<DoctorReport>;

  /** The configuration in force, by key, as it would stand in a file; secrets only as whether they are set. */
  config(): Readonly<Record<string, unknown>>;

  /**
   * Takes up those of the options that can change while the node runs (the README's table says which), all at once or not
   * at all. Without options it reads what the program read at the start: file, environment, flags.
   * @param options all options, as `createNode` takes them; what is left out has its default
   * @returns what changed, and what would need a new start
   * @throws ConfigError for a wrong option, NodeError ERR_PAW_RELOAD when there are no options and nothing to read,
   * ERR_PAW_CLOSED once the node closes
   */
  reload(options?: NodeOptions): ReloadResult;

  /**
   * Reopens the log file, after it was renamed: no line is lost or split. `paw-p2p node` does it on SIGUSR2.
   * @returns whether that went well; if not, because there is no log file or it can't be opened, a line says so
   */
  reopenLog(): boolean;

  /**
   * Stops the node gently, as `close` does, but with more time: no more connections, peers are told, and everything that
   * arrived or waits to be sent comes to its end. `closed` settles when it is over. May be called again, which moves the
   * deadline only if `within` is given.
   * @returns how far it is
   * @throws ConfigError `within`
   */
  drain(options?: DrainOptions): DrainStatus;

  /**
   * Stops the node: no more connections, peers are told, what has arrived is dispatched, queued handlers and writes
   * finish, all within `shutdownTimeout`; with `drain: false` at once. May be called again. Rejects if a step of it failed
   * (the store could not be closed); the others are taken all the same.
   */
  close(options?: { drain?: boolean }): Promise<void>;
}
