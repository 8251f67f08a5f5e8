/**
 * A running node, the library's public face: the core (`node-core.ts`) with what an operator and a program need around
 * it: data directory, log, admin HTTP, doctor, reload, a way to stop. Main thread.
 */
import { EventEmitter } from 'node:events';
import type { Logger } from 'pino';
import type { Clock } from '../shared/clock.js';
import { ConfigError, ErrorCode, errorCodeName, NodeError } from '../shared/errors.js';
import { MAX_PUBLISHED_BYTES } from '../shared/limits.js';
import { arenaBytes, type Geometry } from '../shared/memory/arena-layout.js';
import { decodeValue } from '../shared/wire/msgpack.js';
import { AdminServer } from './admin/server.js';
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
  NodeTimings,
  NodeView,
  PeerInfo,
  ReloadResult,
  SubscribedMessage,
  TypeDeclarations,
} from './api.js';
import { checkTypes } from './config/check-types.js';
import { formatDuration } from './config/duration.js';
import { LiveSettings } from './config/live-settings.js';
import { settingsByKey } from './config/print.js';
import { resolveSettings } from './config/resolve.js';
import type { NodeOptions, Settings } from './config/settings.js';
import { type DataDir, openDataDir } from './data-dir.js';
import { dialAddress } from './dial-request.js';
import { addressInfo } from './discovery/address-info.js';
import { Doctor } from './doctor/doctor.js';
import { ReachSurvey } from './doctor/reach-survey.js';
import { SelfDials } from './doctor/self-dial.js';
import { drainTimeMs } from './drain-request.js';
import { EventQueue } from './event-queue.js';
import { geometryOf } from './geometry.js';
import { readOrCreateNodeKey } from './identity.js';
import { NodeLog } from './logger.js';
import type { Cause, Connection } from './net/connection.js';
import { PATIENCE_MS } from './net/memory-relief.js';
import { type CoreEvents, NodeCore } from './node-core.js';
import { PeerMemory } from './peer-memory.js';
import { banTarget, banTimeMs } from './peers/ban-request.js';
import { WorkerGroup } from './pool/worker-group.js';
import { nodeStatus } from './status.js';
import { Store } from './store/store.js';
import { systemWorld, type World } from './world.js';

/** Longest dial of an own address, so that the doctor has answered within 5 s. */
const SELF_DIAL_MS = 2500;

/** What `startNode` takes beside settings. */
export interface NodeExtras {
  readonly types?: TypeDeclarations;
  readonly logger?: Logger;
  /** Reads the settings anew for a reload. @throws ConfigError */
  readonly readSettings?: () => Settings;
}

/**
 * Starts a node.
 * @throws ConfigError for settings that don't go together
 * @throws NodeError ERR_PAW_DATA_DIR, ERR_PAW_LISTEN, ERR_PAW_HANDLER_MODULE, ERR_PAW_WORKER
 */
export async function startNode(settings: Settings, extras: NodeExtras = {}): Promise<Node> {
  const geometry = geometryOf(settings);
  checkTypes(extras.types ?? {});
  const world = systemWorld();
  const dataDir = await openDataDir(settings.dataDir);
  let log: NodeLog | null = null;
  try {
    const nodeId = settings.nodeId ?? readOrCreateNodeKey(dataDir.path).nodeId;
    log = NodeLog.open(settings, { nodeId, chainId: settings.chainId }, extras.logger);
    const live = new LiveSettings(settings, { slots: geometry.slots, arenaBytes: arenaBytes(geometry) });
    const store = await openStore(settings.dataDir, log.logger);
    const node = await orClose(store, () => {
      const memory = new PeerMemory(store, live.current, nodeId, world);
      // A copy: what the program does with its object later is for workers that replace others as well.
      const types = structuredClone(extras.types ?? {});
      const { readSettings = null } = extras;
      return new Node({ live, geometry, types, nodeId, dataDir, memory, world, log: log!, readSettings });
    });
    try {
      await node.start();
      return node;
    } catch (error) {
      // What fails now as well is told in the log.
      await node.close({ drain: false }).catch(() => undefined);
      throw error;
    }
  } catch (error) {
    dataDir.release();
    await log?.close();
    throw error;
  }
}

/** Makes something that keeps the store, which is closed if that fails. */
async function orClose<T>(store: Store, make: () => T): Promise<T> {
  try {
    return make();
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** Opens the store of a data directory, mending or moving aside what is damaged. */
function openStore(dataDir: string, log: Logger): Promise<Store> {
  return Store.open(dataDir, {
    log,
    onFault: (error) => log.error({ error: error.message }, 'the store cannot be written'),
  });
}

/** What a node is made of. */
interface NodeParts {
  readonly live: LiveSettings;
  readonly geometry: Geometry;
  readonly types: TypeDeclarations;
  readonly nodeId: string;
  readonly dataDir: DataDir;
  readonly memory: PeerMemory;
  readonly world: World;
  readonly log: NodeLog;
  readonly readSettings: (() => Settings) | null;
}

/** A running node. Made by `createNode`. */
export class Node extends EventEmitter<NodeEvents> implements NodeView, AsyncDisposable {
  readonly nodeId: string;
  readonly chainId: string;
  readonly #live: LiveSettings;
  readonly #settings: Settings;
  readonly #readSettings: (() => Settings) | null;
  readonly #clock: Clock;
  readonly #nodeLog: NodeLog;
  readonly #log: Logger;
  readonly #dataDir: DataDir;
  readonly #core: NodeCore;
  readonly #selfDials: SelfDials;
  readonly #reach: ReachSurvey;
  readonly #doctor: Doctor;
  readonly #happened = new EventQueue<NodeEvents>(this);
  #admin: AdminServer | null = null;
  #listening = false;
  /** Whether it ever was ready: what fails before is told by whoever started it. */
  #wasReady = false;
  #closing: Promise<void> | null = null;
  /** Once the node closes: since when, and when what is left is cut off. */
  #closingSinceMs = 0;
  #deadlineMs = 0;
  /** Until the store closes: what is banned after that would be forgotten. */
  #remembers = true;
  #tellClosed!: () => void;
  #tellNotClosed!: (error: unknown) => void;
  /** Settles when the node has closed, whoever asked for it; rejects if something of it failed on the way. */
  readonly closed: Promise<void> = new Promise((resolve, reject) => {
    this.#tellClosed = resolve;
    this.#tellNotClosed = reject;
  });

  /** @internal Use `createNode`. */
  constructor(parts: NodeParts) {
    const { live, geometry, types, nodeId, dataDir, memory, world, log } = parts;
    const settings = live.current;
    super();
    // Nobody has to listen: the log tells it, too.
    this.closed.catch(() => undefined);
    this.nodeId = nodeId;
    this.chainId = settings.chainId;
    this.#live = live;
    this.#settings = settings;
    this.#readSettings = parts.readSettings;
    this.#clock = world.clock;
    this.#dataDir = dataDir;
    this.#nodeLog = log;
    this.#log = log.logger;
    this.#core = new NodeCore({
      settings,
      geometry,
      types,
      nodeId,
      memory,
      world,
      log: log.logger,
      events: this.#coreEvents(),
      makeWorkers: ({ arena, budget, clock, options, events }) =>
        new WorkerGroup(arena, budget, clock, options, events),
    });
    const { hearsay, table, arena } = this.#core;
    const timeoutMs = () => Math.min(settings.dialTimeoutMs, SELF_DIAL_MS);
    this.#selfDials = new SelfDials({ chainId: settings.chainId, nodeId, timeoutMs });
    this.#reach = new ReachSurvey({
      settings,
      clock: world.clock,
      network: world.network,
      hearsay,
      selfDials: this.#selfDials,
      ownAddress: () => this.#core.ownAddress,
      connected: () => table.connected(),
    });
    this.#doctor = this.#makeDoctor(arena.buffer.byteLength);
  }

  #coreEvents(): CoreEvents {
    return {
      connected: (connection) => {
        if (connection.direction === 'inbound') this.#reach.cameIn(connection);
        // Looked up for listeners only, since peers come and go by the thousand.
        if (this.listenerCount('peer:connected') > 0)
          this.#happened.add('peer:connected', this.#core.peerInfo(connection));
      },
      disconnected: (connection, cause) => {
        if (this.listenerCount('peer:disconnected') > 0)
          this.#happened.add('peer:disconnected', peerEnd(connection, cause));
      },
      rejected: (connection, cause) => {
        if (this.listenerCount('peer:rejected') > 0) this.#happened.add('peer:rejected', peerEnd(connection, cause));
      },
      banned: (info) => this.#happened.add('peer:banned', info),
      published: (worker, data) => this.#published(worker, data),
      workerDied: (worker, reason) => this.#doctor.workerDied(worker, reason),
      workerReplaced: (worker, reason) => {
        const restarts = this.#core.workers.restarts(worker);
        this.#happened.add('worker:restarted', { worker, restarts, reason });
      },
      error: (error) => {
        if (this.listenerCount('error') > 0) this.#happened.add('error', error);
      },
      isOwnDial: (peerId) => this.#selfDials.arrives(peerId),
    };
  }

  #published(worker: number, data: Buffer): void {
    const decoded = decodeValue(data, MAX_PUBLISHED_BYTES);
    if (decoded.ok) this.#happened.add('published', decoded.value, worker);
    else this.#core.fail(new Error(`a published value can't be read: ${decoded.why}`));
  }

  #makeDoctor(fixedBytes: number): Doctor {
    return new Doctor({
      settings: this.#settings,
      nodeId: this.nodeId,
      clock: this.#clock,
      hearsay: this.#core.hearsay,
      reach: this.#reach,
      fixedBytes,
      lastRunAheadMs: this.#core.memory.lastRunAheadMs,
      status: () => this.stats(),
      timings: () => this.timings(),
      connected: () => this.#core.table.connected(),
      book: () => this.#core.memory.book.list(),
      isWanted: (who) => this.#core.record.conduct.judge(who) === null,
      seeds: () => this.#core.discovery.seeds(),
      persistent: () => this.#core.persistent.list(),
      history: (query) => this.history(query),
      worker: (index) => ({
        isLive: this.#core.workers.isLive(index),
        silentMs: this.#core.workers.silentMs(index, this.#clock.nowMs()),
        inHand: this.#core.workers.inHand(index),
      }),
      policies: () => this.#core.workers.policies,
      storeFault: () => this.#core.memory.fault,
      loopLagMs: () => this.#core.loopWatch.lastMinuteMs,
    });
  }

  /** @internal Starts workers, then listens: a connection finds everything ready. */
  async start(): Promise<void> {
    const settings = this.#settings;
    await this.#core.start();
    this.#listening = true;
    if (settings.admin !== null) {
      this.#admin = await AdminServer.start({
        node: this,
        host: settings.admin.host,
        port: settings.admin.port,
        token: () => this.#settings.adminToken,
        logger: this.#log,
      });
    }
    this.#wasReady = true;
    this.#core.run();
    this.#log.info({ listen: this.listen, admin: this.admin ?? 'off' }, 'node ready');
  }

  /** `host:port` that peers reach, with the real port. */
  get listen(): string {
    return this.#core.listen;
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
    return this.#core.postman.send(peerId, type, payload);
  }

  /** Sends a message to all connected peers. A peer whose send queue is full is passed over and counted. */
  broadcast(type: string, payload: unknown, options: { exclude?: string | readonly string[] } = {}): BroadcastResult {
    return this.#core.postman.broadcast(type, payload, [options.exclude ?? []].flat());
  }

  /** @internal For the admin HTTP, where payloads come as bytes whatever their type's codec. */
  broadcastBytes(type: string, payload: Uint8Array): BroadcastResult {
    return this.#core.postman.broadcastBytes(type, payload, []);
  }

  /** Calls `listener` on this thread for each message of a type that arrives from now on. @returns ends it */
  subscribe(type: string, listener: (message: SubscribedMessage) => void): () => void {
    return this.#core.postman.subscribe(type, listener);
  }

  /** Connected peers. */
  peers(): PeerInfo[] {
    return [...this.#core.table.connected()].map((connection) => this.#core.peerInfo(connection));
  }

  /** @internal For the admin HTTP. */
  peer(id: string): PeerInfo | null {
    const connection = this.#core.table.byId(id);
    return connection === undefined ? null : this.#core.peerInfo(connection);
  }

  /**
   * Dials `host:port` or `id@host:port`. Settles when the handshake is through.
   * @throws ConfigError for an address that is none
   * @throws PeerError with the code of why it failed, NodeError ERR_PAW_DIAL_QUEUE_FULL
   */
  async dial(address: string): Promise<PeerInfo> {
    return this.#core.dial(dialAddress(address), false);
  }

  /** Closes the connection to a peer, telling it why. @returns whether there was one */
  disconnect(peerId: string, code: number = ErrorCode.GoingAway): boolean {
    const connection = this.#core.table.byId(peerId);
    if (connection === undefined) return false;
    this.#core.connections.leave(connection, { code, reason: 'disconnected by us' }, { announce: true });
    return true;
  }

  /**
   * Bans an IP address, a CIDR range or `id:NODEID`, and cuts off whoever that is. Without `for` it lasts 24 h, then 7 d,
   * then 30 d, by how often the target was banned before. An ID is not proven: a ban by ID also hits whoever borrows it.
   * @throws ConfigError `target` or `for`, NodeError ERR_PAW_CLOSED once the node has closed its store
   */
  ban(target: string, options: BanOptions = {}): BanInfo {
    this.#mustRemember();
    const reason = options.reason ?? '';
    return this.#core.record.ban(banTarget(target), banTimeMs(options.for), reason);
  }

  /**
   * Lifts a ban and forgives what led to it. @returns whether there was one.
   * @throws ConfigError `target`, NodeError ERR_PAW_CLOSED once the node has closed its store
   */
  unban(target: string): boolean {
    this.#mustRemember();
    return this.#core.record.unban(banTarget(target));
  }

  /** Bans in force, the newest first. */
  bans(): BanInfo[] {
    return [...this.eachBan()];
  }

  /** @internal For the admin HTTP. */
  eachBan(): Generator<BanInfo> {
    return this.#core.record.eachBan();
  }

  /** What was refused, dropped, banned or failed, the newest first; the last 10,000 are kept. */
  history(query: HistoryQuery = {}): HistoryEntry[] {
    return [...this.eachHistory(query)];
  }

  /** @internal For the admin HTTP. */
  eachHistory(query: HistoryQuery): Generator<HistoryEntry> {
    return this.#core.record.eachHistory(query);
  }

  /** The address book. */
  addresses(): AddressInfo[] {
    return [...this.eachAddress()];
  }

  /** @internal For the admin HTTP. */
  *eachAddress(): Generator<AddressInfo> {
    for (const record of this.#core.memory.book.list()) yield addressInfo(record);
  }

  /** Everything that the node counts. */
  stats(): NodeStatus {
    const { statistics, table, workers, budget, dialer, memory, loopWatch, record } = this.#core;
    return nodeStatus({
      nodeId: this.nodeId,
      chainId: this.chainId,
      uptimeSeconds: this.#core.uptimeSeconds,
      listen: this.listen,
      admin: this.admin,
      statistics,
      table,
      workers,
      budget,
      dialsQueued: dialer.queued,
      discovery: this.#core.discoveryStatus(),
      lifetime: memory.lifetime(this.#core.runCounters()),
      eventLoopLagMs: loopWatch.lagMs,
      lastHour: record.lastHour(),
      draining: this.#drainStatus(),
    });
  }

  /** @internal For the admin HTTP. */
  status(): NodeStatus {
    return this.stats();
  }

  /** @internal For the admin HTTP. */
  timings(): NodeTimings {
    return this.#core.statistics.timings();
  }

  /** The configuration in force, by key, as it would stand in a file; secrets only as whether they are set. */
  config(): Readonly<Record<string, unknown>> {
    return settingsByKey(this.#settings);
  }

  /**
   * Takes up those of the options that can change while the node runs (the README's table says which), all at once or not
   * at all. Without options it reads what the program read at the start: file, environment, flags.
   * @param options all options, as `createNode` takes them; what is left out has its default
   * @returns what changed, and what would need a new start
   * @throws ConfigError for a wrong option, NodeError ERR_PAW_RELOAD when there are no options and nothing to read,
   * ERR_PAW_CLOSED once the node closes
   */
  reload(options?: NodeOptions): ReloadResult {
    if (this.#closing !== null) throw new NodeError('ERR_PAW_CLOSED', 'the node is closing');
    try {
      const result = this.#live.reload(this.#nextSettings(options));
      this.#nodeLog.setLevel(this.#settings.logLevel);
      this.#core.settingsChanged(new Set(result.applied.map(({ key }) => key)));
      this.#log.info(result, 'configuration reloaded');
      return result;
    } catch (error) {
      if (error instanceof ConfigError) {
        this.#log.error({ key: error.key, error: error.message }, 'configuration refused, nothing has changed');
      }
      throw error;
    }
  }

  /**
   * Stops the node gently, as `close` does, but with more time: no more connections, peers are told, and everything that
   * arrived or waits to be sent comes to its end. `closed` settles when it is over. May be called again, which moves the
   * deadline only if `within` is given.
   * @returns how far it is
   * @throws ConfigError `within`
   */
  drain(options: DrainOptions = {}): DrainStatus {
    const withinMs = drainTimeMs(options.within);
    const isFirst = this.#closing === null;
    if (isFirst || options.within !== undefined) this.#deadlineMs = this.#clock.nowMs() + withinMs;
    if (isFirst) this.#log.info({ within: formatDuration(withinMs) }, 'node draining');
    this.#closing ??= this.#beginClosing();
    return this.#drainStatus()!;
  }

  /** Whether the node does its work, and what it does with less than it should have. */
  health(): NodeHealth {
    const reasons: string[] = [];
    if (this.#closing !== null) reasons.push('draining');
    else if (!this.#listening) reasons.push('not listening');
    if (this.#core.workers.liveCount < this.#core.workers.size) reasons.push('a worker is down');
    const degraded: string[] = [];
    if (this.#core.table.connectedCount === 0) {
      degraded.push('no peers');
      if (this.#core.discovery.seedsFail) degraded.push('seeds unreachable, or they know nobody');
    }
    if (this.#core.relief.starvedMs >= PATIENCE_MS)
      degraded.push('memory is short: peers wait, or messages are left out');
    if (this.#core.memory.fault !== null) degraded.push(`store can't be written: ${this.#core.memory.fault.message}`);
    if (this.#nodeLog.fault !== null) degraded.push(`log can't be written: ${this.#nodeLog.fault}`);
    return { ok: reasons.length === 0, reasons, degraded };
  }

  /**
   * Examines the node: what is wrong, from what that is concluded, and what to do about it; the worst first. Dials the
   * node's own addresses, and takes less than 5 s. Whoever asks while it runs gets the same answer.
   * @throws NodeError ERR_PAW_CLOSED once the node closes
   */
  doctor(): Promise<DoctorReport> {
    return this.#doctor.examine();
  }

  /**
   * Opens the log file anew, after it was renamed: no line is lost or split. `paw-p2p node` does it on SIGUSR2.
   * @returns whether that went well; if not, because there is no log file or it can't be opened, a line says so
   */
  reopenLog(): boolean {
    return this.#nodeLog.reopen();
  }

  /**
   * Stops the node: no more connections, peers are told, what has arrived is dispatched, queued handlers and writes
   * finish, all within `shutdownTimeout`; with `drain: false` at once. May be called again. Rejects if a step of it failed
   * (the store could not be closed); the others are taken all the same.
   */
  close({ drain = true }: { drain?: boolean } = {}): Promise<void> {
    const deadlineMs = this.#clock.nowMs() + (drain ? this.#settings.shutdownTimeoutMs : 0);
    // Who has begun to close in his own time is hurried, never given more.
    this.#deadlineMs = this.#closing === null ? deadlineMs : Math.min(this.#deadlineMs, deadlineMs);
    this.#closing ??= this.#beginClosing();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** @internal Threads of the workers, for tests that kill them. */
  get workerThreads() {
    return (this.#core.workers as WorkerGroup).threads;
  }

  /** Begins to close. What fails is told by whoever asked for it, and by `closed`. */
  #beginClosing(): Promise<void> {
    const closing = this.#close();
    closing.then(this.#tellClosed, this.#tellNotClosed);
    return closing;
  }

  async #close(): Promise<void> {
    this.#closingSinceMs = this.#clock.wallMs();
    if (this.#wasReady) this.#log.info({ peers: this.#core.table.connectedCount }, 'node closing');
    this.#listening = false;
    this.#doctor.stop();
    const faults: unknown[] = [];
    // Each step whatever became of the one before: a lock, a port or a thread left behind would outlast the node.
    const step = async (run: () => unknown) => {
      try {
        await run();
      } catch (error) {
        faults.push(error);
        this.#core.fail(error instanceof Error ? error : new Error(String(error)));
      }
    };
    const discoveryStopped = step(() => this.#core.stopMeeting());
    await step(() =>
      this.#core.stop({ code: ErrorCode.ShuttingDown, reason: 'shutting down' }, () => this.#deadlineMs),
    );
    await discoveryStopped;
    this.#remembers = false;
    await step(() => this.#core.memory.close(this.#core.runCounters()));
    await step(() => this.#dataDir.release());
    // Last of what others see: who finds nobody there finds the data directory free.
    await step(() => this.#admin?.close());
    await step(() => this.#core.record.sweep(true));
    if (this.#wasReady) this.#log.info('node closed');
    await step(() => this.#nodeLog.close());
    if (faults.length > 0) throw faults[0];
  }

  #drainStatus(): DrainStatus | null {
    if (this.#closing === null) return null;
    let queuedBytes = 0;
    for (const { writer } of this.#core.table.all) queuedBytes += writer.queuedBytes;
    const leftMs = Math.max(0, this.#deadlineMs - this.#clock.nowMs());
    return {
      since: new Date(this.#closingSinceMs).toISOString(),
      until: new Date(this.#clock.wallMs() + leftMs).toISOString(),
      connections: this.#core.table.all.size,
      queuedMessages: this.#core.workers.queuedMessages(),
      queuedBytes,
    };
  }

  #mustRemember(): void {
    if (!this.#remembers) throw new NodeError('ERR_PAW_CLOSED', 'the node has closed');
  }

  #nextSettings(options: NodeOptions | undefined): Settings {
    if (options !== undefined) {
      const { types: _types, logger: _logger, ...library } = options;
      return resolveSettings({ library });
    }
    if (this.#readSettings !== null) return this.#readSettings();
    const message = 'nothing to reload: this node got its options from the program that it runs in';
    throw new NodeError('ERR_PAW_RELOAD', message);
  }
}

function peerEnd(connection: Connection, cause: Cause) {
  const { peerId, address, direction } = connection;
  return { id: peerId, address, direction, code: cause.code, name: errorCodeName(cause.code), reason: cause.reason };
}
