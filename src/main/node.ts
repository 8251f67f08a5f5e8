/**
 * A running node: builds its parts, wires them together, and is the library's public face. Main thread. The only file
 * of this side that constructs things.
 */
import { randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { Unpackr } from 'msgpackr';
import type { Logger } from 'pino';
import { type Clock, systemClock } from '../shared/clock.js';
import { errorTrace } from '../shared/error-trace.js';
import { ConfigError, ErrorCode, errorCodeName, NodeError, type PeerError } from '../shared/errors.js';
import { Arena } from '../shared/memory/arena.js';
import { arenaBytes, type Geometry } from '../shared/memory/arena-layout.js';
import { MemoryBudget } from '../shared/memory/memory-budget.js';
import { SeenTable } from '../shared/memory/seen-table.js';
import { decodeDisconnect } from '../shared/wire/disconnect.js';
import { HASH_KEY_BYTES, MessageHash } from '../shared/wire/message-hash.js';
import { ControlType } from '../shared/wire/message-type.js';
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
import { addressInfo } from './discovery/address-info.js';
import { CrawlResponder } from './discovery/crawl-responder.js';
import { Discovery } from './discovery/discovery.js';
import { Hearsay } from './discovery/hearsay.js';
import { OwnAddress, resolveExternal } from './discovery/own-address.js';
import { PeerExchange } from './discovery/peer-exchange.js';
import { Doctor } from './doctor/doctor.js';
import { ReachSurvey } from './doctor/reach-survey.js';
import { SelfDials } from './doctor/self-dial.js';
import { drainTimeMs } from './drain-request.js';
import { EventLoopWatch } from './event-loop-watch.js';
import { geometryOf } from './geometry.js';
import { readOrCreateNodeKey } from './identity.js';
import { NodeLog } from './logger.js';
import { Acceptor } from './net/acceptor.js';
import { type PeerAddress, requirePeerAddress } from './net/address.js';
import type { Cause, Connection } from './net/connection.js';
import { ConnectionTable } from './net/connection-table.js';
import { Dialer } from './net/dialer.js';
import { Evictions } from './net/evictions.js';
import { OutboundPump, type RecordSink } from './net/outbound-pump.js';
import { PeerConnections } from './net/peer-connections.js';
import { PeerLog } from './peer-log.js';
import { PeerMemory, type RunCounters } from './peer-memory.js';
import { PeerRecord } from './peer-record.js';
import { banTarget, banTimeMs } from './peers/ban-request.js';
import type { BanRecord } from './peers/bans.js';
import { FanOut } from './peers/fan-out.js';
import { History } from './peers/history.js';
import { HourTally } from './peers/hour-tally.js';
import { PersistentPeers } from './peers/persistent-peers.js';
import { sweepIntervalMs } from './peers/timeouts.js';
import { WorkerGroup } from './pool/worker-group.js';
import { Postman } from './postman.js';
import { Statistics } from './statistics.js';
import { nodeStatus } from './status.js';

/** How often what needs no hurry is done: message flow in the log, credit for service, lifetime counters. */
const LEISURE_EVERY_MS = 1000;
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
  const clock = systemClock();
  const dataDir = await openDataDir(settings.dataDir);
  let log: NodeLog | null = null;
  try {
    const nodeId = settings.nodeId ?? readOrCreateNodeKey(dataDir.path).nodeId;
    log = NodeLog.open(settings, { nodeId, chainId: settings.chainId }, extras.logger);
    const live = new LiveSettings(settings, { slots: geometry.slots, arenaBytes: arenaBytes(geometry) });
    const memory = await PeerMemory.open(live.current, nodeId, log.logger, clock);
    const { types = {}, readSettings = null } = extras;
    const node = new Node({ live, geometry, types, nodeId, dataDir, memory, clock, log, readSettings });
    try {
      await node.start();
      return node;
    } catch (error) {
      await node.close({ drain: false });
      throw error;
    }
  } catch (error) {
    dataDir.release();
    await log?.close();
    throw error;
  }
}

/** What a node is made of. */
interface NodeParts {
  readonly live: LiveSettings;
  readonly geometry: Geometry;
  readonly types: TypeDeclarations;
  readonly nodeId: string;
  readonly dataDir: DataDir;
  readonly memory: PeerMemory;
  readonly clock: Clock;
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
  readonly #startedMs: number;
  readonly #nodeLog: NodeLog;
  readonly #log: Logger;
  readonly #peerLog: PeerLog;
  readonly #dataDir: DataDir;
  readonly #memory: PeerMemory;
  readonly #record: PeerRecord;
  readonly #budget: MemoryBudget;
  readonly #statistics: Statistics;
  readonly #table: ConnectionTable;
  readonly #pump: OutboundPump;
  readonly #workers: WorkerGroup;
  readonly #postman: Postman;
  readonly #dialer: Dialer;
  readonly #crawls: CrawlResponder;
  readonly #exchange: PeerExchange | null;
  readonly #discovery: Discovery;
  readonly #connections: PeerConnections;
  readonly #persistent: PersistentPeers;
  readonly #evictions: Evictions;
  readonly #acceptor: Acceptor;
  readonly #loopWatch: EventLoopWatch;
  readonly #hearsay = new Hearsay();
  readonly #selfDials: SelfDials;
  readonly #reach: ReachSurvey;
  readonly #doctor: Doctor;
  readonly #unpackr = new Unpackr({ useRecords: false });
  /** Set once we listen; nobody is connected before. */
  #ownAddress!: OwnAddress;
  #admin: AdminServer | null = null;
  #sweepTimer: NodeJS.Timeout | null = null;
  #listening = false;
  #leisureMs = 0;
  #closing: Promise<void> | null = null;
  /** Once the node closes: since when, and when what is left is cut off. */
  #closingSinceMs = 0;
  #deadlineMs = 0;
  #tellClosed!: () => void;
  /** Settles when the node has closed, whoever asked for it. */
  readonly closed: Promise<void> = new Promise((resolve) => {
    this.#tellClosed = resolve;
  });

  /** @internal Use `createNode`. */
  constructor(parts: NodeParts) {
    const { live, geometry, types, nodeId, dataDir, memory, clock, log } = parts;
    const settings = live.current;
    super();
    this.nodeId = nodeId;
    this.chainId = settings.chainId;
    this.#live = live;
    this.#settings = settings;
    this.#readSettings = parts.readSettings;
    this.#clock = clock;
    this.#startedMs = clock.nowMs();
    this.#dataDir = dataDir;
    this.#memory = memory;
    this.#nodeLog = log;
    this.#log = log.logger;
    this.#peerLog = new PeerLog(this.#log, clock);
    this.#record = new PeerRecord({
      log: this.#peerLog,
      history: new History(),
      lastHour: new HourTally(),
      bans: memory.bans,
      reputation: memory.reputation,
      clock,
      banned: (ban, info) => {
        this.#cutOff(ban);
        this.emit('peer:banned', info);
      },
    });
    const arena = Arena.create(geometry);
    this.#budget = new MemoryBudget(arena);
    this.#budget.open(settings.memoryBudgetBytes, arena);
    this.#statistics = new Statistics(arena, (connection) => this.#record.score(connection));
    this.#table = new ConnectionTable(arena);
    const fanOut = new FanOut<Connection>({
      describe: (connection) => ({
        id: connection.peerId!,
        reputation: this.#record.score(connection),
        netGroup: connection.netGroup,
      }),
      random: Math.random,
      nowMs: () => clock.nowMs(),
    });
    const gossipKey = randomBytes(HASH_KEY_BYTES);
    const ownGossip = new MessageHash(gossipKey);
    const seen = new SeenTable(arena, settings.workers);
    this.#pump = new OutboundPump({
      arena,
      budget: this.#budget,
      table: this.#table,
      sink: this.#recordSink(),
      counts: {
        sent: (connection, worker, type, frames) => this.#onSent(connection, worker, type, frames),
        skipped: (frames) => this.#statistics.count('sendsSkipped', frames),
        relayed: (frames) => this.#statistics.count('gossipRelayed', frames),
      },
      relayTargets: (connections, fanout) => fanOut.choose(connections, fanout),
      sendQueueBytes: settings.sendQueueBytes,
      turnBegins: () => this.#workers.wake(),
    });
    this.#workers = new WorkerGroup(
      arena,
      this.#budget,
      clock,
      { handlers: settings.handlers, types, sendQueueBytes: settings.sendQueueBytes, relay: settings.relay, gossipKey },
      {
        log: (worker, notice) => this.#peerLog.fromWorker(worker, notice),
        pinnedTo: (worker) => this.#table.pinnedTo(worker),
        died: (worker, error) => {
          this.#log.error({ worker, ...errorTrace(error) }, 'worker died, replacing it');
          this.#pump.recover(worker);
          this.#doctor.workerDied(worker, error.message);
          this.emit('worker:restarted', { worker, restarts: this.#workers.restarts(worker), reason: error.message });
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
      remember: (type, payload) => {
        ownGossip.take(type, payload);
        seen.remember(ownGossip.high, ownGossip.low, clock.nowMs());
      },
      onError: (error) => {
        this.#peerLog.subscriberFailed(error);
        this.#emitError(error);
      },
      onSent: (connection, table, type, frames) => this.#onSent(connection, table, type, frames),
    });
    this.#dialer = new Dialer({
      open: (dial) => {
        const connection = this.#connections.create('outbound');
        connection.persistent = dial.persistent !== null;
        connection.persistentPeer = dial.persistent;
        connection.feeler = dial.feeler;
        return connection;
      },
      attach: (connection, socket) => {
        this.#connections.attach(connection, socket);
        this.#peerLog.dialling(connection);
      },
      opened: (connection) => this.#connections.opened(connection),
      dropped: () => this.#statistics.count('dialsDropped'),
    });
    this.#persistent = new PersistentPeers(settings, Math.random);
    this.#crawls = new CrawlResponder((max) => memory.book.reached(max, clock.wallMs()));
    this.#exchange = settings.pex ? this.#peerExchange() : null;
    this.#discovery = new Discovery({
      settings,
      nodeId,
      clock,
      random: Math.random,
      log: this.#log,
      book: memory.book,
      exchange: this.#exchange,
      hearsay: this.#hearsay,
      anchors: memory.anchors,
      connected: () => this.#table.connected(),
      dial: (address, { feeler }) => this.#dial(address, feeler),
      leave: (peerId, cause) => {
        const connection = this.#table.byId(peerId);
        if (connection !== undefined) this.#connections.leave(connection, cause, { announce: true });
      },
      isWanted: (who) => this.#record.conduct.judge(who) === null,
      keepAnchors: (anchors) => memory.keepAnchors(anchors),
      crawlFailed: (seed, cause) => this.#record.crawlFailed(seed, cause),
    });
    this.#connections = new PeerConnections({
      settings,
      nodeId,
      clock,
      randomBytes,
      arena,
      table: this.#table,
      pump: this.#pump,
      workers: this.#workers,
      dialer: this.#dialer,
      persistent: this.#persistent,
      statistics: this.#statistics,
      crawls: this.#crawls,
      judge: (ip, id) => this.#record.conduct.judge({ ip, id }),
      isOwnDial: (shownId) => this.#selfDials.arrives(shownId),
      chooseEviction: () => this.#evictions.forNewcomer(),
      sendControl: (connection, type, payload) => this.#postman.control(connection, type, payload),
      events: {
        reached: (connection) => this.#discovery.reached(connection),
        connected: (connection) => this.#onConnected(connection),
        disconnected: (connection, cause) => this.#onDisconnected(connection, cause),
        rejected: (connection, cause) => this.#onRejected(connection, cause),
        dialFailed: (connection, cause) => this.#record.dialFailed(connection, cause),
        timedOut: (connection, cause) => this.#record.timedOut(connection, cause),
        grossExcess: (connection) => this.#record.grossExcess(connection),
      },
    });
    this.#evictions = new Evictions({
      table: this.#table,
      score: (connection) => this.#record.score(connection),
      lastMessageMs: (connection) => this.#connections.lastMessageMs(connection),
    });
    this.#acceptor = new Acceptor(
      (adopt) => this.#connections.accept(adopt),
      (error) => this.#fail(error),
    );
    this.#loopWatch = new EventLoopWatch(sweepIntervalMs(settings), clock.nowMs(), (lateMs) =>
      this.#statistics.time('eventLoopDelay', lateMs),
    );
    const timeoutMs = Math.min(settings.dialTimeoutMs, SELF_DIAL_MS);
    this.#selfDials = new SelfDials({ chainId: settings.chainId, nodeId, timeoutMs });
    this.#reach = new ReachSurvey({
      settings,
      clock,
      hearsay: this.#hearsay,
      selfDials: this.#selfDials,
      ownAddress: () => this.#ownAddress,
      connected: () => this.#table.connected(),
    });
    this.#doctor = this.#makeDoctor(arena.buffer.byteLength);
  }

  #makeDoctor(fixedBytes: number): Doctor {
    return new Doctor({
      settings: this.#settings,
      nodeId: this.nodeId,
      clock: this.#clock,
      hearsay: this.#hearsay,
      reach: this.#reach,
      fixedBytes,
      lastRunAheadMs: this.#memory.lastRunAheadMs,
      status: () => this.stats(),
      connected: () => this.#table.connected(),
      book: () => this.#memory.book.list(),
      isWanted: (who) => this.#record.conduct.judge(who) === null,
      seeds: () => this.#discovery.seeds(),
      persistent: () => this.#persistent.list(),
      history: (query) => this.#record.history(query),
      worker: (index) => ({
        isLive: this.#workers.isLive(index),
        sinceTurnMs: this.#workers.sinceTurnMs(index, this.#clock.nowMs()),
        inHand: this.#workers.inHand(index),
      }),
      policies: () => this.#workers.policies,
      storeFault: () => this.#memory.fault,
      loopLagMs: () => this.#loopWatch.lastMinuteMs,
    });
  }

  /** @internal Starts workers, then listens: a connection finds everything ready. */
  async start(): Promise<void> {
    const settings = this.#settings;
    await this.#workers.start();
    const external = await resolveExternal(settings, this.#log);
    await this.#acceptor.listen(settings.listen.host, settings.listen.port);
    // In the same turn: a connection may be there in the next.
    this.#ownAddress = new OwnAddress(this.#acceptor.address, external);
    this.#listening = true;
    for (const own of this.#ownAddress.all) this.#discovery.own(own);
    if (settings.admin !== null) {
      this.#admin = await AdminServer.start({
        node: this,
        host: settings.admin.host,
        port: settings.admin.port,
        token: () => this.#settings.adminToken,
        logger: this.#log,
      });
    }
    this.#workers.watch(settings.workerTimeoutMs);
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

  /** @internal For the admin HTTP, where payloads come as bytes whatever their type's codec. */
  broadcastBytes(type: string, payload: Uint8Array): BroadcastResult {
    return this.#postman.broadcastBytes(type, payload, []);
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
    return this.#dial(parsed, false);
  }

  /** Closes the connection to a peer, telling it why. @returns whether there was one */
  disconnect(peerId: string, code: number = ErrorCode.GoingAway): boolean {
    const connection = this.#table.byId(peerId);
    if (connection === undefined) return false;
    this.#connections.leave(connection, { code, reason: 'disconnected by us' }, { announce: true });
    return true;
  }

  /**
   * Bans an IP address, a CIDR range or `id:NODEID`, and cuts off whoever that is. Without `for` it lasts 24 h, then 7 d,
   * then 30 d, by how often the target was banned before. An ID is not proven: a ban by ID also hits whoever borrows it.
   * @throws ConfigError `target` or `for`
   */
  ban(target: string, options: BanOptions = {}): BanInfo {
    const reason = options.reason ?? '';
    return this.#record.ban(banTarget(target), banTimeMs(options.for), reason);
  }

  /** Lifts a ban. @returns whether there was one. @throws ConfigError `target` */
  unban(target: string): boolean {
    return this.#record.unban(banTarget(target));
  }

  /** Bans in force. */
  bans(): BanInfo[] {
    return this.#record.bans();
  }

  /** What was refused, dropped, banned or failed, the newest first; the last 10,000 are kept. */
  history(query: HistoryQuery = {}): HistoryEntry[] {
    return this.#record.history(query);
  }

  /** The address book. */
  addresses(): AddressInfo[] {
    return [...this.eachAddress()];
  }

  /** @internal For the admin HTTP. */
  *eachAddress(): Generator<AddressInfo> {
    for (const record of this.#memory.book.list()) yield addressInfo(record);
  }

  /** Everything that the node counts. */
  stats(): NodeStatus {
    const pex = this.#exchange?.counts ?? { received: 0, sent: 0, learned: 0 };
    const { learned, crawls, crawlsFailed } = this.#discovery.counts;
    const { known, tried } = this.#memory.book.counts();
    return nodeStatus({
      nodeId: this.nodeId,
      chainId: this.chainId,
      uptimeSeconds: this.#uptimeSeconds,
      listen: this.listen,
      admin: this.admin,
      statistics: this.#statistics,
      table: this.#table,
      workers: this.#workers,
      budget: this.#budget,
      dialsQueued: this.#dialer.queued,
      discovery: {
        known,
        tried,
        pexReceived: pex.received,
        pexSent: pex.sent,
        addressesLearned: pex.learned + learned,
        crawls,
        crawlsFailed,
        crawlsServed: this.#crawls.served,
        crawlsRefused: this.#crawls.refused,
        feelers: this.#statistics.total('feelers'),
        evictions: this.#statistics.total('evictions'),
        bans: this.#memory.bans.count(this.#clock.wallMs()),
      },
      lifetime: this.#memory.lifetime(this.#runCounters()),
      eventLoopLagMs: this.#loopWatch.lagMs,
      lastHour: this.#record.lastHour(),
      draining: this.#drainStatus(),
    });
  }

  /** @internal For the admin HTTP. */
  status(): NodeStatus {
    return this.stats();
  }

  /** @internal For the admin HTTP. */
  timings(): NodeTimings {
    return this.#statistics.timings();
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
      this.#settingsChanged(new Set(result.applied.map(({ key }) => key)));
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
    this.#closing ??= this.#close();
    return this.#drainStatus()!;
  }

  /** Whether the node does its work, and what it does with less than it should have. */
  health(): NodeHealth {
    const reasons: string[] = [];
    if (this.#closing !== null) reasons.push('draining');
    else if (!this.#listening) reasons.push('not listening');
    if (this.#workers.liveCount < this.#workers.size) reasons.push('a worker is down');
    const degraded: string[] = [];
    if (this.#table.connectedCount === 0) {
      degraded.push('no peers');
      if (this.#discovery.seedsFail) degraded.push('seeds unreachable, or they know nobody');
    }
    if (this.#memory.fault !== null) degraded.push(`store can't be written: ${this.#memory.fault.message}`);
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
   * finish, all within `shutdownTimeout`; with `drain: false` at once. May be called again.
   */
  close({ drain = true }: { drain?: boolean } = {}): Promise<void> {
    const deadlineMs = this.#clock.nowMs() + (drain ? this.#settings.shutdownTimeoutMs : 0);
    // Who has begun to close in his own time is hurried, never given more.
    this.#deadlineMs = this.#closing === null ? deadlineMs : Math.min(this.#deadlineMs, deadlineMs);
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** @internal Threads of the workers, for tests that kill them. */
  get workerThreads() {
    return this.#workers.threads;
  }

  async #close(): Promise<void> {
    this.#closingSinceMs = this.#clock.wallMs();
    const wasReady = this.#sweepTimer !== null;
    if (wasReady) this.#log.info({ peers: this.#table.connectedCount }, 'node closing');
    this.#listening = false;
    this.#acceptor.close();
    this.#dialer.stop();
    this.#doctor.stop();
    const discoveryStopped = this.#discovery.stop();
    const cause = { code: ErrorCode.ShuttingDown, reason: 'shutting down' };
    this.#connections.leaveAll(cause);
    await this.#connections.drained(() => this.#deadlineMs);
    if (this.#sweepTimer !== null) clearInterval(this.#sweepTimer);
    this.#connections.destroyAll(cause);
    await this.#workers.stop(Math.max(0, this.#deadlineMs - this.#clock.nowMs()));
    this.#pump.stop();
    await this.#admin?.close();
    await discoveryStopped;
    await this.#memory.close(this.#runCounters());
    this.#dataDir.release();
    this.#record.sweep(true);
    if (wasReady) this.#log.info('node closed');
    await this.#nodeLog.close();
    this.#tellClosed();
  }

  #drainStatus(): DrainStatus | null {
    if (this.#closing === null) return null;
    let queuedBytes = 0;
    for (const { writer } of this.#table.all) queuedBytes += writer.queuedBytes;
    const leftMs = Math.max(0, this.#deadlineMs - this.#clock.nowMs());
    return {
      since: new Date(this.#closingSinceMs).toISOString(),
      until: new Date(this.#clock.wallMs() + leftMs).toISOString(),
      connections: this.#table.all.size,
      queuedMessages: this.#workers.queuedMessages(),
      queuedBytes,
    };
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

  /** Tells those that keep something of the settings in a form of their own; the others read them when they need them. */
  #settingsChanged(keys: ReadonlySet<string>): void {
    const settings = this.#settings;
    this.#nodeLog.setLevel(settings.logLevel);
    this.#budget.resize(settings.memoryBudgetBytes);
    if (keys.has('relay')) this.#workers.relay(settings.relay);
    if (keys.has('workerTimeout')) this.#workers.watch(settings.workerTimeoutMs);
    this.#memory.settingsChanged();
    this.#persistent.renew();
    this.#connections.settingsChanged(keys);
    for (
      let victim = this.#evictions.overLimit(settings);
      victim !== null;
      victim = this.#evictions.overLimit(settings)
    ) {
      const cause = { code: ErrorCode.PeerLimitReached, reason: 'the limit was lowered' };
      this.#connections.leave(victim, cause, { announce: true });
    }
    this.#discovery.settingsChanged(keys);
    if (this.#sweepTimer === null) return;
    clearInterval(this.#sweepTimer);
    const everyMs = sweepIntervalMs(settings);
    this.#loopWatch.setInterval(everyMs, this.#clock.nowMs());
    this.#sweepTimer = setInterval(() => this.#sweep(), everyMs);
  }

  #sweep(): void {
    const nowMs = this.#clock.nowMs();
    this.#loopWatch.tick(nowMs);
    this.#connections.sweep();
    if (nowMs - this.#leisureMs >= LEISURE_EVERY_MS) {
      this.#leisureMs = nowMs;
      if (this.#peerLog.showsFlow) this.#peerLog.flow(this.#flows());
      this.#record.sweep();
      this.#record.creditService(this.#table.connected());
      this.#memory.sweep(this.#runCounters());
    }
    if (this.#closing !== null) return;
    this.#discovery.tick();
    for (const peer of this.#persistent.due(nowMs)) {
      const { id } = peer.address;
      if (id !== null && this.#table.byId(id)?.persistent === true) continue;
      // Those that find no place stay due: they were not dialled, so nothing failed.
      if (!this.#dialer.takesPersistent) break;
      peer.phase = 'dialling';
      const reject = (error: PeerError | NodeError) => this.#persistent.failed(peer, this.#clock.nowMs(), error);
      this.#dialer.dial({ address: peer.address, persistent: peer, feeler: false, resolve: () => undefined, reject });
    }
  }

  *#flows() {
    for (const connection of this.#table.connected()) {
      const { messagesReceived, messagesSent } = this.#peerInfo(connection);
      yield { connection, received: messagesReceived, sent: messagesSent };
    }
  }

  /** Settles when the handshake is through. Rejects with PeerError or NodeError. */
  #dial(address: PeerAddress, feeler: boolean): Promise<PeerInfo> {
    return new Promise((resolve, reject) => {
      this.#dialer.dial({ address, persistent: null, feeler, resolve, reject });
    });
  }

  #peerExchange(): PeerExchange {
    return new PeerExchange({
      nodeId: this.nodeId,
      settings: this.#settings,
      book: this.#memory.book,
      clock: this.#clock,
      own: () => this.#ownAddress,
      isWanted: (who) => this.#record.conduct.judge(who) === null,
      fault: (event, connection) => this.#record.pexFault(event, connection),
      hearsay: this.#hearsay,
      send: (connection, payload) => this.#postman.control(connection, ControlType.pexPeers, payload),
      served: (connection) => {
        const cause = { code: ErrorCode.GoingAway, reason: 'a seed: you have been told peers' };
        this.#connections.leave(connection, cause, { announce: true });
      },
    });
  }

  /** Cuts off everybody that a new ban is for. */
  #cutOff(ban: BanRecord): void {
    const nowMs = this.#clock.wallMs();
    const cause = { code: ErrorCode.Banned, reason: ban.reason === '' ? 'banned' : `banned: ${ban.reason}` };
    for (const connection of [...this.#table.all]) {
      if (this.#memory.bans.check({ ip: connection.ip, id: connection.peerId }, nowMs) === null) continue;
      this.#connections.cutOff(connection, cause);
    }
  }

  #onConnected(connection: Connection): void {
    // As it was before anything came of it; looked up for listeners only, since peers come and go by the thousand.
    const peer = this.listenerCount('peer:connected') > 0 ? this.#peerInfo(connection) : null;
    this.#record.connected(connection);
    this.#discovery.connected(connection);
    if (connection.direction === 'inbound') this.#reach.cameIn(connection);
    if (peer !== null) this.emit('peer:connected', peer);
  }

  #onDisconnected(connection: Connection, cause: Cause): void {
    this.#record.disconnected(connection, cause);
    this.#discovery.disconnected(connection);
    if (this.listenerCount('peer:disconnected') > 0) this.emit('peer:disconnected', peerEnd(connection, cause));
  }

  #onRejected(connection: Connection, cause: Cause): void {
    this.#record.rejected(connection, cause);
    if (this.listenerCount('peer:rejected') > 0) this.emit('peer:rejected', peerEnd(connection, cause));
  }

  #onSent(connection: Connection, table: number, type: number, frames: number): void {
    const nowMs = this.#clock.nowMs();
    connection.lastSentMs = nowMs;
    if (!this.#statistics.countSent(connection, table, type, frames)) connection.lastMessageSentMs = nowMs;
  }

  #recordSink(): RecordSink {
    return {
      deliver: (connection, data) => this.#postman.deliver(connection, data),
      pex: (connection, payload) => this.#exchange?.receive(connection, payload),
      penalised: (connection, reason) => this.#record.penalised(connection, reason),
      published: (worker, data) => this.emit('published', this.#unpackr.unpack(data), worker),
      pong: (connection, payload) => this.#connections.pong(connection, payload),
      disconnect: (connection, payload) => this.#connections.goodbye(connection, decodeDisconnect(payload)),
      violation: (connection, code) => {
        this.#record.violation(connection, code);
        this.#connections.violation(connection, code);
      },
      released: (connection) => this.#connections.released(connection),
    };
  }

  get #uptimeSeconds(): number {
    return (this.#clock.nowMs() - this.#startedMs) / 1000;
  }

  #runCounters(): RunCounters {
    return {
      uptimeSeconds: this.#uptimeSeconds,
      messagesReceived: this.#statistics.sum('messagesReceived'),
      messagesSent: this.#statistics.total('messagesSent'),
      bytesReceived: this.#statistics.total('bytesReceived'),
      bytesSent: this.#statistics.total('bytesSent'),
    };
  }

  #peerInfo(connection: Connection): PeerInfo {
    return this.#statistics.peer(connection, this.#clock.nowMs(), this.#clock.wallMs());
  }

  /** A fault that no peer caused: to the log, and to whoever listens. */
  #fail(error: Error): void {
    this.#log.error({ error: error.message }, 'node error');
    this.#emitError(error);
  }

  #emitError(error: Error): void {
    if (this.listenerCount('error') > 0) this.emit('error', error);
  }
}

function peerEnd(connection: Connection, cause: Cause) {
  const { peerId, address, direction } = connection;
  return { id: peerId, address, direction, code: cause.code, name: errorCodeName(cause.code), reason: cause.reason };
}
