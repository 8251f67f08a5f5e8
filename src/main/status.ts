/**
 * Owns the answer of `GET /status` and `node.stats()`: one reading of everything that the node counts (specification
 * 7.1). Reads only; main thread.
 */
import type { MemoryBudget } from '../shared/memory/memory-budget.js';
import type { DiscoveryStatus, DrainStatus, HourCount, LifetimeStatus, NodeStatus } from './api.js';
import type { ConnectionTable } from './net/connection-table.js';
import type { Workers } from './pool/workers.js';
import type { Statistics } from './statistics.js';
import { version } from './version.js';

export interface StatusParts {
  readonly nodeId: string;
  readonly chainId: string;
  readonly uptimeSeconds: number;
  readonly listen: string;
  readonly admin: string | null;
  readonly statistics: Statistics;
  readonly table: ConnectionTable;
  readonly workers: Workers;
  readonly budget: MemoryBudget;
  readonly dialsQueued: number;
  readonly discovery: DiscoveryStatus;
  readonly lifetime: LifetimeStatus;
  readonly eventLoopLagMs: number;
  readonly lastHour: readonly HourCount[];
  readonly draining: DrainStatus | null;
}

export function nodeStatus(parts: StatusParts): NodeStatus {
  const { statistics, table, workers, budget } = parts;
  const { inbound, outbound } = directions(table);
  const total = (name: Parameters<Statistics['total']>[0]) => statistics.total(name);
  return {
    nodeId: parts.nodeId,
    chainId: parts.chainId,
    version,
    uptimeSeconds: parts.uptimeSeconds,
    listen: parts.listen,
    admin: parts.admin,
    peers: { total: inbound + outbound, inbound, outbound },
    messages: statistics.messages(),
    bytes: { received: total('bytesReceived'), sent: total('bytesSent') },
    connections: statistics.connections(table.handshaking()),
    dials: {
      succeeded: total('dialsSucceeded'),
      failed: total('dialsFailed'),
      queued: parts.dialsQueued,
      dropped: total('dialsDropped'),
    },
    discovery: parts.discovery,
    gossip: statistics.gossip(),
    lifetime: parts.lifetime,
    workers: Array.from({ length: workers.size }, (_, worker) => ({
      messages: statistics.worker(worker, 'messagesReceived'),
      lagMs: statistics.lagMs(worker),
      restarts: workers.restarts(worker),
      connections: workers.connections(worker),
      queuedMessages: workers.queuedBy(worker),
    })),
    memory: memoryStatus(budget),
    eventLoopLagMs: parts.eventLoopLagMs,
    lastHour: parts.lastHour,
    draining: parts.draining,
  };
}

/** What is used is the sum of its parts, as they were read one after the other. */
function memoryStatus(budget: MemoryBudget): NodeStatus['memory'] {
  const by = budget.parts();
  const used = Object.values(by).reduce((a, b) => a + b, 0);
  return { rss: residentBytes(), budget: budget.budgetBytes, used, by };
}

/** Node reads it from a file: where no file descriptor is left for that, the most that it ever was. */
function residentBytes(): number {
  try {
    return process.memoryUsage.rss();
  } catch {
    return process.resourceUsage().maxRSS * 1024;
  }
}

function directions(table: ConnectionTable): { inbound: number; outbound: number } {
  let inbound = 0;
  for (const connection of table.connected()) if (connection.direction === 'inbound') inbound++;
  return { inbound, outbound: table.connectedCount - inbound };
}
