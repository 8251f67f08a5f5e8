/**
 * Owns the commands about bans of a running node: `bans`, `ban`, `unban`. Main thread.
 */
import type { Command } from 'commander';
import { count } from '../amounts.js';
import type { BanInfo } from '../api.js';
import { wrongValue } from '../config/wrong-value.js';
import { harmless } from '../harmless-text.js';
import { banTimeMs } from '../peers/ban-request.js';
import { parseBanTarget } from '../peers/ban-target.js';
import { AdminClient, type AdminFlags, addAdminFlags } from './admin-client.js';
import { outputColumns, type ShowFlags, show } from './show.js';
import { type Column, tableText } from './table.js';

const TARGET_ALLOWED = 'an IP address, a CIDR range such as 1.2.3.0/24, or id:NODEID';

interface BanFlags extends AdminFlags {
  readonly for?: string;
  readonly reason?: string;
}

const columns: readonly Column<BanInfo>[] = [
  { head: 'target', cell: ({ target }) => target },
  { head: 'until', cell: ({ until }) => until ?? 'forever', goes: 3 },
  { head: 'since', cell: ({ since }) => since, goes: 1 },
  { head: 'code', cell: ({ name }) => name, goes: 2 },
  { head: 'reason', cell: ({ reason }) => reason, free: true, goes: 4 },
];

/** Bans as a table for people. */
export function bansText(bans: readonly BanInfo[], columnsMax: number): string {
  return bans.length === 0 ? 'no bans\n' : `${tableText(columns, bans, columnsMax)}${count(bans.length, 'ban')}\n`;
}

async function bansCommand(flags: AdminFlags & ShowFlags): Promise<void> {
  const client = new AdminClient(flags);
  await show(flags, async () => {
    const { text, items } = await client.list<BanInfo>('/bans', 'bans');
    return { json: text, text: () => bansText(items, outputColumns()) };
  });
}

/** Here as well as in the node, so that what can't be right is wrong usage whether a node runs or not. */
function checkTarget(target: string): void {
  if (parseBanTarget(target) === null) throw wrongValue('target', target, 'argument', TARGET_ALLOWED);
}

async function ban(target: string, flags: BanFlags): Promise<void> {
  const client = new AdminClient(flags);
  checkTarget(target);
  // Likewise.
  banTimeMs(flags.for);
  const body = { target, for: flags.for, reason: flags.reason };
  const { text, value } = await client.call({ method: 'POST', path: '/bans', body });
  const { target: banned, until } = value as BanInfo;
  const end = until === null ? 'until it is lifted' : `until ${until}`;
  process.stdout.write(flags.json ? `${text}\n` : `banned ${harmless(banned)} ${end}\n`);
}

async function unban(target: string, flags: AdminFlags): Promise<void> {
  const client = new AdminClient(flags);
  checkTarget(target);
  const { text } = await client.call({ method: 'DELETE', path: `/bans/${encodeURIComponent(target)}` });
  process.stdout.write(flags.json ? `${text}\n` : `lifted the ban of ${harmless(target)}\n`);
}

export function registerBans(program: Command): void {
  addAdminFlags(program.command('bans').description('shows the bans of a running node'), 'GET /bans')
    .option('--watch', 'refresh every second, until Ctrl-C')
    .action(bansCommand);
  addAdminFlags(program.command('ban').description('bans a target on a running node'), 'POST /bans')
    .argument('<target>', TARGET_ALLOWED)
    .option('--for <TIME>', "how long, or 'forever' (default: 24h, then 7d, then 30d)")
    .option('--reason <TEXT>', 'why, as bans and history show it')
    .action(ban);
  addAdminFlags(
    program.command('unban').description('lifts a ban on a running node, and forgets what led to it'),
    'DELETE /bans/:target',
  )
    .argument('<target>', TARGET_ALLOWED)
    .action(unban);
}
