/**
 * A running node: builds its parts, wires them together, and is the library's public face. Main thread. The only file
 * of this side that constructs things.
 */
import { randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { Unpackr } from 'msgpackr';
import type { Logger } from 'pino';
import { systemClock } from '../shared/clock.js';
import { ConfigError, ErrorCode, errorCodeName, NodeError } from '../shared/errors.js';
import { Arena } from '../shared/memory/arena.js';
import { arenaBytes, type Geometry } from '../shared/memory/arena-layout.js';
import { MemoryBudget } from '../shared/memory/memory-budget.js';
import { completePolicy } from '../shared/policy.js';
import { decodeDisconnect } from '../shared/wire/disconnect.js';
import { ControlType, encodeType } from '../shared/wire/message-type.js';
import { AdminServer } from './admin/server.js';
import type {
  BroadcastResult,
  NodeEvents,
  NodeHealth,
  NodeStatus,
  NodeView,
  PeerInfo,
  SubscribedMessage,
  TypeDeclarations,
} from './api.js';
import type { Settings } from './config/settings.js';
import { formatSize } from './config/size.js';
import { wrongValue } from './config/wrong-value.js';
import { type DataDir, openDataDir } from './data-dir.js';
import { EventLoopWatch } from './event-loop-watch.js';
import { readOrCreateNodeKey } from './identity.js';
import { createLogger, withContext } from './logger.js';
import { Acceptor } from './net/acceptor.js';
import { type PeerAddress, requirePeerAddress } from './net/address.js';
import type { Connection } from './net/connection.js';
import { ConnectionTable } from './net/connection-table.js';
import { Dialer } from './net/dialer.js';
import { OutboundPump, type RecordSink } from './net/outbound-pump.js';
import { PeerConnections } from './net/peer-connections.js';
import { PeerLog } from './peer-log.js';
import { PersistentPeers } from './peers/persistent-peers.js';
import { sweepIntervalMs } from './peers/timeouts.js';
import { WorkerGroup } from './pool/worker-group.js';
import { Postman } from './postman.js';
import { Statistics } from './statistics.js';
import { version } from './version.js';

/** Slots beyond the limits: for connections that are closing while their last frames are dispatched. */
const SPARE_SLOTS = 32;
/** Share of the memory budget that rings may take; the rest is for what moves. */
const RING_SHARE = 0.8;
const MIB = 2 ** 20;
/** How often message flow is logged at debug level. */
const FLOW_EVERY_MS = 1000;

/** What `startNode` takes beside settings. */
export interface NodeExtras {
  readonly types?: TypeDeclarations;
  readonly logger?: Logger;
}

/**
 * Starts a node.
 * @throws ConfigError for settings that don't go together
 * @throws NodeError ERR_PAW_DATA_DIR, ERR_PAW_LISTEN, ERR_PAW_HANDLER_MODULE, ERR_PAW_WORKER
 */
export async function startNode(settings: Settings, extras: NodeExtras = {}): Promise<Node> {
  const geometry = geometryOf(settings);
  checkTypes(extras.types ?? {});
  const dataDir = await openDataDir(settings.dataDir);
  try {
    const nodeId = settings.nodeId ?? readOrCreateNodeKey(dataDir.path).nodeId;
    const node = new Node(settings, extras, nodeId, dataDir, geometry);
    try {
      await node.start();
      return node;
    } catch (error) {
      await node.close({ drain: false });
      throw error;
    }
  } catch (error) {
    dataDir.release();
    throw error;
  }
}

/** Types are declared in every worker; what is wrong with one is told here, before anything starts. */
function checkTypes(types: TypeDeclarations): void {
  for (const [type, declaration] of Object.entries(types)) {
    try {
      encodeType(type);
      completePolicy(type, declaration, 'inline');
    } catch (error) {
      throw new ConfigError('types', `types: ${(error as Error).message}`);
    }
    if ((Object.values(ControlType) as string[]).includes(type)) {
      throw new ConfigError('types', `types: '${type}' belongs to the protocol`);
    }
  }
}

/** Slots and rings for these settings. @throws ConfigError if they don't fit the memory budget */
function geometryOf(settings: Settings): Geometry {
  const beyondLimits = settings.persistentPeers.length + settings.unconditionalPeerIds.length;
  const geometry = {
    slots: settings.maxPeers + beyondLimits + SPARE_SLOTS,
    ringBytes: settings.ringBytes,
    workers: settings.workers,
    outboundBytes: settings.outboundRingBytes,
  };
  const bytes = arenaBytes(geometry);
  if (bytes > settings.memoryBudgetBytes * RING_SHARE) {
    const needed = `at least ${Math.ceil(bytes / RING_SHARE / MIB)}MiB`;
    const why = `${geometry.slots} rings of ${formatSize(settings.ringBytes)} (or ringSize or maxPeers smaller)`;
    throw wrongValue('memoryBudget', formatSize(settings.memoryBudgetBytes), 'settings', `${needed} for ${why}`);
  }
  return geometry;
}

/** A running node. Made by `createNode`. */
export class Node extends EventEmitter<NodeEvents> implements NodeView, AsyncDisposable {
  readonly nodeId: string;
  readonly chainId: string;
  readonly #settings: Settings;
  readonly #clock = systemClock();
  readonly #startedMs = this.#clock.nowMs();
  readonly #log: Logger;
  readonly #peerLog: PeerLog;
  readonly #dataDir: DataDir;
  readonly #budget: MemoryBudget;
  readonly #statistics: Statistics;
  readonly #table: ConnectionTable;
  readonly #pump: OutboundPump;
  readonly #workers: WorkerGroup;
  readonly #postman: Postman;
  readonly #dialer: Dialer;
  readonly #connections: PeerConnections;
  readonly #persistent: PersistentPeers;
  readonly #acceptor: Acceptor;
  readonly #loopWatch: EventLoopWatch;
  readonly #unpackr = new Unpackr({ useRecords: false });
  #admin: AdminServer | null = null;
  #sweepTimer: NodeJS.Timeout | null = null;
  #listening = false;
  /** When message flow was last logged. */
  #flowMs = 0;
  #closing: Promise<void> | null = null;

  /** @internal Use `createNode`. */
  constructor(settings: Settings, extras: NodeExtras, nodeId: string, dataDir: DataDir, geometry: Geometry) {
    super();
    this.nodeId = nodeId;
    this.chainId = settings.chainId;
    this.#settings = settings;
    this.#dataDir = dataDir;
    const base = extras.logger ?? createLogger({ level: settings.logLevel, format: settings.logFormat });
    this.#log = withContext(base, { nodeId, chainId: settings.chainId });
    this.#peerLog = new PeerLog(this.#log, this.#clock);
    const arena = Arena.create(geometry);
    this.#budget = new MemoryBudget(arena);
    this.#budget.open(settings.memoryBudgetBytes, arena);
    this.#statistics = new Statistics(arena);
    this.#table = new ConnectionTable(arena);
    this.#pump = new OutboundPump({
      arena,
      budget: this.#budget,
      table: this.#table,
      sink: this.#recordSink(),
      counts: {
        sent: (connection, worker, type, frames) => this.#onSent(connection, worker, type, frames),
        skipped: (frames) => this.#statistics.count('sendsSkipped', frames),
      },
      sendQueueBytes: settings.sendQueueBytes,
    });
    this.#workers = new WorkerGroup(
      arena,
      this.#budget,
      { handlers: settings.handlers, types: extras.types ?? {}, sendQueueBytes: settings.sendQueueBytes },
      {
        log: (worker, notice) => this.#peerLog.fromWorker(worker, notice),
        pinnedTo: (worker) => this.#table.pinnedTo(worker),
        died: (worker, error) => {
          this.#log.error({ worker, error: error.message }, 'worker died, replacing it');
          this.#pump.recover(worker);
        },
        released: (connection) => this.#connections.released(connection),
        failing: (worker, error) => {
          this.#fail(new NodeError('ERR_PAW_WORKER', `worker ${worker} does not come up: ${error.message}`));
        },
      },
    );
    this.#postman = new Postman({
      pump: this.#pump,
      table: this.#table,
      statistics: this.#statistics,
      sendQueueBytes: settings.sendQueueBytes,
      policies: () => this.#workers.policies,
      want: (type, wanted) => this.#workers.subscribe(type, wanted),
      onError: (error) => this.#fail(error),
      onSent: (connection, table, type, frames) => this.#onSent(connection, table, type, frames),
    });
    this.#dialer = new Dialer({
      open: (dial) => {
        const connection = this.#connections.create('outbound');
        connection.persistent = dial.persistent !== null;
        connection.persistentPeer = dial.persistent;
        return connection;
      },
      attach: (connection, socket) => {
        this.#connections.attach(connection, socket);
        this.#peerLog.dialling(connection);
      },
      opened: (connection) => this.#connections.opened(connection),
      dropped: () => this.#statistics.count('dialsDropped'),
    });
    this.#persistent = new PersistentPeers(settings.persistentPeers, settings.backoffJitter, Math.random);
    this.#connections = new PeerConnections({
      settings,
      nodeId,
      clock: this.#clock,
      randomBytes,
      arena,
      table: this.#table,
      pump: this.#pump,
      workers: this.#workers,
      dialer: this.#dialer,
      persistent: this.#persistent,
      statistics: this.#statistics,
      events: {
        connected: (connection) => this.#onConnected(connection),
        disconnected: (connection, cause) => this.#onDisconnected(connection, cause),
        rejected: (connection, cause) => this.#onRejected(connection, cause),
        dialFailed: (connection, cause) => this.#peerLog.dialFailed(connection, cause),
        sendControl: (connection, type, payload) => this.#postman.control(connection, type, payload),
      },
    });
    this.#acceptor = new Acceptor(
      (socket) => this.#connections.accept(socket),
      (error) => this.#fail(error),
    );
    this.#loopWatch = new EventLoopWatch(sweepIntervalMs(settings), this.#clock.nowMs());
  }

  /** @internal Starts workers, then listens: a connection finds everything ready. */
  async start(): Promise<void> {
    const settings = this.#settings;
    await this.#workers.start();
    await this.#acceptor.listen(settings.listen.host, settings.listen.port);
    this.#listening = true;
    if (settings.admin !== null) {
      this.#admin = await AdminServer.start({
        node: this,
        host: settings.admin.host,
        port: settings.admin.port,
        token: settings.adminToken,
        logger: this.#log,
      });
    }
    this.#sweepTimer = setInterval(() => this.#sweep(), sweepIntervalMs(settings));
    this.#sweep();
    this.#log.info({ listen: this.listen, admin: this.admin ?? 'off' }, 'node ready');
  }

  /** `host:port` that peers reach, with the real port. */
  get listen(): string {
    return this.#acceptor.address;
  }

  /** `host:port` of the admin HTTP with the real port, null if it is off. */
  get admin(): string | null {
    return this.#admin?.address ?? null;
  }

  /**
   * Sends a message to a connected peer: bytes, or a value for a type declared with `codec: 'msgpack'`. Settles once it
   * stands in the peer's send queue, and waits while that is full. It does not tell that the peer has read it.
   * @throws NodeError ERR_PAW_NOT_CONNECTED, ERR_PAW_SEND_QUEUE_FULL, ERR_PAW_MESSAGE
   */
  send(peerId: string, type: string, payload: unknown): Promise<void> {
    return this.#postman.send(peerId, type, payload);
  }

  /** Sends a message to all connected peers. A peer whose send queue is full is passed over and counted. */
  broadcast(type: string, payload: unknown, options: { exclude?: string | readonly string[] } = {}): BroadcastResult {
    return this.#postman.broadcast(type, payload, [options.exclude ?? []].flat());
  }

  /** Calls `listener` on this thread for each message of a type that arrives from now on. @returns ends it */
  subscribe(type: string, listener: (message: SubscribedMessage) => void): () => void {
    return this.#postman.subscribe(type, listener);
  }

  /** Connected peers. */
  peers(): PeerInfo[] {
    return [...this.#table.connected()].map((connection) => this.#peerInfo(connection));
  }

  /**
   * Dials `host:port` or `id@host:port`. Settles when the handshake is through.
   * @throws ConfigError for an address that is none
   * @throws PeerError with the code of why it failed, NodeError ERR_PAW_DIAL_QUEUE_FULL
   */
  async dial(address: string): Promise<PeerInfo> {
    let parsed: PeerAddress;
    try {
      parsed = requirePeerAddress(address);
    } catch (error) {
      throw new ConfigError('address', (error as Error).message);
    }
    return new Promise((resolve, reject) => {
      this.#dialer.dial({ address: parsed, persistent: null, resolve, reject });
    });
  }

  /** Closes the connection to a peer, telling it why. @returns whether there was one */
  disconnect(peerId: string, code: number = ErrorCode.GoingAway): boolean {
    const connection = this.#table.byId(peerId);
    if (connection === undefined) return false;
    this.#connections.leave(connection, { code, reason: 'disconnected by us' }, { announce: true });
    return true;
  }

  /** Everything that the node counts. */
  stats(): NodeStatus {
    const { inbound, outbound } = this.#directions();
    const total = (name: Parameters<Statistics['total']>[0]) => this.#statistics.total(name);
    return {
      nodeId: this.nodeId,
      chainId: this.chainId,
      version,
      uptimeSeconds: (this.#clock.nowMs() - this.#startedMs) / 1000,
      listen: this.listen,
      admin: this.admin,
      peers: { total: inbound + outbound, inbound, outbound },
      messages: this.#statistics.messages(),
      bytes: { received: total('bytesReceived'), sent: total('bytesSent') },
      connections: this.#statistics.connections(this.#table.handshaking()),
      dials: {
        succeeded: total('dialsSucceeded'),
        failed: total('dialsFailed'),
        queued: this.#dialer.queued,
        dropped: total('dialsDropped'),
      },
      workers: Array.from({ length: this.#workers.size }, (_, worker) => ({
        messages: this.#statistics.worker(worker, 'messagesReceived'),
        lagMs: this.#statistics.lagMs(worker),
        restarts: this.#workers.restarts(worker),
      })),
      memory: { rss: process.memoryUsage.rss(), budget: this.#budget.budgetBytes, used: this.#budget.usedBytes },
      eventLoopLagMs: this.#loopWatch.lagMs,
    };
  }

  /** @internal For the admin HTTP. */
  status(): NodeStatus {
    return this.stats();
  }

  /** Whether the node does its work, and what it does with less than it should have. */
  health(): NodeHealth {
    const reasons: string[] = [];
    if (!this.#listening) reasons.push('not listening');
    if (this.#workers.liveCount < this.#workers.size) reasons.push('a worker is down');
    const degraded = this.#table.connectedCount === 0 ? ['no peers'] : [];
    return { ok: reasons.length === 0, reasons, degraded };
  }

  /**
   * Stops the node: no more connections, peers are told, what has arrived is dispatched, queued handlers and writes
   * finish, all within `shutdownTimeout`; with `drain: false` at once. May be called again.
   */
  close(options: { drain?: boolean } = {}): Promise<void> {
    this.#closing ??= this.#close(options.drain ?? true);
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** @internal Threads of the workers, for tests that kill them. */
  get workerThreads() {
    return this.#workers.threads;
  }

  async #close(drain: boolean): Promise<void> {
    const deadlineMs = this.#clock.nowMs() + (drain ? this.#settings.shutdownTimeoutMs : 0);
    const wasReady = this.#sweepTimer !== null;
    if (wasReady) this.#log.info({ peers: this.#table.connectedCount }, 'node closing');
    this.#listening = false;
    this.#acceptor.close();
    this.#dialer.stop();
    const cause = { code: ErrorCode.ShuttingDown, reason: 'shutting down' };
    this.#connections.leaveAll(cause);
    await this.#connections.drained(deadlineMs);
    if (this.#sweepTimer !== null) clearInterval(this.#sweepTimer);
    this.#connections.destroyAll(cause);
    await this.#workers.stop(Math.max(0, deadlineMs - this.#clock.nowMs()));
    this.#pump.stop();
    await this.#admin?.close();
    this.#dataDir.release();
    if (wasReady) this.#log.info('node closed');
  }

  #sweep(): void {
    const nowMs = this.#clock.nowMs();
    this.#loopWatch.tick(nowMs);
    this.#connections.sweep();
    if (this.#peerLog.showsFlow && nowMs - this.#flowMs >= FLOW_EVERY_MS) {
      this.#flowMs = nowMs;
      this.#peerLog.flow(this.#flows());
    }
    if (this.#closing !== null) return;
    for (const peer of this.#persistent.due(nowMs)) {
      const { id } = peer.address;
      if (id !== null && this.#table.byId(id) !== undefined) continue;
      // Those that find no place stay due: they were not dialled, so nothing failed.
      if (!this.#dialer.takesPersistent) break;
      peer.phase = 'dialling';
      const reject = () => this.#persistent.ended(peer, this.#clock.nowMs(), 0, 0);
      this.#dialer.dial({ address: peer.address, persistent: peer, resolve: () => undefined, reject });
    }
  }

  *#flows() {
    for (const connection of this.#table.connected()) {
      const { messagesReceived, messagesSent } = this.#peerInfo(connection);
      yield { connection, received: messagesReceived, sent: messagesSent };
    }
  }

  #onConnected(connection: Connection): void {
    const peer = this.#peerInfo(connection);
    this.#peerLog.connected(connection);
    this.emit('peer:connected', peer);
  }

  #onDisconnected(connection: Connection, cause: { code: number; reason: string }): void {
    this.#peerLog.disconnected(connection, cause);
    this.emit('peer:disconnected', peerEnd(connection, cause));
  }

  #onRejected(connection: Connection, cause: { code: number; reason: string }): void {
    this.#peerLog.rejected(connection, cause);
    this.emit('peer:rejected', peerEnd(connection, cause));
  }

  #onSent(connection: Connection, table: number, type: number, frames: number): void {
    const nowMs = this.#clock.nowMs();
    connection.lastSentMs = nowMs;
    if (!this.#statistics.countSent(connection, table, type, frames)) connection.lastMessageSentMs = nowMs;
  }

  #recordSink(): RecordSink {
    return {
      deliver: (connection, data) => this.#postman.deliver(connection, data),
      published: (worker, data) => this.emit('published', this.#unpackr.unpack(data), worker),
      pong: (connection, payload) => this.#connections.pong(connection, payload),
      disconnect: (connection, payload) => this.#connections.goodbye(connection, decodeDisconnect(payload)),
      violation: (connection, code) => {
        this.#peerLog.violation(connection, code);
        this.#connections.violation(connection, code);
      },
      released: (connection) => this.#connections.released(connection),
    };
  }

  #peerInfo(connection: Connection): PeerInfo {
    return this.#statistics.peer(connection, this.#clock.nowMs(), this.#clock.wallMs());
  }

  #directions(): { inbound: number; outbound: number } {
    let inbound = 0;
    for (const connection of this.#table.connected()) if (connection.direction === 'inbound') inbound++;
    return { inbound, outbound: this.#table.connectedCount - inbound };
  }

  /** A fault that no peer caused: to the log, and to whoever listens. */
  #fail(error: Error): void {
    this.#log.error({ error: error.message }, 'node error');
    if (this.listenerCount('error') > 0) this.emit('error', error);
  }
}

function peerEnd(connection: Connection, cause: { code: number; reason: string }) {
  const { peerId, address, direction } = connection;
  return { id: peerId, address, direction, code: cause.code, name: errorCodeName(cause.code), reason: cause.reason };
}
