/**
 * Owns the command `status`: what a running node reports of itself over its admin HTTP. Main thread.
 */
import type { Command } from 'commander';
import { count, humanBytes, humanSeconds } from '../amounts.js';
import type { NodeStatus } from '../api.js';
import { harmless } from '../harmless-text.js';
import { AdminClient, type AdminFlags, addAdminFlags } from './admin-client.js';
import { type ShowFlags, show } from './show.js';
import { alignedRows } from './text.js';

function countsOf(counts: Readonly<Record<string, number>>): string {
  const entries = Object.entries(counts)
    .filter(([, times]) => times > 0)
    .sort(([, a], [, b]) => b - a);
  return entries.length === 0 ? 'none' : entries.map(([name, times]) => `${harmless(name)} ${times}`).join(', ');
}

function memoryParts({ rings, partialFrames, sendQueues, handlerQueues, caches }: NodeStatus['memory']['by']): string {
  const parts = {
    rings,
    'partial frames': partialFrames,
    'send queues': sendQueues,
    'handler queues': handlerQueues,
    caches,
  };
  return Object.entries(parts)
    .map(([name, bytes]) => `${name} ${humanBytes(bytes)}`)
    .join(', ');
}

/** A status as text for people, in two columns. */
export function statusText(status: NodeStatus): string {
  const { peers, messages, bytes, connections, dials, discovery, gossip, lifetime, memory } = status;
  const workers = status.workers.map((worker, index): [string, string] => {
    const { lagMs, restarts, queuedMessages } = worker;
    const does = `${count(worker.connections, 'connection')}, ${count(worker.messages, 'message')}, ${queuedMessages} queued`;
    return [`worker ${index}`, `${does}, lag ${lagMs.toFixed(1)} ms, ${count(restarts, 'restart')}`];
  });
  const hour = status.lastHour.map(({ kind, name, count: times }) => `${kind} ${name} ${times}`);
  return alignedRows([
    ['node', `${status.nodeId} (paw-p2p ${status.version})`],
    ['chain', harmless(status.chainId)],
    ['up', humanSeconds(status.uptimeSeconds)],
    ['listen', status.listen],
    ['admin', status.admin ?? 'off'],
    ['peers', `${peers.total} (${peers.inbound} inbound, ${peers.outbound} outbound)`],
    ['received', `${count(messages.received, 'message')}, ${humanBytes(bytes.received)}`],
    ['sent', `${count(messages.sent, 'message')}, ${humanBytes(bytes.sent)}`],
    ['received by type', countsOf(messages.receivedByType)],
    ['sent by type', countsOf(messages.sentByType)],
    ['dropped', `${count(messages.dropped, 'frame')}: ${countsOf(messages.droppedByCode)}`],
    ['shed for memory', countsOf(messages.shedByClass)],
    ['unhandled', `${count(messages.unhandled, 'message')}, ${count(messages.handlerErrors, 'handler error')}`],
    ['overflow', `${messages.queueDropped} dropped from queues, ${count(messages.sendsSkipped, 'send')} skipped`],
    ['connections', `${connections.total} (${connections.inbound} inbound, ${connections.outbound} outbound)`],
    ['handshakes', `${connections.handshaking} under way, failed: ${countsOf(connections.handshakesFailedByCode)}`],
    ['refused', `${connections.rejectedInbound} inbound, ${connections.refusedNoFiles} for want of file descriptors`],
    ['disconnects', countsOf(connections.disconnectsByCode)],
    [
      'dials',
      `${dials.succeeded} succeeded, ${dials.failed} failed, ${dials.queued} waiting, ${dials.dropped} dropped`,
    ],
    [
      'addresses',
      `${discovery.known} known, ${discovery.tried} tried, ${discovery.addressesLearned} learned from others`,
    ],
    ['peer exchange', `${discovery.pexReceived} received, ${discovery.pexSent} sent`],
    ['crawls', `${discovery.crawls} of seeds, ${discovery.crawlsFailed} failed`],
    ['crawls of us', `${discovery.crawlsServed} served, ${discovery.crawlsRefused} refused`],
    ['feelers', String(discovery.feelers)],
    ['evictions', String(discovery.evictions)],
    ['bans', String(discovery.bans)],
    [
      'gossip',
      `${gossip.relayed} relayed, ${count(gossip.duplicates, 'duplicate')}, ${gossip.forgotten} forgotten early`,
    ],
    [
      'all runs',
      `${count(lifetime.starts, 'start')} since ${lifetime.firstStarted}, up ${humanSeconds(lifetime.uptimeSeconds)}`,
    ],
    ['received in all', `${count(lifetime.messages.received, 'message')}, ${humanBytes(lifetime.bytes.received)}`],
    ['sent in all', `${count(lifetime.messages.sent, 'message')}, ${humanBytes(lifetime.bytes.sent)}`],
    ...workers,
    ['memory', `${humanBytes(memory.used)} of ${humanBytes(memory.budget)}, resident ${humanBytes(memory.rss)}`],
    ['memory in use for', memoryParts(memory.by)],
    ['event loop lag', `${status.eventLoopLagMs.toFixed(1)} ms`],
    ['last hour', hour.length === 0 ? 'nothing was refused or dropped' : hour.join(', ')],
    ...(status.draining === null ? [] : [['draining', `until ${status.draining.until}`] as const]),
  ]);
}

async function statusCommand(flags: AdminFlags & ShowFlags): Promise<void> {
  const client = new AdminClient(flags);
  await show(flags, async () => {
    const { text, value } = await client.call({ path: '/status' });
    return { json: text, text: () => statusText(value as NodeStatus) };
  });
}

export function registerStatus(program: Command): void {
  addAdminFlags(program.command('status').description('shows the status of a running node'), 'GET /status')
    .option('--watch', 'refresh every second, until Ctrl-C')
    .action(statusCommand);
}
