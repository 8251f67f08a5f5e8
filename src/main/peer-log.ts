/**
 * What is logged about peers (specification 7.2): the level of each event in one place, repeated warnings limited per
 * kind and address. Main thread. Never a payload.
 */
import type { Logger } from 'pino';
import type { Clock } from '../shared/clock.js';
import { errorCodeName } from '../shared/errors.js';
import type { WorkerNotice } from '../shared/worker-protocol.js';
import type { BanInfo } from './api.js';
import { LogLimiter } from './log-limiter.js';
import type { Cause, Connection } from './net/connection.js';

export class PeerLog {
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #limiter = new LogLimiter();
  /** Messages of each connection when they were last told. */
  readonly #flows = new WeakMap<Connection, { received: number; sent: number }>();

  constructor(log: Logger, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
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
    if (this.#log.isLevelEnabled('info')) this.#log.info(context(connection), 'peer connected');
  }

  disconnected(connection: Connection, cause: Cause): void {
    if (!this.#log.isLevelEnabled('info')) return;
    this.#log.info({ ...context(connection), ...explained(cause) }, 'peer disconnected');
  }

  rejected(connection: Connection, cause: Cause): void {
    this.#limited(
      `rejected ${cause.code} ${connection.host}`,
      { ...context(connection), ...explained(cause) },
      'peer rejected',
    );
  }

  dialFailed(connection: Connection, cause: Cause): void {
    this.#log.debug({ ...context(connection), ...explained(cause) }, 'dial failed');
  }

  /** A frame was dropped. */
  violation(connection: Connection, code: number): void {
    this.#limited(
      `violation ${code} ${connection.host}`,
      { ...context(connection), code, name: errorCodeName(code) },
      'frame dropped',
    );
  }

  banned({ target, until, reason, code, name }: BanInfo): void {
    this.#log.warn({ target, until, code, name, reason }, 'banned');
  }

  unbanned(target: string): void {
    this.#log.info({ target }, 'ban lifted');
  }

  crawlFailed(seed: string, cause: Cause): void {
    this.#limited(`crawl ${seed}`, { seed, ...explained(cause) }, 'seed not reached');
  }

  /** A line that a worker or a handler in it wrote. */
  fromWorker(worker: number, notice: Extract<WorkerNotice, { kind: 'log' }>): void {
    this.#log[notice.level]({ ...notice.fields, worker }, notice.message);
  }

  #limited(key: string, fields: object, message: string): void {
    const suppressed = this.#limiter.admit(key, this.#clock.nowMs());
    if (suppressed === null) return;
    this.#log.warn(suppressed === 0 ? fields : { ...fields, suppressed }, message);
  }
}

function context(connection: Connection) {
  const { peerId, address, direction } = connection;
  return { peerId, address, direction };
}

function explained(cause: Cause) {
  return { code: cause.code, name: errorCodeName(cause.code), reason: cause.reason };
}
