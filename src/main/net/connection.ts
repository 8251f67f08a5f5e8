/**
 * One connection: its socket, its state, where its bytes go. Main thread. Decides nothing: it is told what to become, and
 * tells what happens to its socket.
 *
 * Bytes go to one of three places: the 65 bytes of the handshake into a buffer of exactly that size, so that nothing
 * behind them is read before there is a ring; then the ring; and once the connection is being left, nowhere.
 */
import { ErrorCode } from '../../shared/errors.js';
import { CRAWL_REQUEST, HANDSHAKE_BYTES } from '../../shared/limits.js';
import type { ByteRing } from '../../shared/memory/byte-ring.js';
import type { ConnectionState, Direction } from '../api.js';
import { hostKeyOf, netGroupOf, subnetOf } from '../peers/net-group.js';
import type { PersistentPeer } from '../peers/persistent-peers.js';
import type { Timer } from '../timers.js';
import { doneReading, type ReadSink } from './adopt-socket.js';
import { type ConnectionEvent, nextState } from './connection-state.js';
import type { PeerSocket } from './network.js';
import type { PeerRates } from './peer-rates.js';
import type { SocketWriter } from './socket-writer.js';

/** Most that one read takes: larger reads move more, and a ring is filled by a few. */
const READ_BYTES = 512 * 1024;
/** The same from a peer whose rates are limited: it must not run far ahead of its share with one read. */
const RATED_READ_BYTES = 64 * 1024;
/** Where bytes go that nobody wants. */
const nowhere = new Uint8Array(64 * 1024);

/** Why a connection ends. */
export interface Cause {
  readonly code: number;
  readonly reason: string;
}

/** What a connection reports. */
export interface ConnectionEvents {
  /** Some of the 65 bytes of an initiator's handshake are there. */
  begun(connection: Connection): void;
  /** All 65 bytes of the other side's handshake are there. */
  handshake(connection: Connection, bytes: Uint8Array): void;
  /** Bytes have been published in the ring. */
  arrived(connection: Connection, bytes: number): void;
  /** The peer will send nothing more. */
  ended(connection: Connection): void;
  /** The socket is closed for good. */
  closed(connection: Connection): void;
}

/** A connection's place in shared memory. */
export interface Seat {
  readonly slot: number;
  readonly generation: number;
  readonly worker: number;
  readonly ring: ByteRing;
}

export class Connection implements ReadSink {
  readonly direction: Direction;
  readonly startedMs: number;
  /** `host:port` of the other side. */
  address = '';
  host = '';
  port = 0;
  /** IP address of the other side in its canonical form, once there is a connection. */
  ip = '';
  state: ConnectionState;
  peerId: string | null = null;
  /** We dialled it as a persistent peer, or it has the ID of one and comes from its address. */
  persistent = false;
  /** The entry that we dialled it for. */
  persistentPeer: PersistentPeer | null = null;
  /** Only looks whether the address is alive: parts as soon as it is known. */
  feeler = false;
  /** A feeler that has found who it was for. */
  felt = false;
  /** It asked for peers instead of shaking hands (rulings 3). */
  crawl = false;
  /** Who answered where another was dialled. */
  foundId: string | undefined;
  /** We dialled it ourselves, to see whether we can be reached. */
  isOurs = false;
  /** Ends the wait for more of a handshake that is one byte so far. */
  graceTimer: Timer | null = null;
  /** How much the peer may send and get, null for no limit. */
  rates: PeerRates | null = null;
  /** It is left, and nothing more of what it sent counts. */
  isCutOff = false;
  /** There was a TCP connection: what fails now is the handshake. */
  socketOpened: boolean;
  /** Bytes of it have gone to its worker. */
  isHeard = false;
  /** Limits don't count it (rulings 8). */
  exempt = false;
  seat: Seat | null = null;
  writer!: SocketWriter;
  socket!: PeerSocket;
  /** Why it ends, once somebody has decided or the peer has said so. The first cause given is the true one. */
  cause: Cause | null = null;
  /** What the socket itself reported; the cause where there is no better one. */
  #socketFault: Cause | null = null;
  connectedMs = 0;
  connectedWallMs = 0;
  lastReadMs: number;
  lastSentMs: number;
  /** When something other than ping and pong was last sent. */
  lastMessageSentMs: number;
  /** When the handshake began, it ceased to be a peer, our side closed, the peer said goodbye; 0 for not yet. */
  handshakingMs: number;
  leavingMs = 0;
  finSentMs = 0;
  goodbyeMs = 0;
  /** Nonce and time of the ping that has not been answered. */
  ping: { readonly nonce: Buffer; readonly sentMs: number } | null = null;
  rttMs: number | null = null;
  /** The socket is not read because the ring is full: silence is our doing. */
  paused = false;
  /** The socket is not read because the peer has sent its share. */
  throttled = false;
  readonly #events: ConnectionEvents;
  readonly #nowMs: () => number;
  readonly #handshake = Buffer.allocUnsafe(HANDSHAKE_BYTES);
  #handshakeFilled = 0;
  #netGroup: string | null = null;
  #hostKey: string | null = null;
  #subnet: string | null | undefined;
  #socketClosed = false;

  constructor(direction: Direction, events: ConnectionEvents, nowMs: () => number) {
    this.direction = direction;
    this.state = direction === 'inbound' ? 'Handshaking' : 'Connecting';
    this.socketOpened = direction === 'inbound';
    this.#events = events;
    this.#nowMs = nowMs;
    this.startedMs = nowMs();
    this.handshakingMs = this.startedMs;
    this.lastReadMs = this.startedMs;
    this.lastSentMs = this.startedMs;
    this.lastMessageSentMs = this.startedMs;
  }

  /** The netgroup of the other side, once there is a connection. */
  get netGroup(): string {
    this.#netGroup ??= netGroupOf(this.ip, this.port);
    return this.#netGroup;
  }

  /** What answers for the other side, once there is a connection. */
  get hostKey(): string {
    this.#hostKey ??= hostKeyOf(this.ip);
    return this.#hostKey;
  }

  /** The subnet of the other side, once there is a connection; null for a local address. */
  get subnet(): string | null {
    if (this.#subnet === undefined) this.#subnet = subnetOf(this.ip);
    return this.#subnet;
  }

  /** Gives the connection its socket. */
  attach(socket: PeerSocket, writer: SocketWriter): void {
    this.socket = socket;
    this.writer = writer;
    socket.setNoDelay(true);
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#socketFault ??= { code: ErrorCode.NetworkError, reason: error.code ?? error.message };
    });
    socket.on('end', () => this.#events.ended(this));
    socket.on('close', () => this.#onClose());
  }

  /** One byte so far, and that may be a crawl or the beginning of a handshake. */
  get startsLikeCrawl(): boolean {
    return this.state === 'Handshaking' && this.#handshakeFilled === 1 && this.#handshake[0] === CRAWL_REQUEST;
  }

  /** Moves the state machine. */
  become(event: ConnectionEvent): void {
    this.state = nextState(this.state, event as never);
  }

  /** From now on bytes go into the ring of this seat. */
  sit(seat: Seat): void {
    this.seat = seat;
  }

  /** Why the connection ended, now that it has. */
  get finalCause(): Cause {
    return this.cause ?? this.#socketFault ?? { code: ErrorCode.NetworkError, reason: 'closed by peer' };
  }

  /** The socket can still take what is written. */
  get isOpen(): boolean {
    return !this.#socketClosed && !this.socket.destroyed;
  }

  buffer(): Uint8Array {
    if (this.state === 'Connecting' || (this.state === 'Handshaking' && this.#handshakeFilled < HANDSHAKE_BYTES)) {
      return this.#handshake.subarray(this.#handshakeFilled);
    }
    if (this.state !== 'Connected' || this.seat === null) return nowhere;
    const { ring } = this.seat;
    // An eighth stays in reserve, so that a buffer for the next read can always be given, even while paused.
    const reserve = ring.capacity / 8;
    const { free } = ring;
    if (free === 0) throw new Error('a socket is read with a full ring');
    const most = this.rates === null ? READ_BYTES : RATED_READ_BYTES;
    return ring.region(Math.min(most, free > reserve ? free - reserve : free));
  }

  received(bytes: number): boolean {
    this.lastReadMs = this.#nowMs();
    if (this.state === 'Handshaking' && this.#handshakeFilled < HANDSHAKE_BYTES) {
      this.#handshakeFilled += bytes;
      if (this.#handshakeFilled === HANDSHAKE_BYTES) this.#events.handshake(this, this.#handshake);
      else if (this.direction === 'inbound') this.#events.begun(this);
      return true;
    }
    if (this.state !== 'Connected' || this.seat === null) return true;
    const { ring } = this.seat;
    ring.commit(bytes);
    this.#events.arrived(this, bytes);
    this.paused = ring.free < ring.capacity / 4 && ring.pause();
    return !this.paused && !this.throttled;
  }

  /** Half of the ring is free again. */
  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.#readOn();
  }

  /** The peer has sent its share: the socket is not read until `unthrottle`. */
  throttle(): void {
    if (this.throttled) return;
    this.throttled = true;
    this.socket.pause();
  }

  unthrottle(): void {
    if (!this.throttled) return;
    this.throttled = false;
    this.#readOn();
  }

  #readOn(): void {
    if (this.paused || this.throttled) return;
    this.lastReadMs = this.#nowMs();
    if (this.isOpen) this.socket.resume();
  }

  destroy(): void {
    this.socket.destroy();
  }

  #onClose(): void {
    this.#socketClosed = true;
    doneReading(this);
    this.graceTimer?.cancel();
    this.become('closed');
    this.writer.dispose();
    this.#events.closed(this);
  }
}
