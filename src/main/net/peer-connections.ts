/**
 * The life of every connection: accepted or dialled, through its handshake (`Handshakes`), as a peer, leaving in good
 * order. Main thread. What is due when is `ConnectionSweep`'s.
 */
import { ErrorCode } from '../../shared/errors.js';
import { Slot, SlotState } from '../../shared/memory/arena-layout.js';
import { encodeDisconnect } from '../../shared/wire/disconnect.js';
import { ControlType } from '../../shared/wire/message-type.js';
import type { OptionKey } from '../config/options.js';
import type { Workers } from '../pool/workers.js';
import { delay } from '../timers.js';
import { formatAddress, normalizeHost, peerIp } from './address.js';
import { type Cause, Connection, type ConnectionEvents } from './connection.js';
import { ConnectionSweep, type ConnectionSweepParts } from './connection-sweep.js';
import { dialError } from './dialer.js';
import { Handshakes, type HandshakesParts, type PeerLife } from './handshakes.js';
import type { AdoptPeer, PeerSocket } from './network.js';
import type { OutboundPump } from './outbound-pump.js';
import { PeerRates } from './peer-rates.js';
import { SocketWriter } from './socket-writer.js';

/** Options that rates come from. */
const rateKeys = ['receiveRate', 'sendRate', 'receiveMessages', 'sendMessages'] as const satisfies readonly OptionKey[];
/** Most that a peer whose rates are limited gets at once. */
const RATED_WRITE_BYTES = 64 * 1024;
/** How often a draining node looks whether it is done. */
const DRAIN_LOOK_MS = 5;

/** What the node is told. */
export interface PeerEvents {
  /** A dial has found a node behind its address, whether or not it becomes a peer. */
  reached(connection: Connection): void;
  connected(connection: Connection): void;
  disconnected(connection: Connection, cause: Cause): void;
  /** An inbound connection did not become a peer. */
  rejected(connection: Connection, cause: Cause): void;
  /** An outbound connection did not become a peer. */
  dialFailed(connection: Connection, cause: Cause): void;
}

export interface PeerConnectionsParts extends HandshakesParts, ConnectionSweepParts {
  readonly pump: OutboundPump;
  readonly workers: Workers;
  readonly events: PeerEvents & ConnectionSweepParts['events'];
}

export class PeerConnections implements ConnectionEvents, PeerLife {
  readonly #parts: PeerConnectionsParts;
  readonly #handshakes: Handshakes;
  readonly #sweep: ConnectionSweep;
  /** No longer peers, but nobody has been told: the peer may have said why in frames that are not dispatched yet. */
  readonly #departing = new Set<Connection>();
  /** While the node drains, no connection closes before all queued handlers are through: they may still reply. */
  #holding = false;
  #stopping = false;

  constructor(parts: PeerConnectionsParts) {
    this.#parts = parts;
    this.#handshakes = new Handshakes(parts, this);
    this.#sweep = new ConnectionSweep(parts, {
      isStopping: () => this.#stopping,
      mayIdle: ({ persistent, peerId }) => persistent || this.#handshakes.isUnconditional(peerId),
      end: (connection, cause) => this.#end(connection, cause, false),
    });
  }

  /** Takes an accepted connection in. */
  accept(adopt: AdoptPeer): void {
    const connection = this.create('inbound');
    const socket = adopt(connection);
    const ip = peerIp(socket);
    if (ip === '') {
      // Reset before we came to look: there is nobody to be connected to.
      socket.destroy();
      return;
    }
    connection.host = normalizeHost(socket.remoteAddress ?? ip);
    connection.ip = ip;
    connection.port = socket.remotePort ?? 0;
    connection.address = formatAddress(connection.host, connection.port);
    this.attach(connection, socket);
    this.#handshakes.expect(connection);
    socket.resume();
  }

  /** File descriptors are short: of the handshakes under way, the host that has most loses its oldest. */
  giveWay(): void {
    this.#handshakes.giveWay();
  }

  create(direction: 'inbound' | 'outbound'): Connection {
    return new Connection(direction, this, () => this.#parts.clock.nowMs());
  }

  attach(connection: Connection, socket: PeerSocket): void {
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

  /** A dial's TCP connection is there. */
  opened(connection: Connection): void {
    this.#handshakes.opened(connection);
  }

  begun(connection: Connection): void {
    this.#handshakes.begun(connection);
  }

  handshake(connection: Connection, bytes: Uint8Array): void {
    this.#handshakes.whole(connection, bytes);
  }

  arrived(connection: Connection, bytes: number): void {
    const { statistics, clock } = this.#parts;
    connection.isHeard = true;
    statistics.countReceivedBytes(connection, bytes);
    this.#wakeWorker(connection);
    const { rates } = connection;
    if (rates === null) return;
    const nowMs = clock.nowMs();
    rates.received(bytes, statistics.framesFrom(connection), nowMs);
    if (!rates.mayRead(nowMs)) connection.throttle();
  }

  /** The worker of a seated connection looks at it. */
  wake(connection: Connection): void {
    if (connection.isHeard) this.#wakeWorker(connection);
  }

  #wakeWorker(connection: Connection): void {
    const { slot, worker, ring } = connection.seat!;
    const nowUs = Math.trunc(this.#parts.clock.nowMs() * 1000) | 0;
    this.#parts.workers.ready(slot, worker, nowUs, ring.free < ring.capacity / 2);
    this.#parts.pump.schedule();
  }

  ended(connection: Connection): void {
    if (connection.state === 'Connected') {
      connection.become('leaving');
      this.#noLongerPeer(connection, SlotState.Closing);
      this.#releaseUnheard(connection);
    } else if (connection.state !== 'Disconnecting') {
      this.#handshakes.ended(connection);
    }
  }

  closed(connection: Connection): void {
    const { table } = this.#parts;
    table.remove(connection);
    this.#handshakes.forget(connection);
    this.#noLongerPeer(connection, SlotState.Closing);
    if (connection.connectedMs === 0) this.#neverPeer(connection);
    this.#releaseUnheard(connection);
    this.#unseatIfDone(connection);
  }

  /** The worker has let go of the connection. */
  released(connection: Connection): void {
    // Only now has everything that the peer sent been seen, its `disconnect` too: the cause is known.
    this.#tellGone(connection);
    if (connection.state === 'Disconnecting' && !this.#holding) this.finish(connection);
    this.#unseatIfDone(connection);
  }

  /** A pong has come. */
  pong(connection: Connection, payload: Buffer): void {
    this.#sweep.pong(connection, payload);
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
    for (const connection of [...this.#parts.table.all]) this.#end(connection, cause, false);
  }

  /**
   * Settles when everything that arrived is dispatched, queued handlers are through, all is written and all sockets are
   * closed, or when the deadline has passed, which may be moved. Looks at shared memory every few milliseconds; nothing is slept for.
   */
  async drained(deadlineMs: () => number): Promise<void> {
    const { clock, timers, table, workers, pump } = this.#parts;
    const until = async (done: () => boolean) => {
      while (!done() && clock.nowMs() < deadlineMs()) await delay(timers, DRAIN_LOOK_MS);
    };
    const isDispatched = ({ seat }: Connection) => seat === null || table.isReleased(seat);
    await until(() => [...table.all].every(isDispatched) && workers.queuedMessages() === 0);
    // A handler that is through has published its replies before: they may stand in its ring yet.
    pump.takeAll();
    this.#holding = false;
    for (const connection of [...table.all]) if (connection.state === 'Disconnecting') this.finish(connection);
    // Frames of a connection whose socket was closed already may have come to a queue only now.
    await until(() => table.all.size === 0 && table.takenSeats === 0 && workers.queuedMessages() === 0);
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
      this.#parts.sendControl(connection, ControlType.disconnect, encodeDisconnect(code, cause.reason));
    }
    connection.become('leaving');
    connection.isCutOff = how.abort === true;
    this.#noLongerPeer(connection, how.abort === true ? SlotState.Aborted : SlotState.Closing);
    this.#tellGone(connection);
    // Reads on into nowhere until the peer closes: a close with unread bytes would reset what we still send.
    connection.paused = false;
    connection.throttled = false;
    connection.rates = null;
    connection.writer.hold(false);
    connection.socket.resume();
    this.#releaseUnheard(connection);
  }

  /** Ends a connection in whatever state it is; a peer is told why, and nothing more of it is dispatched. */
  cutOff(connection: Connection, cause: Cause): void {
    this.#end(connection, cause, true);
  }

  #end(connection: Connection, cause: Cause, abort: boolean): void {
    if (connection.state === 'Connected') {
      this.leave(connection, cause, { announce: true, abort });
    } else if (connection.state === 'Handshaking' && connection.direction === 'inbound') {
      this.#handshakes.refuse(connection, cause);
    } else if (connection.state !== 'Disconnecting') {
      connection.cause ??= cause;
      connection.destroy();
    }
  }

  /** Looks at all connections' timeouts. */
  sweep(): void {
    this.#sweep.run();
  }

  /** Gives a connection that is to be a peer a slot. @returns false if there is none */
  seat(connection: Connection, peerId: string): boolean {
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

  /** The handshake is through. */
  connected(connection: Connection): void {
    const { clock, table, events, dialer, statistics } = this.#parts;
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
    this.#limitRates(connection);
    this.#stand(connection);
    this.#tellGoneBefore(connection);
    const dial = dialer.done(connection);
    if (dial?.persistent) dial.persistent.phase = 'connected';
    if (!isInbound) events.reached(connection);
    events.connected(connection);
    dial?.resolve(statistics.peer(connection, nowMs, clock.wallMs()));
  }

  /** Other limits, rates or names than before: those that are connected go by them from now on. */
  settingsChanged(changed: ReadonlySet<string>): void {
    // A peer that is in debt stays so unless the rates themselves are others.
    const areRates = rateKeys.some((key) => changed.has(key));
    for (const connection of [...this.#parts.table.connected()]) {
      if (areRates) this.#limitRates(connection);
      this.#stand(connection);
    }
  }

  /** What a peer may send and get. */
  #limitRates(connection: Connection): void {
    const { settings, statistics } = this.#parts;
    connection.rates = PeerRates.of(settings, statistics.framesFrom(connection));
    connection.writer.limitWrites(connection.rates === null ? undefined : RATED_WRITE_BYTES);
    if (connection.rates !== null) return;
    connection.unthrottle();
    connection.writer.hold(false);
  }

  /** Whether the operator has named a peer, and so what limits and timeouts it is spared. */
  #stand(connection: Connection): void {
    const { persistent, table } = this.#parts;
    const { persistentPeer, peerId, ip, direction } = connection;
    const isEntry = persistentPeer !== null && persistent.has(persistentPeer);
    if (!isEntry) connection.persistentPeer = null;
    const isVouched = persistent.vouchesFor(peerId, ip);
    connection.persistent = isEntry || isVouched;
    // One that we dialled for another reason is not dialled again for its entry.
    const isDialled = isEntry || (isVouched && direction === 'outbound');
    table.setExempt(connection, isDialled || this.#handshakes.isUnconditional(peerId));
  }

  /** Takes a connection out of the connected peers; its worker gets to know that no more bytes come. */
  #noLongerPeer(connection: Connection, state: number): void {
    const { table, arena, clock } = this.#parts;
    if (connection.leavingMs === 0) connection.leavingMs = clock.nowMs();
    if (connection.peerId !== null && table.byId(connection.peerId) === connection) this.#departing.add(connection);
    table.leave(connection);
    const { seat } = connection;
    if (seat === null) return;
    const control = arena.layout.slot(seat.slot);
    if (Atomics.load(arena.words, control + Slot.State) !== SlotState.Open) return;
    Atomics.store(arena.words, control + Slot.State, state);
    if (connection.isHeard) this.#wakeWorker(connection);
  }

  /** A connection that never sent anything its worker has never heard of: nobody has to ask it to let go. */
  #releaseUnheard(connection: Connection): void {
    const { seat } = connection;
    if (seat === null || connection.isHeard || this.#parts.table.isReleased(seat)) return;
    this.#parts.table.release(seat);
    this.released(connection);
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
    if (connection.crawl || connection.isOurs) return;
    const { dialer, events, statistics, clock } = this.#parts;
    const cause = connection.finalCause;
    if (connection.felt) {
      statistics.count('feelers');
      events.reached(connection);
      dialer.done(connection)?.resolve(statistics.peer(connection, clock.nowMs(), clock.wallMs()));
      return;
    }
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
  finish(connection: Connection): void {
    this.#parts.pump.flushNow();
    // Never at once: more for this connection may stand behind what is being taken out of an outbound ring.
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
    this.#parts.statistics.countSentBytes(connection, bytes);
    const { rates } = connection;
    if (rates !== null) {
      const nowMs = this.#parts.clock.nowMs();
      rates.sentBytes(bytes, nowMs);
      connection.writer.hold(!rates.mayWrite(nowMs));
    }
  }
}
