/**
 * The part of a connection's life before it is a peer: handshakes in both roles, crawls, admission. Main thread.
 * Decisions are asked of pure functions (handshake, admission, eviction) and of `Conduct`; what comes of them is carried
 * out here and by `PeerConnections`.
 */
import type { Clock } from '../../shared/clock.js';
import { ErrorCode } from '../../shared/errors.js';
import { encodeDisconnect } from '../../shared/wire/disconnect.js';
import { checkAsInitiator, checkAsResponder, encodeHandshake, encodeRefusal } from '../../shared/wire/handshake.js';
import { ControlType } from '../../shared/wire/message-type.js';
import type { Settings } from '../config/settings.js';
import type { CrawlResponder } from '../discovery/crawl-responder.js';
import { type Admission, admit, type Newcomer, type Rival } from '../peers/admission.js';
import type { PersistentPeers } from '../peers/persistent-peers.js';
import { TokenBucket } from '../peers/token-bucket.js';
import type { Statistics } from '../statistics.js';
import type { Timers } from '../timers.js';
import { peerIp } from './address.js';
import type { Cause, Connection } from './connection.js';
import type { ConnectionTable } from './connection-table.js';
import { Crowd } from './crowd.js';
import type { Dialer } from './dialer.js';

/** Inbound handshakes under way at most; an old one gives way to a newer one, since honest ones are quick. */
const MAX_HANDSHAKING = 256;
/** Refused connections that wait for the other side to read why and close. */
const MAX_REFUSED = 256;
/** Peers that give way at most: so many at once, then so many a second. A storm of newcomers is refused, not served. */
const EVICTIONS_AT_ONCE = 20;
const EVICTIONS_PER_SECOND = 5;
const noSlot: Cause = { code: ErrorCode.ResourceExhausted, reason: 'no free slot' };

export interface HandshakesParts {
  readonly settings: Settings;
  readonly nodeId: string;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly table: ConnectionTable;
  readonly dialer: Dialer;
  readonly persistent: PersistentPeers;
  readonly statistics: Statistics;
  readonly crawls: CrawlResponder;
  /** Why a peer of this address and ID is not wanted (bans, reputation); null if it is. */
  judge(ip: string, id: string | null): Cause | null;
  /** Whether an inbound connection that shows this ID is a dial of our own, made to see whether it gets here. */
  isOwnDial(peerId: string): boolean;
  /** The inbound peer that gives way to a newcomer when there is no room; null if none should. */
  chooseEviction(): Connection | null;
  sendControl(connection: Connection, type: string, payload: Uint8Array): boolean;
}

/** What becomes of connections after the handshake. */
export interface PeerLife {
  /** Gives the connection a slot. @returns false if there is none */
  seat(connection: Connection, peerId: string): boolean;
  connected(connection: Connection): void;
  leave(connection: Connection, cause: Cause, how: { announce: boolean }): void;
  /** Everything is written: once the kernel has it, our side closes. */
  finish(connection: Connection): void;
}

/** Ends a handshake that has to give way. */
function end(connection: Connection | null, reason: string): void {
  if (connection === null) return;
  connection.cause ??= { code: ErrorCode.ResourceExhausted, reason };
  connection.destroy();
}

/** A peer that is there as one whom we dialled shows its ID. */
function rivalOfDial(existing: Connection, dialled: Connection, nowMs: number): Rival {
  const connectedDuringDial = existing.connectedMs >= dialled.startedMs && nowMs >= existing.connectedMs;
  return {
    direction: existing.direction,
    connected: true,
    connectedDuringDial,
    // Where a name leads, and who is there if no ID was named, shows only now: who came from there meanwhile is that peer,
    // whose dial has met ours.
    vouched: existing.persistent || (connectedDuringDial && existing.ip === dialled.ip),
  };
}

export class Handshakes {
  readonly #parts: HandshakesParts;
  readonly #life: PeerLife;
  /** The 65 bytes of our side. */
  readonly #hello: Uint8Array;
  /** Inbound connections whose handshake is under way. */
  readonly #inbound = new Crowd<Connection>(MAX_HANDSHAKING);
  /** Inbound connections that have been told no, or whom to ask instead, and whose socket is still there. */
  readonly #refused = new Crowd<Connection>(MAX_REFUSED);
  readonly #evictions = new TokenBucket({ ratePerSecond: EVICTIONS_PER_SECOND, burst: EVICTIONS_AT_ONCE });

  constructor(parts: HandshakesParts, life: PeerLife) {
    this.#parts = parts;
    this.#life = life;
    this.#hello = encodeHandshake(parts.settings.chainId, parts.nodeId);
  }

  isUnconditional(peerId: string | null): boolean {
    return peerId !== null && this.#parts.settings.unconditionalPeerIds.includes(peerId);
  }

  /** An inbound connection is there. */
  expect(connection: Connection): void {
    end(this.#inbound.add(connection), 'too many handshakes under way');
  }

  /** File descriptors are short: what has not shaken hands yet goes first, and whoever has most of it. */
  giveWay(): void {
    end(this.#inbound.takeOldest(), 'file descriptors are short');
  }

  /** A connection is closed or has left the handshake. */
  forget(connection: Connection): void {
    this.#inbound.delete(connection);
    this.#refused.delete(connection);
  }

  /** A dial's TCP connection is there: the initiator speaks first, unless we don't want to talk to this address. */
  opened(connection: Connection): void {
    const { clock, dialer } = this.#parts;
    connection.become('opened');
    connection.socketOpened = true;
    connection.handshakingMs = clock.nowMs();
    connection.ip = peerIp(connection.socket);
    const gone = { code: ErrorCode.NetworkError, reason: 'closed at once' };
    const dialledId = dialer.of(connection)?.address.id ?? null;
    const unwanted = connection.ip === '' ? gone : this.#parts.judge(connection.ip, dialledId);
    if (unwanted !== null) {
      connection.cause = unwanted;
      connection.destroy();
      return;
    }
    connection.socket.write(this.#hello);
  }

  /** An initiator has sent a part of its handshake, or all of a crawl. */
  begun(connection: Connection): void {
    connection.graceTimer?.cancel();
    connection.graceTimer = null;
    if (!connection.startsLikeCrawl) return;
    connection.graceTimer = this.#parts.timers.after(this.#parts.settings.crawlGraceMs, () => {
      if (connection.startsLikeCrawl) this.#serveCrawl(connection);
    });
  }

  /** All 65 bytes are there. */
  whole(connection: Connection, bytes: Uint8Array): void {
    this.#inbound.delete(connection);
    connection.graceTimer?.cancel();
    if (connection.direction === 'inbound') this.#respond(connection, bytes);
    else this.#judgeAnswer(connection, bytes);
  }

  /** The other side will send nothing more, and the handshake is not whole. */
  ended(connection: Connection): void {
    if (connection.direction === 'inbound' && connection.startsLikeCrawl) {
      this.#serveCrawl(connection);
      return;
    }
    connection.cause ??= { code: ErrorCode.NetworkError, reason: 'closed by peer during handshake' };
    connection.destroy();
  }

  /** Answers an inbound handshake with the reason why not (rulings 2), and closes. */
  refuse(connection: Connection, why: Cause): void {
    connection.cause ??= { code: why.code, reason: why.reason };
    this.#turnAway(connection);
    connection.socket.write(encodeRefusal(why.code, why.reason));
    this.#life.finish(connection);
  }

  #serveCrawl(connection: Connection): void {
    const { crawls, clock, judge } = this.#parts;
    this.#inbound.delete(connection);
    connection.crawl = true;
    if (judge(connection.ip, null) !== null) {
      crawls.refuse();
      connection.destroy();
      return;
    }
    const answer = crawls.answer(connection.ip, clock.nowMs());
    if (answer === null) {
      connection.destroy();
      return;
    }
    this.#turnAway(connection);
    connection.socket.write(answer);
    this.#life.finish(connection);
  }

  #turnAway(connection: Connection): void {
    connection.become('refused');
    connection.leavingMs = this.#parts.clock.nowMs();
    if (connection.direction === 'outbound') return;
    this.#inbound.delete(connection);
    this.#refused.add(connection)?.destroy();
  }

  #respond(connection: Connection, bytes: Uint8Array): void {
    const { settings, nodeId, dialer, table, judge } = this.#parts;
    const checked = checkAsResponder({ bytes, chainId: settings.chainId, nodeId });
    if (checked.kind === 'incomplete') throw new Error('handshake of 65 bytes is incomplete');
    if (checked.kind === 'refuse') {
      this.refuse(connection, checked);
      return;
    }
    const peerId = checked.nodeId;
    if (this.#parts.isOwnDial(peerId)) {
      this.#greetOurselves(connection);
      return;
    }
    connection.peerId = peerId;
    const unwanted = judge(connection.ip, peerId);
    if (unwanted !== null) {
      this.refuse(connection, unwanted);
      return;
    }
    const existing = table.byId(peerId);
    const rival = existing ?? dialer.underWayTo(peerId, connection.ip);
    const shown: Rival | null =
      rival === undefined
        ? null
        : {
            direction: rival.direction,
            connected: rival === existing,
            connectedDuringDial: false,
            vouched: rival.persistent,
          };
    connection.exempt = this.isUnconditional(peerId);
    const newcomer = {
      peerId,
      direction: 'inbound',
      exempt: connection.exempt,
      subnetPeers: table.subnetPeers(connection),
      vouched: false,
    } as const;
    const admission = this.#admitInbound(newcomer, shown);
    if (admission.kind === 'refuse') {
      this.refuse(connection, admission);
      return;
    }
    if (admission.kind === 'replace') this.#giveWay(rival!);
    if (!this.#life.seat(connection, peerId)) {
      this.refuse(connection, noSlot);
      return;
    }
    connection.socket.write(this.#hello);
    this.#life.connected(connection);
  }

  /** Before any ban or limit, and counted nowhere: nobody has come. */
  #greetOurselves(connection: Connection): void {
    connection.isOurs = true;
    this.#turnAway(connection);
    connection.socket.write(this.#hello);
    this.#life.finish(connection);
  }

  /** Admission, with an inbound peer giving way to the newcomer if there is no room and one should. */
  #admitInbound(newcomer: Newcomer, rival: Rival | null): Admission {
    const { settings, nodeId, table, statistics, clock } = this.#parts;
    const admission = admit(nodeId, newcomer, rival, table.counts(), settings);
    if (admission.kind !== 'refuse' || !admission.full) return admission;
    if (!this.#evictions.takeIfThere(1, clock.nowMs())) return admission;
    const victim = this.#parts.chooseEviction();
    if (victim === null) return admission;
    statistics.count('evictions');
    const cause = { code: ErrorCode.PeerLimitReached, reason: 'replaced by another peer' };
    this.#life.leave(victim, cause, { announce: true });
    return admit(nodeId, newcomer, rival, table.counts(), settings);
  }

  #judgeAnswer(connection: Connection, bytes: Uint8Array): void {
    const { settings, nodeId, dialer, table, clock, judge } = this.#parts;
    const dial = dialer.of(connection)!;
    const checked = checkAsInitiator({ bytes, chainId: settings.chainId, dialledId: dial.address.id });
    if (checked.kind === 'incomplete') throw new Error('handshake of 65 bytes is incomplete');
    if (checked.kind !== 'accept') {
      // Said from where that node is connected to us: it is there.
      const known = checked.code === ErrorCode.DuplicateConnection ? table.byId(dial.address.id ?? '') : undefined;
      if (connection.feeler && known?.ip === connection.ip) {
        connection.peerId = known.peerId;
        connection.felt = true;
      }
      connection.cause = {
        code: checked.code,
        reason: checked.kind === 'refused' ? `refused: ${checked.reason}` : checked.reason,
      };
      connection.foundId = checked.foundId;
      connection.destroy();
      return;
    }
    const peerId = checked.nodeId;
    connection.peerId = peerId;
    // A reload may have taken it off the list since the dial began.
    connection.persistent = dial.persistent !== null && this.#parts.persistent.has(dial.persistent);
    connection.exempt = connection.persistent || this.isUnconditional(peerId);
    const unwanted =
      peerId === nodeId
        ? { code: ErrorCode.SelfConnection, reason: 'this is our own address' }
        : judge(connection.ip, peerId);
    const existing = table.byId(peerId);
    const rival = existing === undefined ? null : rivalOfDial(existing, connection, clock.nowMs());
    const newcomer = {
      peerId,
      direction: 'outbound',
      exempt: connection.exempt,
      subnetPeers: 0,
      vouched: connection.persistent,
    } as const;
    const admission = unwanted === null ? admit(nodeId, newcomer, rival, table.counts(), settings) : null;
    if (connection.feeler && unwanted === null) {
      connection.felt = true;
      this.#part(connection, { code: ErrorCode.GoingAway, reason: 'only checked whether you are reachable' });
      return;
    }
    if (admission?.kind === 'replace') this.#giveWay(existing!);
    if (admission !== null && admission.kind !== 'refuse' && this.#life.seat(connection, peerId)) {
      this.#life.connected(connection);
      return;
    }
    this.#part(connection, unwanted ?? (admission?.kind === 'refuse' ? admission : noSlot));
  }

  /** Closes an outbound connection that the other side has accepted, and tells it why. */
  #part(connection: Connection, why: Cause): void {
    connection.cause = { code: why.code, reason: why.reason };
    this.#turnAway(connection);
    this.#parts.sendControl(connection, ControlType.disconnect, encodeDisconnect(why.code, why.reason));
    this.#life.finish(connection);
  }

  /** A connection that loses against another of the same peer. */
  #giveWay(rival: Connection): void {
    const cause = { code: ErrorCode.DuplicateConnection, reason: 'another connection of this peer is kept' };
    if (rival.state === 'Connected') {
      this.#life.leave(rival, cause, { announce: true });
      return;
    }
    rival.cause = cause;
    rival.destroy();
  }
}
