/**
 * Answers what is wrong with this node and what to do about it: gathers facts and has each check judge them. Main thread.
 * One examination at a time, which all who ask meanwhile share; it takes a few seconds at most and changes nothing.
 */
import { statfs } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import type { Clock } from '../../shared/clock.js';
import { ErrorCode, NodeError } from '../../shared/errors.js';
import type { Policy } from '../../shared/policy.js';
import type { DoctorReport, HistoryEntry, HistoryQuery, NodeStatus, NodeTimings } from '../api.js';
import type { Settings } from '../config/settings.js';
import type { AddressRecord } from '../discovery/address-book.js';
import type { Hearsay } from '../discovery/hearsay.js';
import type { SeedOutcome } from '../discovery/seed-outcomes.js';
import { formatPeerAddress, withoutAddress } from '../net/address.js';
import type { Connection } from '../net/connection.js';
import { limitReasons } from '../peers/admission.js';
import type { Who } from '../peers/conduct.js';
import { netGroupOf } from '../peers/net-group.js';
import type { PersistentPeer } from '../peers/persistent-peers.js';
import type { InHand } from '../pool/workers.js';
import { checks } from './checks.js';
import type { BookFacts, Facts, HandlerFacts, PeerFacts, WorkerFacts } from './facts.js';
import { readFileDescriptors } from './file-descriptors.js';
import { reportOf } from './finding.js';
import { within } from './patience.js';
import type { ReachSurvey } from './reach-survey.js';

const HOUR_MS = 3_600_000;
/** Addresses of the book that are looked at. */
const BOOK_SAMPLE = 2000;
const HISTORY_SAMPLE = 1000;
const STRANGERS_SHOWN = 3;
/** A worker's lag is of its last turn: one that has had none for so long is not late. */
const LAG_FRESH_MS = 3000;
/** Deaths of workers that are remembered. */
const MAX_DEATHS = 100;

/** What is asked of a worker. */
export interface WorkerView {
  readonly isLive: boolean;
  /** Since it last showed that it gets on. */
  readonly silentMs: number;
  readonly inHand: InHand | null;
}

export interface DoctorParts {
  readonly settings: Settings;
  readonly nodeId: string;
  readonly clock: Clock;
  readonly hearsay: Hearsay;
  readonly reach: ReachSurvey;
  /** Of the memory budget: what is laid out at the start. */
  readonly fixedBytes: number;
  readonly lastRunAheadMs: number;
  status(): NodeStatus;
  timings(): NodeTimings;
  connected(): Iterable<Connection>;
  book(): readonly AddressRecord[];
  isWanted(who: Who): boolean;
  seeds(): readonly SeedOutcome[];
  persistent(): readonly PersistentPeer[];
  history(query: HistoryQuery): readonly HistoryEntry[];
  worker(index: number): WorkerView;
  policies(): Readonly<Record<string, Policy>>;
  storeFault(): Error | null;
  loopLagMs(): readonly number[];
}

export class Doctor {
  readonly #parts: DoctorParts;
  readonly #startedMs: number;
  readonly #startedWallMs: number;
  readonly #stopping = new AbortController();
  readonly #deaths: { readonly worker: number; readonly atMs: number; readonly reason: string }[] = [];
  #underWay: Promise<DoctorReport> | null = null;

  constructor(parts: DoctorParts) {
    this.#parts = parts;
    this.#startedMs = parts.clock.nowMs();
    this.#startedWallMs = parts.clock.wallMs();
  }

  /** A worker thread has died. */
  workerDied(worker: number, reason: string): void {
    this.#deaths.push({ worker, atMs: this.#parts.clock.nowMs(), reason });
    if (this.#deaths.length > MAX_DEATHS) this.#deaths.shift();
  }

  /** @throws NodeError ERR_PAW_CLOSED once the node closes */
  examine(): Promise<DoctorReport> {
    if (this.#stopping.signal.aborted) {
      return Promise.reject(new NodeError('ERR_PAW_CLOSED', 'the node is closing'));
    }
    this.#underWay ??= this.#examine().finally(() => {
      this.#underWay = null;
    });
    return this.#underWay;
  }

  /** Gives up dials that are under way. */
  stop(): void {
    this.#stopping.abort();
  }

  async #examine(): Promise<DoctorReport> {
    const facts = await this.#gather();
    const findings = checks.map((check) => check(facts));
    return reportOf(findings, facts.wallMs);
  }

  async #gather(): Promise<Facts> {
    const { settings, nodeId, clock, hearsay, lastRunAheadMs, fixedBytes, storeFault } = this.#parts;
    const [reach, files, freeBytes] = await Promise.all([
      this.#parts.reach.look(this.#stopping.signal),
      within(readFileDescriptors(), null),
      within(freeBytesAt(settings.dataDir), null),
    ]);
    // Read after the waits, so that all of it is of one moment.
    const [nowMs, wallMs] = [clock.nowMs(), clock.wallMs()];
    const uptimeMs = nowMs - this.#startedMs;
    const status = this.#parts.status();
    const connected = [...this.#parts.connected()];
    const ids = new Set(connected.map(({ peerId }) => peerId));
    return {
      wallMs,
      uptimeMs,
      nodeId,
      settings,
      status,
      reach,
      book: this.#book(ids),
      seeds: this.#parts.seeds(),
      persistent: this.#persistent(ids),
      clock: { ...hearsay.clocks(wallMs, nowMs), lastRunAheadMs, setByMs: wallMs - this.#startedWallMs - uptimeMs },
      peers: connected.map(peerFacts),
      strangers: this.#strangers(wallMs),
      refusedBy: this.#refusedBy(wallMs),
      workers: status.workers.map((worker, index) => this.#worker(worker, index, connected, nowMs)),
      handlers: handlerFacts(this.#parts.timings().handlers),
      shortestQueue: shortestQueue(this.#parts.policies()),
      cores: availableParallelism(),
      fixedBytes,
      files,
      disk: { fault: storeFault()?.message ?? null, freeBytes },
      loopLagMs: [...this.#parts.loopLagMs()],
    };
  }

  #book(connectedIds: ReadonlySet<string | null>): BookFacts {
    const { book, isWanted } = this.#parts;
    const records = book();
    const sample = records.slice(0, BOOK_SAMPLE);
    return {
      known: records.length,
      sample: {
        size: sample.length,
        failing: sample.filter(({ attempts }) => attempts > 0).length,
        connected: sample.filter(({ id }) => connectedIds.has(id)).length,
        unwanted: sample.filter((record) => !isWanted(record)).length,
        netGroups: new Set(sample.map(({ ip, port }) => netGroupOf(ip, port))).size,
      },
    };
  }

  #persistent(connectedIds: ReadonlySet<string | null>): Facts['persistent'] {
    return this.#parts.persistent().map(({ address, attempts, phase, fault }) => ({
      address: formatPeerAddress(address),
      isConnected: phase === 'connected' || (address.id !== null && connectedIds.has(address.id)),
      attempts,
      fault: fault === null ? null : { code: fault.code, reason: withoutAddress(fault.message) },
    }));
  }

  #strangers(wallMs: number): Facts['strangers'] {
    const { history } = this.#parts;
    const answers = [ErrorCode.ChainIDMismatch, ErrorCode.ProtocolVersionMismatch]
      .flatMap((code) => history({ code, limit: HISTORY_SAMPLE }))
      .filter(({ kind, time }) => kind === 'dial-failed' && wallMs - Date.parse(time) < HOUR_MS)
      .map(({ address, detail }) => [address ?? '', detail] as const);
    return [...new Map(answers)].slice(0, STRANGERS_SHOWN).map(([address, detail]) => ({ address, detail }));
  }

  #refusedBy(wallMs: number): Facts['refusedBy'] {
    const refusedBy = { maxPeers: 0, maxInbound: 0, maxOutbound: 0, maxPerSubnet: 0 };
    const entries = this.#parts.history({ code: ErrorCode.PeerLimitReached, limit: HISTORY_SAMPLE });
    for (const { kind, time, detail } of entries) {
      // Refusals of ours have our own words; what others say when they refuse us is of another kind.
      if (kind !== 'rejected' || wallMs - Date.parse(time) >= HOUR_MS) continue;
      for (const limit of Object.keys(refusedBy) as (keyof typeof refusedBy)[]) {
        if (detail === limitReasons[limit]) refusedBy[limit]++;
      }
    }
    return refusedBy;
  }

  #worker(
    status: NodeStatus['workers'][number],
    index: number,
    connected: readonly Connection[],
    nowMs: number,
  ): WorkerFacts {
    const { isLive, silentMs, inHand } = this.#parts.worker(index);
    const deaths = this.#deaths.filter(({ worker, atMs }) => worker === index && nowMs - atMs < HOUR_MS);
    const held = connected.filter(({ seat, paused }) => paused && seat?.worker === index);
    return {
      isLive,
      lagMs: silentMs < LAG_FRESH_MS ? status.lagMs : 0,
      queuedMessages: status.queuedMessages,
      connections: status.connections,
      heldBack: held.length,
      inHand: inHand && { forMs: silentMs, peerId: inHand.connection?.peerId ?? null, type: inHand.type },
      deaths: deaths.length,
      lastDeath: deaths.at(-1)?.reason ?? null,
    };
  }
}

function peerFacts({ peerId, address, persistent, rttMs, writer }: Connection): PeerFacts {
  return { id: peerId!, address, persistent, rttMs, queuedBytes: writer.queuedBytes };
}

function handlerFacts(handlers: NodeTimings['handlers']): HandlerFacts[] {
  return Object.entries(handlers)
    .map(([type, { counts, sumSeconds }]) => {
      const messages = counts.reduce((sum, number) => sum + number, 0);
      return { type, messages, meanMs: messages === 0 ? 0 : (sumSeconds * 1000) / messages };
    })
    .filter(({ messages }) => messages > 0)
    .sort((a, b) => b.meanMs - a.meanMs);
}

function shortestQueue(policies: Readonly<Record<string, Policy>>): number | null {
  const lengths = Object.values(policies).flatMap(({ mode, queueLength }) => (mode === 'queued' ? [queueLength] : []));
  return lengths.length === 0 ? null : Math.min(...lengths);
}

/** Null where the system does not tell. */
async function freeBytesAt(folder: string): Promise<number | null> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  } catch {
    return null;
  }
}
