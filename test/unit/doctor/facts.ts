/** Facts about a node that is well, for tests that change one thing. */
import type { Finding } from '../../../src/main/api.js';
import { resolveSettings } from '../../../src/main/config/resolve.js';
import type { NodeOptions } from '../../../src/main/config/settings.js';
import { checks } from '../../../src/main/doctor/checks.js';
import type { Facts } from '../../../src/main/doctor/facts.js';
import { errorCodeName } from '../../../src/shared/errors.js';
import { status } from '../admin/fake-node.js';

export const NOW_MS = Date.UTC(2026, 0, 1, 12);
export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;
export const MIB = 2 ** 20;

export function settingsOf(options: NodeOptions = {}) {
  return resolveSettings({ library: { dataDir: '/data', seeds: ['seed.test:1'], ...options } });
}

export const wellFacts: Facts = {
  wallMs: NOW_MS,
  uptimeMs: 2 * HOUR_MS,
  nodeId: 'node-a',
  settings: settingsOf(),
  status: {
    ...status,
    peers: { total: 14, inbound: 4, outbound: 10 },
    dials: { succeeded: 12, failed: 2, queued: 0, dropped: 0 },
    messages: { ...status.messages, handlerErrors: 0 },
    connections: { ...status.connections, refusedNoFiles: 0 },
    memory: {
      rss: 300 * MIB,
      budget: 512 * MIB,
      used: 300 * MIB,
      by: { rings: 250 * MIB, partialFrames: 10 * MIB, sendQueues: 30 * MIB, handlerQueues: 6 * MIB, caches: 4 * MIB },
    },
    eventLoopLagMs: 3,
    lastHour: [],
  },
  reach: {
    listenHost: '::',
    listenPort: 26656,
    listen: { address: '127.0.0.1:26656', dial: { kind: 'here' } },
    external: null,
    told: [],
    hasPublicIp: true,
    outside: { now: 4, count: 9, lastMs: NOW_MS - MINUTE_MS },
    inside: { now: 0, count: 0, lastMs: null },
  },
  book: { known: 200, sample: { size: 200, failing: 20, unwanted: 1, connected: 14, netGroups: 150 } },
  seeds: [{ seed: 'seed.test:1', askedMs: NOW_MS - MINUTE_MS, fault: null, detail: null, peers: 20, dialFault: null }],
  persistent: [],
  clock: { aheadMs: [-900, -1200, 300], areChosen: true, lastRunAheadMs: 0, setByMs: 0 },
  peers: [20, 30, 40, 60].map((rttMs, i) => ({
    id: `peer-${i}`,
    address: `8.8.${i}.8:1`,
    persistent: false,
    rttMs,
    queuedBytes: 0,
  })),
  strangers: [],
  refusedBy: { maxPeers: 0, maxInbound: 0, maxOutbound: 0, maxPerSubnet: 0 },
  workers: [0, 1].map(() => ({
    isLive: true,
    lagMs: 2,
    queuedMessages: 0,
    connections: 7,
    heldBack: 0,
    inHand: null,
    deaths: 0,
    lastDeath: null,
  })),
  handlers: [],
  shortestQueue: 1024,
  cores: 4,
  fixedBytes: 290 * MIB,
  files: { limit: 20_000, open: 60 },
  disk: { fault: null, freeBytes: 1000 * MIB },
  loopLagMs: [3, 5, 3],
};

type Deep<T> = T extends readonly unknown[] ? T : T extends object ? { readonly [K in keyof T]?: Deep<T[K]> } : T;

/** The facts of {@link wellFacts} but for what a test changes; lists are taken whole. */
export function facts(change: Deep<Facts> = {}): Facts {
  return merged(wellFacts, change) as Facts;
}

function merged(base: unknown, change: unknown): unknown {
  const isObject = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isObject(base) || !isObject(change)) return change;
  const both = { ...(base as object) } as Record<string, unknown>;
  for (const [key, value] of Object.entries(change as object)) both[key] = merged(both[key], value);
  return both;
}

export function hourCount(
  kind: 'rejected' | 'dial-failed' | 'disconnected' | 'penalised',
  code: number,
  count: number,
) {
  return { kind, code, name: errorCodeName(code), count };
}

/** What one check finds in changed facts. */
export function find(check: string, change: Deep<Facts> = {}): Finding {
  const found = checks.map((one) => one(facts(change))).find((finding) => finding.check === check);
  if (found === undefined) throw new Error(`no check '${check}'`);
  return found;
}

/** Level and all words of a finding, for matching. */
export function told({ level, summary, evidence, remedy }: Finding): string {
  return [level, summary, ...evidence, remedy ?? 'nothing to do'].join('\n');
}
