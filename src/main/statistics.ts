/**
 * Reads the counters in shared memory, and keeps those that only the main thread has (by error code). Main thread.
 */
import { errorCodeName } from '../shared/errors.js';
import { MAX_TYPE_LABELS } from '../shared/limits.js';
import type { Arena } from '../shared/memory/arena.js';
import {
  type MainCounter,
  type MainHistogram,
  Slot,
  Worker,
  type WorkerCounter,
  type WorkerHistogram,
} from '../shared/memory/arena-layout.js';
import { addCounter, readCounter } from '../shared/memory/counters.js';
import { addDuration, addedDurations, readDurations } from '../shared/memory/histogram.js';
import { Claim } from '../shared/memory/memory-budget.js';
import { OTHER_TYPES, TypeTable } from '../shared/memory/type-table.js';
import { ControlType } from '../shared/wire/message-type.js';
import type { NodeStatus, NodeTimings, PeerInfo } from './api.js';
import type { Connection } from './net/connection.js';

/** Counts by name. */
type Tally = Map<string, number>;

function add(tally: Tally, name: string, amount: number): void {
  tally.set(name, (tally.get(name) ?? 0) + amount);
}

/** By what messages claim that are sent. */
const shedCounters: Readonly<Partial<Record<Claim, MainCounter>>> = {
  [Claim.Broadcast]: 'shedBroadcast',
  [Claim.Direct]: 'shedDirect',
};

export class Statistics {
  readonly #arena: Arena;
  readonly #score: (connection: Connection) => number;
  /** Type tables of the workers, and last that of the main thread. */
  readonly #tables: TypeTable[];
  /** For each table, whether a number is that of ping or pong; undefined until asked. */
  readonly #keepAlive: (boolean | undefined)[][];
  readonly #handshakesFailed: Tally = new Map();
  readonly #disconnects: Tally = new Map();
  /** Words of the counters that are added to for each read and write. */
  readonly #bytesReceived: number;
  readonly #bytesSent: number;
  readonly #messagesSent: number;

  /** @param score a peer's reputation */
  constructor(arena: Arena, score: (connection: Connection) => number) {
    const { workers } = arena.layout.geometry;
    this.#arena = arena;
    this.#score = score;
    this.#tables = Array.from({ length: workers + 1 }, (_, index) => new TypeTable(arena, index));
    this.#keepAlive = this.#tables.map(() => []);
    this.#bytesReceived = arena.layout.mainCounter('bytesReceived');
    this.#bytesSent = arena.layout.mainCounter('bytesSent');
    this.#messagesSent = arena.layout.mainCounter('messagesSent');
  }

  /** The main thread's own type table, and its index. */
  get ownTable(): TypeTable {
    return this.#tables.at(-1)!;
  }

  get ownTableIndex(): number {
    return this.#tables.length - 1;
  }

  count(name: MainCounter, amount = 1): void {
    addCounter(this.#arena.words, this.#arena.layout.mainCounter(name), amount);
  }

  /** Counts a duration. */
  time(name: MainHistogram, ms: number): void {
    addDuration(this.#arena.words, this.#arena.layout.mainHistogram(name), ms * 1000);
  }

  countHandshakeFailed(code: number): void {
    add(this.#handshakesFailed, errorCodeName(code), 1);
  }

  countDisconnect(code: number): void {
    add(this.#disconnects, errorCodeName(code), 1);
  }

  /** Messages were not sent for want of memory. */
  countShed(claim: Claim, frames: number): void {
    this.count(shedCounters[claim] ?? 'shedControl', frames);
  }

  /** Messages not sent for want of memory so far. */
  get shed(): number {
    return Object.values(this.#shedByClass()).reduce((a, b) => a + b, 0);
  }

  #shedByClass(): NodeStatus['messages']['shedByClass'] {
    return {
      broadcast: this.total('shedBroadcast'),
      direct: this.total('shedDirect') + this.sum('shedDirect'),
      control: this.total('shedControl'),
    };
  }

  /** Frames of a type of table `table` were queued for a peer. @returns whether they were ping or pong */
  countSent(connection: Connection, table: number, type: number, frames: number): boolean {
    this.#tables[table].addSent(type, frames);
    this.#addTo(connection, this.#messagesSent, Slot.MessagesSent, frames);
    return this.isKeepAlive(table, type);
  }

  countReceivedBytes(connection: Connection, bytes: number): void {
    this.#addTo(connection, this.#bytesReceived, Slot.BytesReceived, bytes);
  }

  /** The kernel has taken bytes of a connection. */
  countSentBytes(connection: Connection, bytes: number): void {
    this.#addTo(connection, this.#bytesSent, Slot.BytesSent, bytes);
  }

  /** Adds to a counter of the node and the same of one connection. */
  #addTo({ seat }: Connection, total: number, ofSlot: number, amount: number): void {
    const { words, layout } = this.#arena;
    addCounter(words, total, amount);
    if (seat !== null) addCounter(words, layout.slot(seat.slot) + ofSlot, amount);
  }

  total(name: MainCounter): number {
    return readCounter(this.#arena.words, this.#arena.layout.mainCounter(name));
  }

  /** A worker counter summed over all workers. */
  sum(name: WorkerCounter): number {
    let sum = 0;
    for (let worker = 0; worker < this.#arena.layout.geometry.workers; worker++) sum += this.worker(worker, name);
    return sum;
  }

  worker(worker: number, name: WorkerCounter): number {
    return readCounter(this.#arena.words, this.#arena.layout.workerCounter(worker, name));
  }

  lagMs(worker: number): number {
    const { words, layout } = this.#arena;
    return Atomics.load(words, layout.worker(worker) + Worker.LagUs) / 1000;
  }

  /** How long things took, as histograms. */
  timings(): NodeTimings {
    const { words, layout } = this.#arena;
    const ofMain = (name: MainHistogram) => readDurations(words, layout.mainHistogram(name));
    const ofWorkers = (name: WorkerHistogram) =>
      Array.from({ length: layout.geometry.workers }, (_, worker) =>
        readDurations(words, layout.workerHistogram(worker, name)),
      );
    return {
      workerLag: ofWorkers('lag'),
      ringResidence: ofWorkers('residence'),
      handlers: this.#byType((table, number) => {
        const durations = table.handled(number);
        return durations.counts.some((count) => count > 0) ? durations : null;
      }, addedDurations),
      eventLoopDelay: ofMain('eventLoopDelay'),
      roundTrip: ofMain('roundTrip'),
    };
  }

  /** Frames that a connection's worker delivered. */
  framesFrom(connection: Connection): number {
    const { seat } = connection;
    if (seat === null) return 0;
    return readCounter(this.#arena.words, this.#arena.layout.slot(seat.slot) + Slot.MessagesReceived);
  }

  messages(): NodeStatus['messages'] {
    const droppedByCode = {
      MessageTooLarge: this.sum('droppedTooLarge'),
      InvalidMessageFormat: this.sum('droppedInvalid'),
      WorkerPoisoned: this.sum('droppedPoisoned'),
      ResourceExhausted: this.total('droppedUnread'),
    };
    return {
      received: this.sum('messagesReceived'),
      sent: this.total('messagesSent'),
      dropped: Object.values(droppedByCode).reduce((a, b) => a + b, 0),
      unhandled: this.sum('unhandled'),
      receivedByType: this.#countsByType((table, number) => table.received(number)),
      sentByType: this.#countsByType((table, number) => table.sent(number)),
      droppedByCode,
      sendsSkipped: this.total('sendsSkipped') + this.sum('sendsRefused'),
      shedByClass: this.#shedByClass(),
      queueDropped: this.sum('queueDropped'),
      handlerErrors: this.sum('handlerErrors'),
    };
  }

  gossip(): NodeStatus['gossip'] {
    return {
      relayed: this.total('gossipRelayed'),
      duplicates: this.sum('gossipDuplicates'),
      forgotten: this.sum('gossipForgotten') + this.total('gossipForgotten'),
    };
  }

  connections(handshaking: number): NodeStatus['connections'] {
    const inbound = this.total('connectionsInbound');
    const outbound = this.total('connectionsOutbound');
    return {
      total: inbound + outbound,
      inbound,
      outbound,
      rejectedInbound: this.total('rejectedInbound'),
      refusedNoFiles: this.total('refusedNoFiles'),
      handshaking,
      handshakesFailedByCode: Object.fromEntries(this.#handshakesFailed),
      disconnectsByCode: Object.fromEntries(this.#disconnects),
    };
  }

  peer(connection: Connection, nowMs: number, wallMs: number): PeerInfo {
    const { words, layout } = this.#arena;
    const { seat } = connection;
    const read = (counter: number) => (seat === null ? 0 : readCounter(words, layout.slot(seat.slot) + counter));
    const lastMs = Math.max(connection.lastReadMs, connection.lastSentMs);
    return {
      id: connection.peerId ?? '',
      address: connection.address,
      direction: connection.direction,
      state: connection.state,
      persistent: connection.persistent,
      connectedAt: new Date(connection.connectedWallMs).toISOString(),
      lastActivity: new Date(wallMs - (nowMs - lastMs)).toISOString(),
      rttMs: connection.rttMs,
      bytesSent: read(Slot.BytesSent),
      bytesReceived: read(Slot.BytesReceived),
      messagesSent: read(Slot.MessagesSent),
      messagesReceived: read(Slot.MessagesReceived),
      reputation: Math.round(this.#score(connection)),
      worker: seat?.worker ?? -1,
    };
  }

  #countsByType(count: (table: TypeTable, number: number) => number): Record<string, number> {
    return this.#byType(
      (table, number) => count(table, number) || null,
      (a, b) => a + b,
    );
  }

  /**
   * One figure per message type over all tables, null for none; types beyond the limit of labels count as `other`.
   */
  #byType<T>(figure: (table: TypeTable, number: number) => T | null, sum: (a: T, b: T) => T): Record<string, T> {
    const tally = new Map<string, T>();
    for (const table of this.#tables) {
      table.names().forEach((name, number) => {
        const amount = figure(table, number);
        if (amount === null) return;
        const label = tally.has(name) || tally.size < MAX_TYPE_LABELS - 1 ? name : OTHER_TYPES;
        const known = tally.get(label);
        tally.set(label, known === undefined ? amount : sum(known, amount));
      });
    }
    return Object.fromEntries(tally);
  }

  /** Whether a number of a type table is that of ping or pong. */
  isKeepAlive(table: number, type: number): boolean {
    const known = this.#keepAlive[table][type];
    if (known !== undefined) return known;
    const name = this.#tables[table].names()[type];
    const answer = name === ControlType.ping || name === ControlType.pong;
    this.#keepAlive[table][type] = answer;
    return answer;
  }
}
