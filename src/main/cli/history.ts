/**
 * Owns the command `history`: what a running node refused, dropped, banned or failed at, and why. Main thread.
 */
import type { Command } from 'commander';
import { historyCode, historyLimit } from '../admin/history-query.js';
import type { HistoryEntry } from '../api.js';
import { AdminClient, type AdminFlags, addAdminFlags } from './admin-client.js';
import { parseFlag } from './config-flags.js';
import { outputColumns, type ShowFlags, show } from './show.js';
import { type Column, tableText } from './table.js';

interface HistoryFlags extends AdminFlags, ShowFlags {
  readonly limit?: string;
  readonly code?: string;
}

const columns: readonly Column<HistoryEntry>[] = [
  { head: 'time', cell: ({ time }) => time, goes: 3 },
  { head: 'kind', cell: ({ kind }) => kind },
  { head: 'code', cell: ({ name }) => name },
  { head: 'peer', cell: ({ peerId }) => peerId ?? '-', goes: 1 },
  { head: 'address', cell: ({ address }) => address ?? '-', goes: 4 },
  { head: 'detail', cell: ({ detail }) => detail, free: true, goes: 2 },
];

/** History as a table for people. */
export function historyText(entries: readonly HistoryEntry[], columnsMax: number): string {
  return entries.length === 0 ? 'no history\n' : tableText(columns, entries, columnsMax);
}

async function history(flags: HistoryFlags): Promise<void> {
  const client = new AdminClient(flags);
  const query = new URLSearchParams();
  if (flags.limit !== undefined) query.set('limit', String(parseFlag('limit', historyLimit, flags.limit)));
  if (flags.code !== undefined) query.set('code', String(parseFlag('code', historyCode, flags.code)));
  const path = query.size === 0 ? '/history' : `/history?${query}`;
  await show(flags, async () => {
    const { text, items } = await client.list<HistoryEntry>(path, 'entries');
    return { json: text, text: () => historyText(items, outputColumns()) };
  });
}

export function registerHistory(program: Command): void {
  const command = program
    .command('history')
    .description('shows what a running node refused, dropped, banned or failed at, and why; newest first');
  addAdminFlags(command, 'GET /history')
    .option('--limit <N>', 'how many entries (default: 100)')
    .option('--code <CODE>', 'only entries of this error code: a number, 0x42 or a name such as HandshakeTimeout')
    .option('--watch', 'refresh every second, until Ctrl-C')
    .action(history);
}
