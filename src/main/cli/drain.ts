/**
 * Owns the command `drain`: stops a running node gently, and shows how far it is until it is gone. Main thread.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import { NodeError } from '../../shared/errors.js';
import { count, humanBytes } from '../amounts.js';
import type { DrainStatus, NodeStatus } from '../api.js';
import { duration } from '../config/kinds.js';
import { DRAIN_MAX_MS } from '../drain-request.js';
import { AdminClient, type AdminFlags, addAdminFlags, silence } from './admin-client.js';
import { parseFlag } from './config-flags.js';

const LOOK_EVERY_MS = 200;
/** A node that is done still has its store to close. */
const GRACE_MS = 15_000;

interface DrainFlags extends AdminFlags {
  readonly within?: string;
}

/** How far a drain is, for people. */
export function drainText({ connections, queuedMessages, queuedBytes }: DrainStatus): string {
  const waiting = `${count(queuedMessages, 'message')} in queues, ${humanBytes(queuedBytes)} to send`;
  return `draining: ${count(connections, 'connection')} left, ${waiting}\n`;
}

/**
 * How far the node is, `stopped` once it is gone or another has taken its place, `unknown` where it did not answer: it may
 * be busy, so that says nothing.
 */
async function look(client: AdminClient): Promise<DrainStatus | 'stopped' | 'unknown'> {
  try {
    const { value } = await client.call({ path: '/status' });
    return (value as NodeStatus).draining ?? 'stopped';
  } catch (error) {
    const silent = silence(error);
    if (silent === null) throw error;
    // A node that closes gives up its admin HTTP last of all, when its data directory is free.
    return silent === 'nobody listens' ? 'stopped' : 'unknown';
  }
}

async function drain({ within, ...flags }: DrainFlags): Promise<void> {
  const client = new AdminClient(flags);
  if (within !== undefined) parseFlag('within', duration(0, DRAIN_MAX_MS), within);
  const { value } = await client.call({ method: 'POST', path: '/drain', body: { within } });
  let status = value as DrainStatus;
  let shown = '';
  for (let seen: Awaited<ReturnType<typeof look>> = status; seen !== 'stopped'; seen = await look(client)) {
    if (seen !== 'unknown') status = seen;
    const text = flags.json ? `${JSON.stringify(status)}\n` : drainText(status);
    if (text !== shown) process.stdout.write(text);
    shown = text;
    if (Date.now() > Date.parse(status.until) + GRACE_MS) {
      const why = seen === 'unknown' ? 'does not answer' : `has not stopped by ${status.until}`;
      throw new NodeError('ERR_PAW_CLOSED', `the node ${why}: look into its log`);
    }
    await delay(LOOK_EVERY_MS);
  }
  if (!flags.json) process.stdout.write('the node has stopped\n');
}

export function registerDrain(program: Command): void {
  const description = 'stops a running node gently: takes nobody in, tells its peers, and waits until all is through';
  addAdminFlags(program.command('drain').description(description), 'POST /drain')
    .option('--within <TIME>', 'what is not through after this time is cut off (default: 60s)')
    .action(drain);
}
