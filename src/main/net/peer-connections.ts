/**
 * The life of every connection, from the first byte to the last: handshakes in both roles, admission, becoming a peer,
 * leaving in good order. Main thread. Decisions are asked of pure functions (handshake, admission, timeouts) and carried
 * out here.
 */
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../../shared/clock.js';
import { sinceSharedMs } from '../../shared/clock.js';
import { ErrorCode } from '../../shared/errors.js';
import { PING_NONCE_BYTES } from '../../shared/limits.js';
import type { Arena } from '../../shared/memory/arena.js';
import { Slot, SlotState } from '../../shared/memory/arena-layout.js';
import { addCounter } from '../../shared/memory/counters.js';
import { encodeDisconnect } from '../../shared/wire/disconnect.js';
import { checkAsInitiator, checkAsResponder, encodeHandshake, encodeRefusal } from '../../shared/wire/handshake.js';
import { ControlType } from '../../shared/wire/message-type.js';
import type { Settings } from '../config/settings.js';
import { admit, type Rival } from '../peers/admission.js';
import type { PersistentPeers } from '../peers/persistent-peers.js';
import { type Ages, due } from '../peers/timeouts.js';
import type { WorkerGroup } from '../pool/worker-group.js';
import type { Statistics } from '../statistics.js';
import { formatAddress, normalizeHost } from './address.js';
import { adoptSocket } from './adopt-socket.js';
import { type Cause, Connection, type ConnectionEvents } from './connection.js';
import type { ConnectionTable } from './connection-table.js';
import { type Dialer, dialError } from './dialer.js';
import type { OutboundPump } from './outbound-pump.js';
import { SocketWriter } from './socket-writer.js';

/** Inbound handshakes under way at most; the oldest gives way to a newer one, since honest ones are quick. */
const MAX_HANDSHAKING = 256;
/** How often a draining node looks whether it is done. */
const DRAIN_LOOK_MS = 5;
/** How long frames that arrived before a close may take to be dispatched before the socket goes anyway. */
const DRAIN_MS = 5000;

/** What the node is told. */
export interface PeerEvents {
  connected(connection: Connection): void;
  disconnected(connection: Connection, cause: Cause): void;
  /** An inbound connection did not become a peer. */
  rejected(connection: Connection, cause: Cause): void;
  /** An outbound connection did not become a peer. */
  dialFailed(connection: Connection, cause: Cause): void;
  /** Queues a frame of a control message; false if there is no room for it. */
  sendControl(connection: Connection, type: string, payload: Uint8Array): boolean;
}

export interface PeerConnectionsParts {
  readonly settings: Settings;
  readonly nodeId: string;
  readonly clock: Clock;
  readonly randomBytes: (bytes: number) => Buffer;
  readonly arena: Arena;
  readonly table: ConnectionTable;
  readonly pump: OutboundPump;
  readonly workers: WorkerGroup;
  readonly dialer: Dialer;
  readonly persistent: PersistentPeers;
  readonly statistics: Statistics;
  readonly events: PeerEvents;
}

export class PeerConnections implements ConnectionEvents {
  readonly #parts: PeerConnectionsParts;
  readonly #unconditional: ReadonlySet<string>;
  /** Inbound connections whose handshake is under way, the oldest first. */
  readonly #handshakes = new Set<Connection>();
  /** No longer peers, but nobody has been told: the peer may have said why in frames that are not dispatched yet. */
  readonly #departing = new Set<Connection>();
  /** While the node drains, no connection closes before all queued handlers are through: they may still reply. */
  #holding = false;
  #stopping = false;

  constructor(parts: PeerConnectionsParts) {
    this.#parts = parts;
    this.#unconditional = new Set(parts.settings.unconditionalPeerIds);
  }

  /** Takes an accepted socket in. */
  accept(accepted: Socket): void {
    const connection = this.create('inbound');
    const socket = adoptSocket(accepted, connection);
    connection.host = normalizeHost(socket.remoteAddress ?? '');
    connection.port = socket.remotePort ?? 0;
    connection.address = formatAddress(connection.host, connection.port);
    this.attach(connection, socket);
    this.#handshakes.add(connection);
    if (this.#handshakes.size > MAX_HANDSHAKING) this.#endOldestHandshake();
    socket.resume();
  }

  create(direction: 'inbound' | 'outbound'): Connection {
    return new Connection(direction, this, () => this.#parts.clock.nowMs());
  }

  attach(connection: Connection, socket: Socket): void {
    const { arena, pump, table } = this.#parts;
    const writer = new SocketWriter(
      socket,
      pump.chunks,
      (bytes) => {
        const { seat } = connection;
        if (seat !== null) Atomics.store(arena.words, arena.layout.slot(seat.slot) + Slot.SendQueued, bytes);
      },
      (bytes) => this.#onSent(connection, bytes),
    );
    connection.attach(socket, writer);
    table.add(connection);
  }

  /** A dial's TCP connection is there: the initiator speaks first. */
  opened(connection: Connection): void {
    connection.become('opened');
    connection.socketOpened = true;
    connection.handshakingMs = this.#parts.clock.nowMs();
    connection.socket.write(encodeHandshake(this.#parts.settings.chainId, this.#parts.nodeId));
  }

  handshake(connection: Connection, bytes: Uint8Array): void {
    this.#handshakes.delete(connection);
    if (connection.direction === 'inbound') this.#respond(connection, bytes);
    else this.#judgeAnswer(connection, bytes);
  }

  arrived(connection: Connection, bytes: number): void {
    this.#parts.statistics.countReceivedBytes(connection, bytes);
    this.#wakeWorker(connection);
  }

  #wakeWorker(connection: Connection): void {
    const { slot, worker } = connection.seat!;
    const nowUs = Math.trunc(this.#parts.clock.nowMs() * 1000) | 0;
    this.#parts.workers.ready(slot, worker, nowUs);
    this.#parts.pump.schedule();
  }

  ended(connection: Connection): void {
    if (connection.state === 'Connected') {
      connection.become('leaving');
      connection.leavingMs = this.#parts.clock.nowMs();
      this.#noLongerPeer(connection, SlotState.Closing);
    } else if (connection.state !== 'Disconnecting') {
      connection.cause ??= { code: ErrorCode.NetworkError, reason: 'closed by peer during handshake' };
      connection.destroy();
    }
  }

  closed(connection: Connection): void {
    const { table } = this.#parts;
    table.remove(connection);
    this.#handshakes.delete(connection);
    this.#noLongerPeer(connection, SlotState.Closing);
    if (connection.connectedMs === 0) this.#neverPeer(connection);
    this.#unseatIfDone(connection);
  }

  /** The worker has let go of the connection. */
  released(connection: Connection): void {
    // Only now has everything that the peer sent been seen, its `disconnect` too: the cause is known.
    this.#tellGone(connection);
    if (connection.state === 'Disconnecting' && !this.#holding) this.#finish(connection);
    this.#unseatIfDone(connection);
  }

  /** A pong: if it answers our last ping, it tells the round-trip time. */
  pong(connection: Connection, payload: Buffer): void {
    const { ping } = connection;
    if (ping === null || !payload.equals(ping.nonce)) return;
    connection.rttMs = this.#parts.clock.nowMs() - ping.sentMs;
    connection.ping = null;
  }

  /** A frame was dropped: some faults end the connection (rulings 1). */
  violation(connection: Connection, code: number): void {
    if (code !== ErrorCode.MessageTooLarge) return;
    this.leave(connection, { code, reason: 'message too large' }, { announce: true, abort: true });
  }

  /** The node stops: everybody is told, handshakes are refused, dials are given up. */
  leaveAll(cause: Cause): void {
    this.#holding = true;
    this.#stopping = true;
    for (const connection of [...this.#parts.table.all]) {
      if (connection.state === 'Connected') this.leave(connection, cause, { announce: true });
      else if (connection.state === 'Handshaking' && connection.direction === 'inbound')
        this.#refuse(connection, cause);
      else if (connection.state !== 'Disconnecting') {
        connection.cause ??= cause;
        connection.destroy();
      }
    }
  }

  /**
   * Settles when everything that arrived is dispatched, queued handlers are through, all is written and all sockets are
   * closed, or when the deadline has passed. Looks at shared memory every few milliseconds; nothing is slept for.
   */
  async drained(deadlineMs: number): Promise<void> {
    const { clock, table, workers } = this.#parts;
    const until = async (done: () => boolean) => {
      while (!done() && clock.nowMs() < deadlineMs) await delay(DRAIN_LOOK_MS);
    };
    const isDispatched = ({ seat }: Connection) => seat === null || table.isReleased(seat);
    await until(() => [...table.all].every(isDispatched) && workers.queuedMessages() === 0);
    this.#holding = false;
    for (const connection of [...table.all]) if (connection.state === 'Disconnecting') this.#finish(connection);
    await until(() => table.all.size === 0 && table.takenSeats === 0);
  }

  /** Destroys what is left, and tells what has not been told. */
  destroyAll(cause: Cause): void {
    for (const connection of [...this.#departing]) this.#tellGone(connection);
    for (const connection of [...this.#parts.table.all]) {
      connection.cause ??= cause;
      connection.destroy();
    }
  }

  /** The peer announced that it will disconnect: that is the cause, once its socket closes. */
  goodbye(connection: Connection, cause: Cause): void {
    connection.cause ??= cause;
    connection.goodbyeMs = this.#parts.clock.nowMs();
  }

  /**
   * Leaves a connected peer: tells it why, lets the worker dispatch what arrived (unless `abort`) and the socket take
   * what is queued, then closes.
   */
  leave(connection: Connection, cause: Cause, how: { announce: boolean; abort?: boolean }): void {
    if (connection.state !== 'Connected') return;
    connection.cause ??= cause;
    if (how.announce) {
      // Going away is 0 on the wire; in our own books it is ShuttingDown (rulings 2 and 6).
      const code = cause.code === ErrorCode.ShuttingDown ? ErrorCode.GoingAway : cause.code;
      this.#parts.events.sendControl(connection, ControlType.disconnect, encodeDisconnect(code, cause.reason));
    }
    connection.become('leaving');
    connection.leavingMs = this.#parts.clock.nowMs();
    this.#noLongerPeer(connection, how.abort === true ? SlotState.Aborted : SlotState.Closing);
    this.#tellGone(connection);
    // Reads on into nowhere until the peer closes: a close with unread bytes would reset what we still send.
    connection.paused = false;
    connection.socket.resume();
  }

  /** Looks at all connections' timeouts. */
  sweep(): void {
    const nowMs = this.#parts.clock.nowMs();
    for (const connection of [...this.#parts.table.all]) {
      const step = due(this.#ages(connection, nowMs), this.#parts.settings);
      if (step.kind === 'close') this.#timedOut(connection, step);
      else if (step.kind === 'destroy') connection.destroy();
      else if (step.kind === 'ping') this.#ping(connection, nowMs);
    }
  }

  #ages(connection: Connection, nowMs: number): Ages {
    const { words, layout } = this.#parts.arena;
    const { seat } = connection;
    const control = seat === null ? -1 : layout.slot(seat.slot);
    const partial = control === -1 ? 0 : Atomics.load(words, control + Slot.PartialSinceMs);
    const lastFrame = control === -1 ? 0 : Atomics.load(words, control + Slot.LastFrameMs);
    const sinceFrameMs = lastFrame === 0 ? Number.POSITIVE_INFINITY : sinceSharedMs(nowMs, lastFrame);
    const finSentMs = connection.finSentMs;
    return {
      state: connection.state,
      startedMs: nowMs - connection.startedMs,
      handshakingMs: nowMs - connection.handshakingMs,
      lastReadMs: nowMs - connection.lastReadMs,
      lastSentMs: nowMs - connection.lastSentMs,
      lastMessageMs: Math.min(nowMs - connection.lastMessageSentMs, nowMs - connection.connectedMs, sinceFrameMs),
      writeStalledMs: connection.writer.stalledMs(nowMs),
      partialMs: partial === 0 ? null : sinceSharedMs(nowMs, partial),
      paused: connection.paused,
      mayIdle: connection.persistent || this.#isUnconditional(connection.peerId),
      goodbyeMs: connection.goodbyeMs === 0 ? null : nowMs - connection.goodbyeMs,
      leavingMs: finSentMs > 0 ? nowMs - finSentMs : nowMs - connection.leavingMs - DRAIN_MS,
      hurried: this.#stopping,
    };
  }

  #timedOut(connection: Connection, cause: { code: ErrorCode; reason: string }): void {
    if (connection.state === 'Connected') {
      this.leave(connection, cause, { announce: true });
      return;
    }
    connection.cause ??= { code: cause.code, reason: cause.reason };
    if (connection.direction === 'inbound') this.#refuse(connection, cause);
    else connection.destroy();
  }

  #ping(connection: Connection, nowMs: number): void {
    const nonce = this.#parts.randomBytes(PING_NONCE_BYTES);
    if (this.#parts.events.sendControl(connection, ControlType.ping, nonce)) connection.ping = { nonce, sentMs: nowMs };
    connection.lastSentMs = nowMs;
  }

  #respond(connection: Connection, bytes: Uint8Array): void {
    const { settings, nodeId, dialer, table } = this.#parts;
    const checked = checkAsResponder({ bytes, chainId: settings.chainId, nodeId });
    if (checked.kind === 'incomplete') throw new Error('handshake of 65 bytes is incomplete');
    if (checked.kind === 'refuse') {
      this.#refuse(connection, checked);
      return;
    }
    const peerId = checked.nodeId;
    const existing = table.byId(peerId);
    const dialled = dialer.underWayTo(peerId);
    const rival = existing ?? dialled;
    const shown: Rival | null =
      rival === undefined
        ? null
        : { direction: rival.direction, connected: rival === existing, connectedDuringDial: false };
    connection.exempt = this.#isUnconditional(peerId);
    const admission = admit(
      nodeId,
      { peerId, direction: 'inbound', exempt: connection.exempt },
      shown,
      table.counts(),
      settings,
    );
    if (admission.kind === 'refuse') {
      this.#refuse(connection, admission);
      return;
    }
    if (admission.kind === 'replace') this.#giveWay(rival!);
    if (!this.#seat(connection, peerId)) {
      this.#refuse(connection, { code: ErrorCode.ResourceExhausted, reason: 'no free slot' });
      return;
    }
    connection.socket.write(encodeHandshake(settings.chainId, nodeId));
    this.#connected(connection);
  }

  #judgeAnswer(connection: Connection, bytes: Uint8Array): void {
    const { settings, nodeId, dialer, table, clock } = this.#parts;
    const dial = dialer.of(connection)!;
    const checked = checkAsInitiator({ bytes, chainId: settings.chainId, dialledId: dial.address.id });
    if (checked.kind === 'incomplete') throw new Error('handshake of 65 bytes is incomplete');
    if (checked.kind !== 'accept') {
      connection.cause = {
        code: checked.code,
        reason: checked.kind === 'refused' ? `refused: ${checked.reason}` : checked.reason,
      };
      connection.destroy();
      return;
    }
    const peerId = checked.nodeId;
    connection.peerId = peerId;
    connection.exempt = dial.persistent !== null || this.#isUnconditional(peerId);
    const refusal = peerId === nodeId ? { code: ErrorCode.SelfConnection, reason: 'this is our own address' } : null;
    const existing = table.byId(peerId);
    const rival: Rival | null =
      existing === undefined
        ? null
        : {
            direction: existing.direction,
            connected: true,
            connectedDuringDial: existing.connectedMs >= connection.startedMs && clock.nowMs() >= existing.connectedMs,
          };
    const newcomer = { peerId, direction: 'outbound', exempt: connection.exempt } as const;
    const admission = refusal === null ? admit(nodeId, newcomer, rival, table.counts(), settings) : null;
    if (admission?.kind === 'replace') this.#giveWay(existing!);
    const seated = admission !== null && admission.kind !== 'refuse' && this.#seat(connection, peerId);
    if (seated) {
      this.#connected(connection);
      return;
    }
    // The other side has accepted us: tell it why we go.
    const noSlot = { code: ErrorCode.ResourceExhausted, reason: 'no free slot' };
    const why = refusal ?? (admission?.kind === 'refuse' ? admission : noSlot);
    connection.cause = { code: why.code, reason: why.reason };
    this.#partAfterAnswer(connection, why);
  }

  /** Closes an outbound connection that the peer accepted and we don't want. */
  #partAfterAnswer(connection: Connection, why: Cause): void {
    connection.become('refused');
    connection.leavingMs = this.#parts.clock.nowMs();
    this.#parts.events.sendControl(connection, ControlType.disconnect, encodeDisconnect(why.code, why.reason));
    this.#finish(connection);
  }

  /** Answers an inbound handshake with the reason why not (rulings 2), and closes. */
  #refuse(connection: Connection, why: Cause): void {
    connection.cause ??= { code: why.code, reason: why.reason };
    connection.become('refused');
    connection.leavingMs = this.#parts.clock.nowMs();
    connection.socket.write(encodeRefusal(why.code, why.reason));
    this.#finish(connection);
  }

  #endOldestHandshake(): void {
    const [oldest] = this.#handshakes;
    this.#handshakes.delete(oldest);
    oldest.cause ??= { code: ErrorCode.ResourceExhausted, reason: 'too many handshakes under way' };
    oldest.destroy();
  }

  /** A connection that loses against another of the same peer. */
  #giveWay(rival: Connection): void {
    const cause = { code: ErrorCode.DuplicateConnection, reason: 'another connection of this peer is kept' };
    if (rival.state === 'Connected') {
      this.leave(rival, cause, { announce: true });
      return;
    }
    rival.cause = cause;
    rival.destroy();
  }

  #seat(connection: Connection, peerId: string): boolean {
    const { workers, table } = this.#parts;
    const worker = workers.pin();
    const seat = table.seat(connection, peerId, worker);
    if (seat === null) {
      workers.unpin(worker);
      return false;
    }
    connection.peerId = peerId;
    connection.sit(seat);
    return true;
  }

  #connected(connection: Connection): void {
    const { clock, table, events, dialer, persistent, statistics } = this.#parts;
    const nowMs = clock.nowMs();
    connection.become('accepted');
    connection.connectedMs = nowMs;
    connection.connectedWallMs = clock.wallMs();
    connection.lastSentMs = nowMs;
    connection.lastMessageSentMs = nowMs;
    table.enter(connection);
    const isInbound = connection.direction === 'inbound';
    statistics.count(isInbound ? 'connectionsInbound' : 'connectionsOutbound');
    if (!isInbound) statistics.count('dialsSucceeded');
    connection.persistent ||= persistent.find(connection.peerId) !== undefined;
    this.#tellGoneBefore(connection);
    const dial = dialer.done(connection);
    if (dial?.persistent) dial.persistent.phase = 'connected';
    events.connected(connection);
    dial?.resolve(statistics.peer(connection, nowMs, clock.wallMs()));
  }

  /** Takes a connection out of the connected peers; its worker gets to know that no more bytes come. */
  #noLongerPeer(connection: Connection, state: number): void {
    const { table, arena } = this.#parts;
    if (connection.peerId !== null && table.byId(connection.peerId) === connection) this.#departing.add(connection);
    table.leave(connection);
    const { seat } = connection;
    if (seat === null) return;
    const control = arena.layout.slot(seat.slot);
    if (Atomics.load(arena.words, control + Slot.State) !== SlotState.Open) return;
    Atomics.store(arena.words, control + Slot.State, state);
    this.#wakeWorker(connection);
  }

  /** A peer that comes back while frames of its last connection still wait is told gone first, whatever they say. */
  #tellGoneBefore({ peerId }: Connection): void {
    for (const departing of this.#departing) if (departing.peerId === peerId) this.#tellGone(departing);
  }

  /** Tells, once, that a connected peer is gone, and why. */
  #tellGone(connection: Connection): void {
    if (!this.#departing.delete(connection)) return;
    const { clock, events, persistent, statistics } = this.#parts;
    const cause = connection.finalCause;
    statistics.countDisconnect(cause.code);
    const peer = connection.persistentPeer;
    if (peer !== null) {
      const nowMs = clock.nowMs();
      persistent.ended(peer, nowMs, nowMs - connection.connectedMs, statistics.framesFrom(connection));
    }
    events.disconnected(connection, cause);
  }

  /** The socket of a connection that never became a peer is closed. */
  #neverPeer(connection: Connection): void {
    const { dialer, events, statistics } = this.#parts;
    const cause = connection.finalCause;
    if (connection.socketOpened) statistics.countHandshakeFailed(cause.code);
    if (connection.direction === 'inbound') {
      statistics.count('rejectedInbound');
      events.rejected(connection, cause);
      return;
    }
    statistics.count('dialsFailed');
    events.dialFailed(connection, cause);
    dialer.done(connection)?.reject(dialError(connection));
  }

  /** Everything that arrived is dispatched: once everything queued is with the kernel, our side closes. */
  #finish(connection: Connection): void {
    this.#parts.pump.flushNow();
    void connection.writer.below(1).then(() => {
      if (!connection.isOpen || connection.finSentMs > 0) return;
      connection.finSentMs = this.#parts.clock.nowMs();
      connection.socket.end();
    });
  }

  #unseatIfDone(connection: Connection): void {
    const { seat } = connection;
    if (seat === null || connection.state !== 'Disconnected' || !this.#parts.table.isReleased(seat)) return;
    this.#parts.table.unseat(connection);
    this.#parts.workers.unpin(seat.worker);
  }

  #onSent(connection: Connection, bytes: number): void {
    const { words, layout } = this.#parts.arena;
    addCounter(words, layout.mainCounter('bytesSent'), bytes);
    if (connection.seat !== null) addCounter(words, layout.slot(connection.seat.slot) + Slot.BytesSent, bytes);
  }

  #isUnconditional(peerId: string | null): boolean {
    return peerId !== null && this.#unconditional.has(peerId);
  }
}
