/**
 * What is logged about peers (specification 7.2): the level of each event in one place. Lines that peers can cause at
 * will are sampled. Main thread. Never a payload.
 */
import type { Logger } from 'pino';
import type { Clock } from '../shared/clock.js';
import { errorTrace } from '../shared/error-trace.js';
import { ErrorCode, errorCodeName } from '../shared/errors.js';
import type { WorkerNotice } from '../shared/worker-protocol.js';
import type { BanInfo } from './api.js';
import { harmless } from './harmless-text.js';
import type { Cause, Connection } from './net/connection.js';
import { SampledLine } from './sampled-line.js';

/** Most lines of one code within ten seconds. Peers come and go in numbers when a node starts; the rest should be rare. */
const FLOW_LINES_MAX = 500;
const BAN_LINES_MAX = 50;
const WARNING_LINES_MAX = 10;

export class PeerLog {
  readonly #log: Logger;
  readonly #clock: Clock;
  /** All of them, in the order in which they tell what they left out. */
  readonly #sampled: SampledLine[] = [];
  readonly #connected: SampledLine;
  readonly #disconnected: SampledLine;
  readonly #rejected: SampledLine;
  readonly #noFiles: SampledLine;
  readonly #violations: SampledLine;
  readonly #banned: SampledLine;
  readonly #crawls: SampledLine;
  readonly #subscribers: SampledLine;
  /** Messages of each connection when they were last told. */
  readonly #flows = new WeakMap<Connection, { received: number; sent: number }>();

  constructor(log: Logger, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
    const sampled = (level: 'info' | 'warn' | 'error', message: string, linesMax: number) => {
      const line = new SampledLine(log, { level, message, linesMax });
      this.#sampled.push(line);
      return line;
    };
    this.#connected = sampled('info', 'peer connected', FLOW_LINES_MAX);
    this.#disconnected = sampled('info', 'peer disconnected', FLOW_LINES_MAX);
    this.#rejected = sampled('warn', 'peer rejected', WARNING_LINES_MAX);
    this.#noFiles = sampled('warn', 'connection closed unread: file descriptors are short', 1);
    this.#violations = sampled('warn', 'frame dropped', WARNING_LINES_MAX);
    this.#banned = sampled('warn', 'banned', BAN_LINES_MAX);
    this.#crawls = sampled('warn', 'seed not reached', WARNING_LINES_MAX);
    this.#subscribers = sampled('error', 'subscriber failed', WARNING_LINES_MAX);
  }

  /** Tells how many lines were left out in the last ten seconds; at the end, `all` that has not been told. */
  sweep(all = false): void {
    const nowMs = all ? Number.POSITIVE_INFINITY : this.#clock.nowMs();
    for (const line of this.#sampled) line.sweep(nowMs);
  }

  /** A dial begins. */
  dialling(connection: Connection): void {
    this.#log.debug(context(connection), 'dialling');
  }

  /** What went over each connection since the last call: message flow, without a line per message. */
  flow(peers: Iterable<{ connection: Connection; received: number; sent: number }>): void {
    for (const { connection, received, sent } of peers) {
      const before = this.#flows.get(connection) ?? { received: 0, sent: 0 };
      this.#flows.set(connection, { received, sent });
      const moved = { received: received - before.received, sent: sent - before.sent };
      if (moved.received + moved.sent > 0) this.#log.debug({ ...context(connection), ...moved }, 'messages');
    }
  }

  /** Whether `flow` would write anything. */
  get showsFlow(): boolean {
    return this.#log.isLevelEnabled('debug');
  }

  connected(connection: Connection): void {
    this.#connected.write(null, connection.address, this.#clock.nowMs(), () => context(connection));
  }

  disconnected(connection: Connection, cause: Cause): void {
    const fields = () => ({ ...context(connection), ...explained(cause) });
    this.#disconnected.write(cause.code, connection.address, this.#clock.nowMs(), fields);
  }

  rejected(connection: Connection, cause: Cause): void {
    const fields = () => ({ ...context(connection), ...explained(cause) });
    this.#rejected.write(cause.code, connection.host, this.#clock.nowMs(), fields);
  }

  /** A connection was closed at once. */
  noFiles(): void {
    const code = ErrorCode.ResourceExhausted;
    this.#noFiles.write(code, 'anybody', this.#clock.nowMs(), () => ({ code, name: errorCodeName(code) }));
  }

  dialFailed(connection: Connection, cause: Cause): void {
    this.#log.debug({ ...context(connection), ...explained(cause) }, 'dial failed');
  }

  /** A frame was dropped. */
  violation(connection: Connection, code: number): void {
    const fields = () => ({ ...context(connection), code, name: errorCodeName(code) });
    this.#violations.write(code, connection.host, this.#clock.nowMs(), fields);
  }

  banned({ target, until, reason, code, name }: BanInfo): void {
    this.#banned.write(code, target, this.#clock.nowMs(), () => ({
      target: harmless(target),
      until,
      code,
      name,
      reason,
    }));
  }

  unbanned(target: string): void {
    this.#log.info({ target: harmless(target) }, 'ban lifted');
  }

  crawlFailed(seed: string, cause: Cause): void {
    this.#crawls.write(cause.code, seed, this.#clock.nowMs(), () => ({ seed, ...explained(cause) }));
  }

  /** A subscriber of the application threw at a message; who sends such messages does so as often as it likes. */
  subscriberFailed(error: Error): void {
    const trace = errorTrace(error);
    this.#subscribers.write(null, trace.at[0] ?? trace.error, this.#clock.nowMs(), () => trace);
  }

  /** A line that a worker or a handler in it wrote; the worker has made its fields fit for a log. */
  fromWorker(worker: number, notice: Extract<WorkerNotice, { kind: 'log' }>): void {
    this.#log[notice.level]({ ...notice.fields, worker }, notice.message);
  }
}

/** Whose line it is. An ID may hold what turns a line around or breaks it, where the log is read as text. */
function context(connection: Connection) {
  const { peerId, address, direction } = connection;
  return { peerId: peerId === null ? null : harmless(peerId), address, direction };
}

function explained(cause: Cause) {
  return { code: cause.code, name: errorCodeName(cause.code), reason: cause.reason };
}
