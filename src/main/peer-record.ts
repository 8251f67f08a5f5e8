/**
 * Where everything goes that happens with peers: to the log, to history, and to their reputation, from which a ban may
 * come. One method for each kind of event, so that nothing is refused, dropped, banned or failed without a code, a line
 * and an entry (rulings 6). Main thread.
 */
import type { Clock } from '../shared/clock.js';
import { ErrorCode, errorCodeName } from '../shared/errors.js';
import { PROVEN_CONNECTION_MS } from '../shared/limits.js';
import { LogSampler } from '../shared/log-sampler.js';
import type { BanInfo, HistoryEntry, HistoryKind, HistoryQuery, HourCount } from './api.js';
import { formatAddress } from './net/address.js';
import type { Cause, Connection } from './net/connection.js';
import type { PeerLog } from './peer-log.js';
import type { BanRecord, Bans } from './peers/bans.js';
import { Conduct } from './peers/conduct.js';
import type { History, HistoryRecord } from './peers/history.js';
import type { HourTally } from './peers/hour-tally.js';
import type { Reputation } from './peers/reputation.js';
import type { ReputationEvent } from './peers/reputation-events.js';
import { FRAME_TIMEOUT } from './peers/timeouts.js';

const HOUR_MS = 3_600_000;
/** Peers that send nothing but malformed frames must not push everything else out of history. */
const DROPS_WINDOW_MS = 5000;
const DROPS_MAX = 50;

/** What a timeout says about a peer; the others say nothing. */
const timeoutEvents: Readonly<Partial<Record<number, ReputationEvent>>> = {
  [ErrorCode.HandshakeTimeout]: 'handshakeTimeout',
  [ErrorCode.WriteTimeout]: 'writeTimeout',
};

/** What dropping a frame says about the peer that sent it. */
const violationEvents: Readonly<Partial<Record<number, ReputationEvent>>> = {
  [ErrorCode.InvalidMessageFormat]: 'malformedFrame',
  [ErrorCode.MessageTooLarge]: 'oversizedFrame',
  [ErrorCode.WorkerPoisoned]: 'workerPoisoned',
};

export interface PeerRecordParts {
  readonly log: PeerLog;
  readonly history: History;
  readonly lastHour: HourTally;
  readonly bans: Bans;
  readonly reputation: Reputation;
  readonly clock: Clock;
  /** A ban has begun: whoever it is for is to be cut off. */
  banned(ban: BanRecord, info: BanInfo): void;
}

export class PeerRecord {
  readonly conduct: Conduct;
  readonly #parts: PeerRecordParts;
  /** Frames dropped, by code. */
  readonly #drops = new LogSampler<number, Connection>({ windowMs: DROPS_WINDOW_MS, linesMax: DROPS_MAX });
  /** Connections closed for want of file descriptors: who they were from is not looked up. */
  readonly #noFiles = new LogSampler<'all', 'anybody'>({ linesMax: 1, sourcesMax: 1 });
  /** Hours of service that a connected peer has been credited with; 0 from the first minute on. */
  readonly #credited = new WeakMap<Connection, number>();

  constructor(parts: PeerRecordParts) {
    this.#parts = parts;
    this.conduct = new Conduct({
      reputation: parts.reputation,
      bans: parts.bans,
      wallMs: () => parts.clock.wallMs(),
      banned: (ban) => this.#banned(ban),
    });
  }

  connected(connection: Connection): void {
    this.#parts.log.connected(connection);
    this.#note('connected', connection);
  }

  disconnected(connection: Connection, cause: Cause): void {
    this.#parts.log.disconnected(connection, cause);
    this.#enter('disconnected', connection, cause);
  }

  rejected(connection: Connection, cause: Cause): void {
    this.#parts.log.rejected(connection, cause);
    this.#enter('rejected', connection, cause);
  }

  /** A connection was closed at once, because file descriptors are short. */
  noFiles(): void {
    const { log, lastHour, history, clock } = this.#parts;
    log.noFiles();
    lastHour.add('rejected', ErrorCode.ResourceExhausted, clock.nowMs());
    if (this.#noFiles.admit('all', 'anybody', clock.nowMs())) history.add(this.#noFilesEntry('closed unread'));
  }

  #noFilesEntry(what: string): HistoryRecord {
    const cause = { code: ErrorCode.ResourceExhausted, reason: `file descriptors are short: ${what}` };
    return { ...this.#entry('rejected', cause), peerId: null, address: null };
  }

  dialFailed(connection: Connection, cause: Cause): void {
    this.#parts.log.dialFailed(connection, cause);
    this.#enter('dial-failed', connection, cause);
    this.#note('dialFailed', connection);
  }

  /** A frame of a peer was dropped. */
  violation(connection: Connection, code: number): void {
    const { log, clock } = this.#parts;
    log.violation(connection, code);
    this.#parts.lastHour.add('dropped', code, clock.nowMs());
    if (this.#drops.admit(code, connection, clock.nowMs())) {
      this.#parts.history.add(this.#entryOf('dropped', connection, { code, reason: 'frame dropped' }));
    }
    const event = violationEvents[code];
    if (event !== undefined) this.#note(event, connection);
  }

  timedOut(connection: Connection, { code, reason }: Cause): void {
    // Whoever is silent where others sent us never said that it listens there.
    if (connection.direction === 'outbound' && connection.peerId === null) return;
    const event = reason === FRAME_TIMEOUT ? 'frameTimeout' : timeoutEvents[code];
    if (event !== undefined) this.#note(event, connection);
  }

  /** A message handler of the application holds something against the sender. */
  penalised(connection: Connection, reason: string): void {
    this.#enter('penalised', connection, { code: ErrorCode.InvalidMessageFormat, reason });
    this.#note('penalised', connection);
  }

  grossExcess(connection: Connection): void {
    this.#enter('penalised', connection, { code: ErrorCode.RateLimited, reason: 'sends far more than its share' });
    this.#note('rateExcess', connection);
  }

  /** A peer exchange message was not as it must be. */
  pexFault(event: ReputationEvent, connection: Connection): void {
    const reason = pexFaults[event as keyof typeof pexFaults];
    this.#enter('penalised', connection, { code: ErrorCode.InvalidMessageFormat, reason });
    this.#note(event, connection);
  }

  crawlFailed(seed: string, cause: Cause): void {
    this.#parts.log.crawlFailed(seed, cause);
    this.#add({ ...this.#entry('crawl-failed', cause), peerId: null, address: seed });
  }

  /** Tells log and history how much they were spared; at the end, `all` that has not been told. */
  sweep(all = false): void {
    const { log, history, clock } = this.#parts;
    log.sweep(all);
    for (const { count } of this.#noFiles.sweep(all ? Number.POSITIVE_INFINITY : clock.nowMs())) {
      history.add(this.#noFilesEntry(`${count} more closed unread`));
    }
    for (const { topic: code, count, bySource } of this.#drops.sweep(all ? Number.POSITIVE_INFINITY : clock.nowMs())) {
      let others = count;
      for (const [connection, frames] of bySource) {
        others -= frames;
        history.add(this.#entryOf('dropped', connection, { code, reason: `${frames} more frames dropped` }));
      }
      if (others === 0) continue;
      const cause = { code, reason: `${others} more frames dropped, of many peers` };
      history.add({ ...this.#entry('dropped', cause), peerId: null, address: null });
    }
  }

  /** Credits peers that stay with their service. */
  creditService(connected: Iterable<Connection>): void {
    const nowMs = this.#parts.clock.nowMs();
    for (const connection of connected) {
      const upMs = nowMs - connection.connectedMs;
      const hours = Math.floor(upMs / HOUR_MS);
      const credited = this.#credited.get(connection);
      if (credited === undefined) {
        if (upMs < PROVEN_CONNECTION_MS) continue;
        this.#credited.set(connection, 0);
        this.#note('proven', connection);
      } else if (hours > credited) {
        this.#credited.set(connection, hours);
        this.#note('hourOfService', connection);
      }
    }
  }

  /** Whether a peer is cut off for what it did, and whoever comes from there. */
  isUnwanted({ ip, peerId, persistentPeer }: Connection): boolean {
    return persistentPeer === null && ip !== '' && this.conduct.judge({ ip, id: peerId }) !== null;
  }

  score(connection: Connection): number {
    return this.conduct.score({ ip: connection.ip, id: connection.peerId });
  }

  /** A ban by the operator. Without a time it lasts as an automatic one would. */
  ban(target: string, forMs: number | null | 'escalate', reason: string): BanInfo {
    const nowMs = this.#parts.clock.wallMs();
    const ban = this.#parts.bans.ban({ target, forMs, reason, code: ErrorCode.Banned, nowMs });
    this.#banned(ban);
    return banInfo(ban);
  }

  /** @returns whether there was such a ban */
  unban(target: string): boolean {
    const isLifted = this.#parts.bans.unban(target);
    if (!isLifted) return false;
    // Who was banned for what it did would be refused for its reputation next.
    this.#parts.reputation.clear(target);
    const cause = { code: ErrorCode.Banned, reason: 'ban lifted' };
    this.#add({ ...this.#entry('unbanned', cause), ...whom(target) });
    this.#parts.log.unbanned(target);
    return true;
  }

  /** Bans in force when the first is asked for, the newest first. Each is made as it is asked for. */
  *eachBan(): Generator<BanInfo> {
    for (const ban of this.#parts.bans.list(this.#parts.clock.wallMs())) yield banInfo(ban);
  }

  /** See {@link History.each}. */
  eachHistory(query: HistoryQuery): Generator<HistoryEntry> {
    return this.#parts.history.each(query);
  }

  /** What happened within the last hour, counted. */
  lastHour(): HourCount[] {
    return this.#parts.lastHour.counts(this.#parts.clock.nowMs());
  }

  #banned(ban: BanRecord): void {
    const info = banInfo(ban);
    this.#parts.log.banned(info);
    const until = info.until === null ? 'for good' : `until ${info.until}`;
    const cause = { code: ban.code, reason: `${until}: ${ban.reason || 'no reason given'}` };
    this.#add({ ...this.#entry('banned', cause), ...whom(ban.target) });
    this.#parts.banned(ban, info);
  }

  /** What a persistent peer that we dialled does is the operator's affair: it is told, but never banned for it. */
  #note(event: ReputationEvent, { ip, peerId, persistentPeer }: Connection): void {
    // A socket that was gone before anybody looked has no address to blame.
    if (persistentPeer === null && ip !== '') this.conduct.note(event, { ip, id: peerId });
  }

  #enter(kind: HistoryKind, connection: Connection, cause: Cause): void {
    this.#add(this.#entryOf(kind, connection, cause));
  }

  #add(record: HistoryRecord): void {
    this.#parts.history.add(record);
    this.#parts.lastHour.add(record.kind, record.code, this.#parts.clock.nowMs());
  }

  #entryOf(kind: HistoryKind, { peerId, host, port }: Connection, cause: Cause): HistoryRecord {
    return { ...this.#entry(kind, cause), peerId, address: formatAddress(host, port) };
  }

  #entry(kind: HistoryKind, { code, reason }: Cause) {
    return { timeMs: this.#parts.clock.wallMs(), kind, code, detail: reason };
  }
}

const pexFaults = {
  pexTooOften: 'sends addresses too often',
  pexTooLarge: 'sends more than 200 addresses at once',
  pexInvalid: 'sends addresses in a malformed message',
} as const;

function banInfo({ target, reason, code, sinceMs, untilMs }: BanRecord): BanInfo {
  return {
    target,
    reason,
    code,
    name: errorCodeName(code),
    since: new Date(sinceMs).toISOString(),
    until: untilMs === null ? null : new Date(untilMs).toISOString(),
  };
}

/** A ban's target as history shows it. */
function whom(target: string): { peerId: string | null; address: string | null } {
  return target.startsWith('id:') ? { peerId: target.slice(3), address: null } : { peerId: null, address: target };
}
