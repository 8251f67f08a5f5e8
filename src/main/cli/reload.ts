/**
 * Owns the command `reload`: has a running node read its configuration again. Main thread.
 */
import type { Command } from 'commander';
import type { ReloadResult, SettingChange } from '../api.js';
import { harmless } from '../harmless-text.js';
import { AdminClient, type AdminFlags, addAdminFlags } from './admin-client.js';
import { alignedRows } from './text.js';

function rows(changes: readonly SettingChange[]): string {
  return alignedRows(changes.map(({ key, from, to }) => [`  ${key}`, `${valueText(from)} -> ${valueText(to)}`]));
}

function valueText(value: unknown): string {
  if (value === null) return 'not set';
  return harmless(Array.isArray(value) ? `[${value.join(', ')}]` : String(value));
}

/** What a reload did, for people. */
export function reloadText({ applied, needsRestart }: ReloadResult): string {
  if (applied.length + needsRestart.length === 0) return 'nothing has changed\n';
  const now = applied.length === 0 ? 'nothing takes effect now\n' : `in force from now on:\n${rows(applied)}`;
  return needsRestart.length === 0 ? now : `${now}needs a restart:\n${rows(needsRestart)}`;
}

async function reload(flags: AdminFlags): Promise<void> {
  const { text, value } = await new AdminClient(flags).call({ method: 'POST', path: '/reload', body: {} });
  process.stdout.write(flags.json ? `${text}\n` : reloadText(value as ReloadResult));
}

export function registerReload(program: Command): void {
  const description = 'makes a running node reread its configuration and apply what can change without a restart';
  addAdminFlags(program.command('reload').description(description), 'POST /reload').action(reload);
}
