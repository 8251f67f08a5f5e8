/**
 * What makes a node a node: its connections, workers, peers and discovery, built and wired together. Main thread; `node.ts`
 * adds what an operator and a program need. Takes clock, timers, chance and network from its `World`, so that a simulation
 * runs the very same parts.
 */
import type { Logger } from 'pino';
import type { Clock } from '../shared/clock.js';
import { errorTrace } from '../shared/error-trace.js';
import { ErrorCode, NodeError, type PeerError } from '../shared/errors.js';
import { Arena } from '../shared/memory/arena.js';
import { type Geometry, Header } from '../shared/memory/arena-layout.js';
import { MemoryBudget } from '../shared/memory/memory-budget.js';
import { SeenTable } from '../shared/memory/seen-table.js';
import { Signal, type Sleep } from '../shared/memory/signal.js';
import { decodeDisconnect } from '../shared/wire/disconnect.js';
import { HASH_KEY_BYTES, MessageHash } from '../shared/wire/message-hash.js';
import { ControlType } from '../shared/wire/message-type.js';
import type { BanInfo, DiscoveryStatus, PeerInfo } from './api.js';
import type { Settings } from './config/settings.js';
import { CrawlResponder } from './discovery/crawl-responder.js';
import { Discovery } from './discovery/discovery.js';
import { Hearsay } from './discovery/hearsay.js';
import { OwnAddress, resolveExternal } from './discovery/own-address.js';
import { PeerExchange } from './discovery/peer-exchange.js';
import { EventLoopWatch } from './event-loop-watch.js';
import type { PeerAddress } from './net/address.js';
import type { Cause, Connection } from './net/connection.js';
import { ConnectionTable } from './net/connection-table.js';
import { Dialer } from './net/dialer.js';
import { Evictions } from './net/evictions.js';
import { MemoryRelief } from './net/memory-relief.js';
import type { Listener } from './net/network.js';
import { OutboundPump, type RecordSink } from './net/outbound-pump.js';
import { PeerConnections, type PeerConnectionsParts } from './net/peer-connections.js';
import { PeerLog } from './peer-log.js';
import type { PeerMemory, RunCounters } from './peer-memory.js';
import { PeerRecord } from './peer-record.js';
import type { BanRecord } from './peers/bans.js';
import { FanOut } from './peers/fan-out.js';
import { History } from './peers/history.js';
import { HourTally } from './peers/hour-tally.js';
import { PersistentPeers } from './peers/persistent-peers.js';
import { sweepIntervalMs } from './peers/timeouts.js';
import type { WorkerGroupEvents, WorkerGroupOptions } from './pool/worker-group.js';
import type { Workers } from './pool/workers.js';
import { Postman } from './postman.js';
import { Statistics } from './statistics.js';
import type { Timer } from './timers.js';
import type { World } from './world.js';

/** How often what needs no hurry is done: message flow in the log, credit for service, lifetime counters. */
const LEISURE_EVERY_MS = 1000;
const EVICTION_KEY_BYTES = 16;
/** Peers that a lowered limit lets go of at a sweep: each is told, logged and remembered, and others wait meanwhile. */
const LET_GO_AT_ONCE = 50;

/** What whoever owns the core is told. */
export interface CoreEvents {
  /** A peer is there, and nobody has acted on it yet. */
  connected(connection: Connection): void;
  disconnected(connection: Connection, cause: Cause): void;
  rejected(connection: Connection, cause: Cause): void;
  banned(info: BanInfo): void;
  published(worker: number, data: Buffer): void;
  workerDied(worker: number, reason: string): void;
  /** The replacement of a worker that died is up. */
  workerReplaced(worker: number, reason: string): void;
  /** A fault that no peer caused, told in the log already. */
  error(error: Error): void;
  /** Whether an inbound connection that shows this ID is a dial of our own, made to see whether it gets here. */
  isOwnDial(peerId: string): boolean;
}

/** What the core is made of. */
export interface CoreParts {
  /** In force now: changed in place by a reload. */
  readonly settings: Settings;
  readonly geometry: Geometry;
  readonly types: WorkerGroupOptions['types'];
  readonly nodeId: string;
  readonly memory: PeerMemory;
  readonly world: World;
  readonly log: Logger;
  readonly events: CoreEvents;
  /** Makes the workers. They raise `signal` when they have something for the main thread. */
  makeWorkers(parts: {
    arena: Arena;
    budget: MemoryBudget;
    clock: Clock;
    options: WorkerGroupOptions;
    events: WorkerGroupEvents;
  }): Workers;
  /** How the pump sleeps; by default on the word in shared memory that workers of other threads raise. */
  readonly sleep?: Sleep;
}

export class NodeCore {
  readonly arena: Arena;
  readonly peerLog: PeerLog;
  readonly record: PeerRecord;
  readonly budget: MemoryBudget;
  readonly statistics: Statistics;
  readonly table: ConnectionTable;
  readonly workers: Workers;
  readonly postman: Postman;
  readonly dialer: Dialer;
  readonly discovery: Discovery;
  readonly connections: PeerConnections;
  readonly persistent: PersistentPeers;
  readonly loopWatch: EventLoopWatch;
  readonly hearsay = new Hearsay();
  readonly memory: PeerMemory;
  /** Set once we listen; nobody is connected before. */
  ownAddress!: OwnAddress;
  readonly #settings: Settings;
  readonly #nodeId: string;
  readonly #world: World;
  readonly #clock: Clock;
  readonly #startedMs: number;
  readonly #log: Logger;
  readonly #events: CoreEvents;
  readonly pump: OutboundPump;
  readonly #crawls: CrawlResponder;
  readonly #exchange: PeerExchange | null;
  readonly #evictions: Evictions;
  readonly relief: MemoryRelief;
  readonly #listener: Listener;
  #sweepTimer: Timer | null = null;
  #leisureMs = 0;
  #mayBeOverLimit = false;
  #stopping = false;

  constructor(parts: CoreParts) {
    const { settings, nodeId, memory, world, log, events } = parts;
    const { clock } = memory;
    this.memory = memory;
    this.#settings = settings;
    this.#nodeId = nodeId;
    this.#world = world;
    this.#clock = clock;
    this.#startedMs = clock.nowMs();
    this.#log = log;
    this.#events = events;
    this.peerLog = new PeerLog(log, clock);
    this.record = this.#makeRecord();
    const arena = Arena.create(parts.geometry);
    this.arena = arena;
    this.budget = new MemoryBudget(arena);
    this.budget.open(settings.memoryBudgetBytes, arena);
    this.statistics = new Statistics(arena, (connection) => this.record.score(connection));
    this.table = new ConnectionTable(arena);
    const gossipKey = world.randomBytes(HASH_KEY_BYTES);
    this.pump = this.#makePump(parts.sleep ?? new Signal(arena.words, Header.MainSignal));
    this.workers = this.#makeWorkers(parts, gossipKey);
    this.postman = this.#makePostman(gossipKey);
    this.dialer = this.#makeDialer();
    this.persistent = new PersistentPeers(settings, world.random);
    // Who tells peers nothing tells strangers nothing either: a crawl has an answer, of no addresses.
    this.#crawls = new CrawlResponder((max) => (settings.pex ? memory.book.reached(max, clock.wallMs()) : []));
    this.#exchange = settings.pex ? this.#peerExchange() : null;
    this.discovery = this.#makeDiscovery();
    this.connections = this.#makeConnections();
    this.#evictions = new Evictions({
      key: world.randomBytes(EVICTION_KEY_BYTES),
      table: this.table,
      score: (connection) => this.record.score(connection),
      lastMessageMs: (connection) => this.table.lastMessageMs(connection, clock.nowMs()),
    });
    this.relief = this.#makeRelief();
    this.#listener = this.#makeListener();
    this.loopWatch = new EventLoopWatch(sweepIntervalMs(settings), clock.nowMs(), (lateMs) =>
      this.statistics.time('eventLoopDelay', lateMs),
    );
  }

  /** `host:port` that peers reach, with the real port. */
  get listen(): string {
    return this.#listener.address;
  }

  get uptimeSeconds(): number {
    return (this.#clock.nowMs() - this.#startedMs) / 1000;
  }

  /**
   * Starts workers, then listens: a connection finds everything ready.
   * @throws NodeError ERR_PAW_LISTEN, ERR_PAW_HANDLER_MODULE, ERR_PAW_WORKER
   */
  async start(): Promise<void> {
    const { listen } = this.#settings;
    await this.workers.start();
    const external = await resolveExternal(this.#settings, this.#world.network, this.#log);
    await this.#listener.listen(listen.host, listen.port);
    // In the same turn: a connection may be there in the next.
    this.ownAddress = new OwnAddress(this.#listener.address, external);
    for (const own of this.ownAddress.all) this.discovery.own(own);
  }

  /** From now on looks after its peers. */
  run(): void {
    this.workers.watch(this.#settings.workerTimeoutMs);
    this.#sweepRegularly();
    this.#sweep();
  }

  /** Takes nobody in any more, and dials nobody. @returns settles when nothing of discovery is under way */
  stopMeeting(): Promise<void> {
    this.#stopping = true;
    this.#listener.close();
    this.dialer.stop();
    return this.discovery.stop();
  }

  /** Tells all peers, lets what arrived and what waits come to its end until the deadline, which may move, and stops. */
  async stop(cause: Cause, deadlineMs: () => number): Promise<void> {
    this.connections.leaveAll(cause);
    await this.connections.drained(deadlineMs);
    this.#sweepTimer?.cancel();
    this.#sweepTimer = null;
    this.connections.destroyAll(cause);
    await this.workers.stop(() => deadlineMs() - this.#clock.nowMs());
    this.pump.stop();
  }

  /** Dials an address. Settles when the handshake is through. Rejects with PeerError or NodeError. */
  dial(address: PeerAddress, feeler: boolean): Promise<PeerInfo> {
    return new Promise((resolve, reject) => {
      this.dialer.dial({ address, persistent: null, feeler, resolve, reject });
    });
  }

  peerInfo(connection: Connection): PeerInfo {
    return this.statistics.peer(connection, this.#clock.nowMs(), this.#clock.wallMs());
  }

  discoveryStatus(): DiscoveryStatus {
    const pex = this.#exchange?.counts ?? { received: 0, sent: 0, learned: 0 };
    const { learned, crawls, crawlsFailed } = this.discovery.counts;
    const { known, tried } = this.memory.book.counts();
    return {
      known,
      tried,
      pexReceived: pex.received,
      pexSent: pex.sent,
      addressesLearned: pex.learned + learned,
      crawls,
      crawlsFailed,
      crawlsServed: this.#crawls.served,
      crawlsRefused: this.#crawls.refused,
      feelers: this.statistics.total('feelers'),
      evictions: this.statistics.total('evictions'),
      bans: this.memory.bans.count(this.#clock.wallMs()),
    };
  }

  /** What this run has counted. */
  runCounters(): RunCounters {
    return {
      uptimeSeconds: this.uptimeSeconds,
      messagesReceived: this.statistics.sum('messagesReceived'),
      messagesSent: this.statistics.total('messagesSent'),
      bytesReceived: this.statistics.total('bytesReceived'),
      bytesSent: this.statistics.total('bytesSent'),
    };
  }

  /** Tells those that keep something of the settings in a form of their own; the others read them when they need them. */
  settingsChanged(keys: ReadonlySet<string>): void {
    const settings = this.#settings;
    this.budget.resize(settings.memoryBudgetBytes);
    if (keys.has('relay')) this.workers.relay(settings.relay);
    if (keys.has('workerTimeout')) this.workers.watch(settings.workerTimeoutMs);
    this.memory.settingsChanged();
    this.persistent.renew();
    this.connections.settingsChanged(keys);
    this.#mayBeOverLimit = true;
    this.#keepLimits();
    this.discovery.settingsChanged(keys);
    if (this.#sweepTimer === null) return;
    this.#sweepTimer.cancel();
    this.#sweepRegularly();
  }

  /** After a reload, until limits that it may have lowered are kept. */
  #keepLimits(): void {
    if (!this.#mayBeOverLimit) return;
    const tooMany = this.#evictions.overLimit(this.#settings, LET_GO_AT_ONCE);
    this.#mayBeOverLimit = tooMany.length === LET_GO_AT_ONCE;
    const cause = { code: ErrorCode.PeerLimitReached, reason: 'the limit was lowered' };
    for (const connection of tooMany) this.connections.leave(connection, cause, { announce: true });
  }

  /** A fault that no peer caused: to the log, and to whoever listens. */
  fail(error: Error): void {
    this.#log.error({ error: error.message }, 'node error');
    this.#events.error(error);
  }

  #sweepRegularly(): void {
    const intervalMs = sweepIntervalMs(this.#settings);
    // What the event loop was held up by before, such as starting, is not the timer's.
    this.loopWatch.setInterval(intervalMs, this.#clock.nowMs());
    this.#sweepTimer = this.#world.timers.every(intervalMs, () => {
      // What came while something held up the thread waits in the kernel: it is read before anybody is judged by it.
      if (this.loopWatch.tick(this.#clock.nowMs()) < intervalMs) this.#sweep();
      else {
        this.#world.timers.soon(() => {
          // It may have stopped meanwhile.
          if (this.#sweepTimer !== null) this.#sweep();
        });
      }
    });
  }

  #sweep(): void {
    const nowMs = this.#clock.nowMs();
    this.connections.sweep();
    this.#keepLimits();
    this.relief.sweep();
    if (nowMs - this.#leisureMs >= LEISURE_EVERY_MS) {
      this.#leisureMs = nowMs;
      if (this.peerLog.showsFlow) this.peerLog.flow(this.#flows());
      this.record.sweep();
      this.record.creditService(this.table.connected());
      this.memory.sweep(this.runCounters());
    }
    if (this.#stopping) return;
    this.discovery.tick();
    this.#dialPersistent(nowMs);
  }

  #dialPersistent(nowMs: number): void {
    for (const peer of this.persistent.due(nowMs)) {
      const { id } = peer.address;
      if (id !== null && this.table.byId(id)?.persistent === true) continue;
      // Those that find no place stay due: they were not dialled, so nothing failed.
      if (!this.dialer.takesPersistent) break;
      peer.phase = 'dialling';
      const reject = (error: PeerError | NodeError) => this.persistent.failed(peer, this.#clock.nowMs(), error);
      this.dialer.dial({ address: peer.address, persistent: peer, feeler: false, resolve: () => undefined, reject });
    }
  }

  *#flows() {
    for (const connection of this.table.connected()) {
      const { messagesReceived, messagesSent } = this.peerInfo(connection);
      yield { connection, received: messagesReceived, sent: messagesSent };
    }
  }

  #makeRecord(): PeerRecord {
    const { bans, reputation } = this.memory;
    return new PeerRecord({
      log: this.peerLog,
      history: new History(),
      lastHour: new HourTally(),
      bans,
      reputation,
      clock: this.#clock,
      banned: (ban, info) => {
        this.#cutOff(ban);
        this.#events.banned(info);
      },
    });
  }

  #makePump(signal: Sleep): OutboundPump {
    const fanOut = new FanOut<Connection>({
      describe: (connection) => ({
        id: connection.peerId!,
        reputation: this.record.score(connection),
        netGroup: connection.netGroup,
      }),
      random: this.#world.random,
      nowMs: () => this.#clock.nowMs(),
    });
    return new OutboundPump({
      arena: this.arena,
      budget: this.budget,
      table: this.table,
      sink: this.#recordSink(),
      counts: {
        sent: (connection, worker, type, frames) => this.#onSent(connection, worker, type, frames),
        skipped: (frames) => this.statistics.count('sendsSkipped', frames),
        shed: (claim, frames) => this.statistics.countShed(claim, frames),
        isKeepAlive: (worker, type) => this.statistics.isKeepAlive(worker, type),
        relayed: (frames) => this.statistics.count('gossipRelayed', frames),
      },
      relayTargets: (connections, fanout) => fanOut.choose(connections, fanout),
      sendQueueBytes: this.#settings.sendQueueBytes,
      turnBegins: () => this.workers.wake(),
      timers: this.#world.timers,
      signal,
    });
  }

  #makeWorkers({ makeWorkers, types }: CoreParts, gossipKey: Uint8Array): Workers {
    const { handlers, sendQueueBytes, relay, workerHeapBytes: heapBytes } = this.#settings;
    return makeWorkers({
      arena: this.arena,
      budget: this.budget,
      clock: this.#clock,
      options: { handlers, types, sendQueueBytes, relay, gossipKey, heapBytes },
      events: {
        log: (worker, notice) => this.peerLog.fromWorker(worker, notice),
        poisoned: (slot, generation) => {
          const connection = this.table.seatedOrFormer(slot, generation);
          if (connection === undefined) return false;
          this.record.violation(connection, ErrorCode.WorkerPoisoned);
          return this.record.isUnwanted(connection);
        },
        pinnedTo: (worker) => this.table.pinnedTo(worker),
        died: (worker, error, reason) => {
          this.#log.error({ worker, reason, ...errorTrace(error) }, 'worker died, replacing it');
          this.pump.recover(worker);
          this.#events.workerDied(worker, reason);
        },
        replaced: (worker, reason) => this.#events.workerReplaced(worker, reason),
        released: (connection) => this.connections.released(connection),
        failing: (worker, reason) => {
          this.fail(new NodeError('ERR_PAW_WORKER', `worker ${worker} does not come up: ${reason}`));
        },
      },
    });
  }

  #makePostman(gossipKey: Uint8Array): Postman {
    const ownGossip = new MessageHash(gossipKey);
    const seen = new SeenTable(this.arena, this.#settings.workers);
    return new Postman({
      pump: this.pump,
      table: this.table,
      statistics: this.statistics,
      sendQueueBytes: this.#settings.sendQueueBytes,
      policies: () => this.workers.policies,
      want: (type, wanted) => this.workers.subscribe(type, wanted),
      remember: (type, payload) => {
        ownGossip.take(type, payload);
        seen.remember(ownGossip.high, ownGossip.low, this.#clock.nowMs());
      },
      onError: (error) => {
        this.peerLog.subscriberFailed(error);
        this.#events.error(error);
      },
      onSent: (connection, table, type, frames) => this.#onSent(connection, table, type, frames),
    });
  }

  #makeDialer(): Dialer {
    return new Dialer(this.#world.network, {
      open: (dial) => {
        const connection = this.connections.create('outbound');
        connection.persistent = dial.persistent !== null;
        connection.persistentPeer = dial.persistent;
        connection.feeler = dial.feeler;
        return connection;
      },
      attach: (connection, socket) => {
        this.connections.attach(connection, socket);
        this.peerLog.dialling(connection);
      },
      opened: (connection) => this.connections.opened(connection),
      dropped: () => this.statistics.count('dialsDropped'),
    });
  }

  #makeDiscovery(): Discovery {
    const { memory } = this;
    return new Discovery({
      settings: this.#settings,
      nodeId: this.#nodeId,
      world: this.#world,
      clock: this.#clock,
      log: this.#log,
      book: memory.book,
      exchange: this.#exchange,
      hearsay: this.hearsay,
      anchors: memory.anchors,
      connected: () => this.table.connected(),
      dial: (address, { feeler }) => this.dial(address, feeler),
      leave: (peerId, cause) => {
        const connection = this.table.byId(peerId);
        if (connection !== undefined) this.connections.leave(connection, cause, { announce: true });
      },
      isWanted: (who) => this.record.conduct.judge(who) === null,
      keepAnchors: (anchors) => memory.keepAnchors(anchors),
      crawlFailed: (seed, cause) => this.record.crawlFailed(seed, cause),
    });
  }

  #makeConnections(): PeerConnections {
    return new PeerConnections({
      settings: this.#settings,
      nodeId: this.#nodeId,
      clock: this.#clock,
      timers: this.#world.timers,
      randomBytes: (bytes) => this.#world.randomBytes(bytes),
      arena: this.arena,
      table: this.table,
      pump: this.pump,
      workers: this.workers,
      dialer: this.dialer,
      persistent: this.persistent,
      statistics: this.statistics,
      crawls: this.#crawls,
      judge: (ip, id) => this.record.conduct.judge({ ip, id }),
      isOwnDial: (shownId) => this.#events.isOwnDial(shownId),
      chooseEviction: () => this.#evictions.forNewcomer(),
      sendControl: (connection, type, payload) => this.postman.control(connection, type, payload),
      events: this.#peerEvents(),
    });
  }

  #peerEvents(): PeerConnectionsParts['events'] {
    return {
      reached: (connection) => this.discovery.reached(connection),
      connected: (connection) => this.#onConnected(connection),
      disconnected: (connection, cause) => {
        this.record.disconnected(connection, cause);
        this.discovery.disconnected(connection);
        this.#events.disconnected(connection, cause);
      },
      rejected: (connection, cause) => {
        this.record.rejected(connection, cause);
        this.#events.rejected(connection, cause);
      },
      dialFailed: (connection, cause) => this.record.dialFailed(connection, cause),
      lastFramesLost: (connection) => this.#lastFramesLost(connection),
      timedOut: (connection, cause) => this.record.timedOut(connection, cause),
      grossExcess: (connection) => this.record.grossExcess(connection),
    };
  }

  #makeRelief(): MemoryRelief {
    return new MemoryRelief({
      arena: this.arena,
      budget: this.budget,
      table: this.table,
      clock: this.#clock,
      shed: () => this.statistics.shed,
      spare: () => {
        this.workers.spareMemory();
        this.pump.chunks.clear();
      },
      silentMs: (worker, nowMs) => this.workers.silentMs(worker, nowMs),
      isStopping: () => this.#stopping,
      cutOff: (connection, cause) => this.connections.cutOff(connection, cause),
      lastFramesLost: (connection) => this.#lastFramesLost(connection),
      wake: (connection) => this.connections.wake(connection),
    });
  }

  #makeListener(): Listener {
    return this.#world.network.listener(
      (adopt) => this.connections.accept(adopt),
      (error) => this.fail(error),
      () => {
        this.statistics.count('refusedNoFiles');
        this.record.noFiles();
        this.connections.giveWay();
      },
    );
  }

  #peerExchange(): PeerExchange {
    return new PeerExchange({
      nodeId: this.#nodeId,
      settings: this.#settings,
      book: this.memory.book,
      clock: this.#clock,
      timers: this.#world.timers,
      own: () => this.ownAddress,
      isWanted: (who) => this.record.conduct.judge(who) === null,
      fault: (event, connection) => this.record.pexFault(event, connection),
      hearsay: this.hearsay,
      send: (connection, payload) => this.postman.control(connection, ControlType.pexPeers, payload),
      served: (connection) => {
        const cause = { code: ErrorCode.GoingAway, reason: 'a seed: addresses of peers have been sent' };
        this.connections.leave(connection, cause, { announce: true });
      },
    });
  }

  /** Memory or slots are short: a connection that had closed goes without its last frames, counted as one drop. */
  #lastFramesLost(connection: Connection): void {
    this.statistics.count('droppedUnread');
    this.record.violation(connection, ErrorCode.ResourceExhausted);
  }

  /** Cuts off everybody that a new ban is for, those who have left and whose last frames still wait as well. */
  #cutOff(ban: BanRecord): void {
    const nowMs = this.#clock.wallMs();
    const cause = { code: ErrorCode.Banned, reason: ban.reason === '' ? 'banned' : `banned: ${ban.reason}` };
    for (const connection of new Set([...this.table.all, ...this.table.seatedConnections()])) {
      if (this.memory.bans.check({ ip: connection.ip, id: connection.peerId }, nowMs) === null) continue;
      this.connections.cutOff(connection, cause);
    }
  }

  #onConnected(connection: Connection): void {
    this.#events.connected(connection);
    this.record.connected(connection);
    this.discovery.connected(connection);
  }

  #onSent(connection: Connection, table: number, type: number, frames: number): void {
    const nowMs = this.#clock.nowMs();
    connection.lastSentMs = nowMs;
    if (!this.statistics.countSent(connection, table, type, frames)) connection.lastMessageSentMs = nowMs;
  }

  #recordSink(): RecordSink {
    return {
      deliver: (connection, data) => this.postman.deliver(connection, data),
      pex: (connection, payload) => this.#exchange?.receive(connection, payload),
      penalised: (connection, reason) => this.record.penalised(connection, reason),
      published: (worker, data) => this.#events.published(worker, data),
      pong: (connection, payload) => this.connections.pong(connection, payload),
      disconnect: (connection, payload) => this.connections.goodbye(connection, decodeDisconnect(payload)),
      violation: (connection, code) => {
        // Whoever is cut off for it may have sent thousands more.
        if (connection.isCutOff) return;
        this.record.violation(connection, code);
        this.connections.violation(connection, code);
      },
      released: (connection) => this.connections.released(connection),
    };
  }
}
