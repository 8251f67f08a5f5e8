/**
 * Owns the command `status`: what a running node tells of itself over its admin HTTP. Main thread.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import { ConfigError, NodeError } from '../../shared/errors.js';
import type { NodeStatus } from '../api.js';
import { formatHostPort } from '../net/address.js';
import { configFlag, optionValue } from './config-flags.js';
import { listenForStop } from './exit.js';
import { alignedRows, harmless, humanBytes, humanSeconds } from './text.js';

const ANSWER_TIMEOUT_MS = 5000;
const WATCH_INTERVAL_MS = 1000;
const CLEAR_SCREEN = '\x1b[H\x1b[2J';

interface StatusFlags {
  readonly admin?: string;
  readonly adminToken?: string;
  readonly json?: true;
  readonly watch?: true;
}

interface AdminAddress {
  readonly hostPort: string;
  readonly token: string | null;
}

async function fetchStatus({ hostPort, token }: AdminAddress): Promise<NodeStatus> {
  const headers: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` };
  let response: Response;
  let text: string;
  try {
    response = await fetch(`http://${hostPort}/status`, { headers, signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
    text = await response.text();
  } catch (error) {
    const { name, cause } = error as Error & { cause?: { code?: string } };
    const why = cause?.code ?? (name === 'TimeoutError' ? 'no answer in time' : name);
    throw unreachable(`no node answers on ${hostPort} (${why}): start one, or name its address with --admin`, error);
  }
  if (!response.ok) throw unreachable(`the node on ${hostPort} refuses: ${refusalText(text, response.status)}`);
  try {
    return JSON.parse(text) as NodeStatus;
  } catch (error) {
    throw unreachable(`what answers on ${hostPort} is no PAW node: name its address with --admin`, error);
  }
}

function refusalText(text: string, status: number): string {
  try {
    return String((JSON.parse(text) as { message: unknown }).message);
  } catch {
    return `HTTP status ${status}`;
  }
}

function unreachable(message: string, cause?: unknown): NodeError {
  return new NodeError('ERR_PAW_NOT_CONNECTED', message, { cause });
}

function countsOf(counts: Readonly<Record<string, number>>): string {
  const entries = Object.entries(counts)
    .filter(([, count]) => count > 0)
    .sort(([, a], [, b]) => b - a);
  return entries.length === 0 ? 'none' : entries.map(([name, count]) => `${harmless(name)} ${count}`).join(', ');
}

/** A status as text for people, in two columns. */
export function statusText(status: NodeStatus): string {
  const { peers, messages, bytes, connections, dials, memory } = status;
  const workers = status.workers.map(({ messages: count, lagMs, restarts }, index): [string, string] => [
    `worker ${index}`,
    `${count} messages, lag ${lagMs.toFixed(1)} ms, ${restarts} restarts`,
  ]);
  return alignedRows([
    ['node', `${status.nodeId} (paw-p2p ${status.version})`],
    ['chain', harmless(status.chainId)],
    ['up', humanSeconds(status.uptimeSeconds)],
    ['listen', status.listen],
    ['admin', status.admin ?? 'off'],
    ['peers', `${peers.total} (${peers.inbound} inbound, ${peers.outbound} outbound)`],
    ['received', `${messages.received} messages, ${humanBytes(bytes.received)}`],
    ['sent', `${messages.sent} messages, ${humanBytes(bytes.sent)}`],
    ['received by type', countsOf(messages.receivedByType)],
    ['sent by type', countsOf(messages.sentByType)],
    ['dropped', `${messages.dropped} frames: ${countsOf(messages.droppedByCode)}`],
    ['unhandled', `${messages.unhandled} messages, ${messages.handlerErrors} handler errors`],
    ['overflow', `${messages.queueDropped} dropped from queues, ${messages.sendsSkipped} sends skipped`],
    ['connections', `${connections.total} (${connections.inbound} inbound, ${connections.outbound} outbound)`],
    ['handshakes', `${connections.handshaking} under way, failed: ${countsOf(connections.handshakesFailedByCode)}`],
    ['refused', `${connections.rejectedInbound} inbound`],
    ['disconnects', countsOf(connections.disconnectsByCode)],
    ['dials', `${dials.succeeded} succeeded, ${dials.failed} failed, ${dials.queued} wait, ${dials.dropped} dropped`],
    ...workers,
    ['memory', `${humanBytes(memory.used)} of ${humanBytes(memory.budget)}, resident ${humanBytes(memory.rss)}`],
    ['event loop lag', `${status.eventLoopLagMs.toFixed(1)} ms`],
  ]);
}

async function statusCommand(flags: StatusFlags): Promise<void> {
  const admin = optionValue('admin', flags.admin);
  if (admin === 'off') throw new ConfigError('admin', "admin is 'off': must be the HOST:PORT of a running node");
  const address = { hostPort: formatHostPort(admin), token: optionValue('adminToken', flags.adminToken) };
  const show = async (): Promise<void> => {
    const status = await fetchStatus(address);
    if (flags.watch && !flags.json && process.stdout.isTTY) process.stdout.write(CLEAR_SCREEN);
    process.stdout.write(flags.json ? `${JSON.stringify(status)}\n` : statusText(status));
  };
  await (flags.watch ? repeatUntilStopped(show) : show());
}

async function repeatUntilStopped(show: () => Promise<void>): Promise<void> {
  const stop = listenForStop();
  const waiting = new AbortController();
  void stop.first.then(() => waiting.abort());
  while (!waiting.signal.aborted) {
    await show();
    // An abort is the way out of the wait, not a failure.
    await delay(WATCH_INTERVAL_MS, undefined, { signal: waiting.signal }).catch(() => undefined);
  }
  stop.release();
}

export function registerStatus(program: Command): void {
  program
    .command('status')
    .description('shows what a running node tells of itself')
    .addOption(configFlag('admin'))
    .addOption(configFlag('adminToken'))
    .option('--json', 'as JSON, as GET /status answers')
    .option('--watch', 'again every second, until Ctrl-C')
    .action(statusCommand);
}
