/**
 * Owns the commands about peers of a running node: `peers`, `dial`, `disconnect`. Main thread.
 */
import type { Command } from 'commander';
import { count, humanBytes, humanSeconds } from '../amounts.js';
import type { PeerInfo } from '../api.js';
import { chainIdText, peerAddress } from '../config/kinds.js';
import { harmless } from '../harmless-text.js';
import { AdminClient, type AdminFlags, addAdminFlags } from './admin-client.js';
import { parseFlag } from './config-flags.js';
import { outputColumns, type ShowFlags, show } from './show.js';
import { type Column, tableText } from './table.js';

/** A node's own timeouts end a dial before; they have to be beyond the usual to be longer than this. */
const DIAL_ANSWER_TIMEOUT_MS = 60_000;

function columnsAt(nowMs: number): Column<PeerInfo>[] {
  const since = (time: string) => humanSeconds(Math.max(0, nowMs - Date.parse(time)) / 1000);
  return [
    { head: 'id', cell: ({ id }) => id },
    { head: 'address', cell: ({ address }) => address },
    { head: 'direction', cell: ({ direction }) => direction, goes: 7 },
    { head: 'state', cell: ({ state }) => state, goes: 2 },
    { head: 'persistent', cell: ({ persistent }) => (persistent ? 'yes' : 'no'), goes: 3 },
    { head: 'up', cell: ({ connectedAt }) => since(connectedAt), right: true, goes: 9 },
    { head: 'idle', cell: ({ lastActivity }) => since(lastActivity), right: true, goes: 4 },
    { head: 'rtt ms', cell: ({ rttMs }) => (rttMs === null ? '-' : rttMs.toFixed(1)), right: true, goes: 8 },
    { head: 'got', cell: ({ messagesReceived }) => String(messagesReceived), right: true, goes: 6 },
    { head: 'sent', cell: ({ messagesSent }) => String(messagesSent), right: true, goes: 6 },
    { head: 'in', cell: ({ bytesReceived }) => humanBytes(bytesReceived), right: true, goes: 5 },
    { head: 'out', cell: ({ bytesSent }) => humanBytes(bytesSent), right: true, goes: 5 },
    { head: 'reputation', cell: ({ reputation }) => String(Math.round(reputation)), right: true, goes: 10 },
    { head: 'worker', cell: ({ worker }) => String(worker), right: true, goes: 1 },
  ];
}

/** Peers as a table for people. */
export function peersText(peers: readonly PeerInfo[], nowMs: number, columnsMax: number): string {
  if (peers.length === 0) return 'no peers\n';
  const inbound = peers.filter(({ direction }) => direction === 'inbound').length;
  const sum = `${count(peers.length, 'peer')} (${inbound} inbound, ${peers.length - inbound} outbound)\n`;
  return tableText(columnsAt(nowMs), peers, columnsMax) + sum;
}

async function peersCommand(flags: AdminFlags & ShowFlags): Promise<void> {
  const client = new AdminClient(flags);
  await show(flags, async () => {
    const { text, items } = await client.list<PeerInfo>('/peers', 'peers');
    return { json: text, text: () => peersText(items, Date.now(), outputColumns()) };
  });
}

async function dial(address: string, flags: AdminFlags): Promise<void> {
  const client = new AdminClient(flags);
  parseFlag('address', peerAddress(), address, 'argument');
  const { text, value } = await client.call({
    method: 'POST',
    path: '/peers',
    body: { address },
    timeoutMs: DIAL_ANSWER_TIMEOUT_MS,
  });
  const peer = value as PeerInfo;
  process.stdout.write(flags.json ? `${text}\n` : `connected to ${harmless(`${peer.id}@${peer.address}`)}\n`);
}

async function disconnect(id: string, flags: AdminFlags): Promise<void> {
  const client = new AdminClient(flags);
  // What a chain ID may be, a peer may call itself.
  parseFlag('id', chainIdText(), id, 'argument');
  const { text } = await client.call({ method: 'DELETE', path: `/peers/${encodeURIComponent(id)}` });
  process.stdout.write(flags.json ? `${text}\n` : `disconnected ${harmless(id)}\n`);
}

export function registerPeers(program: Command): void {
  addAdminFlags(program.command('peers').description('shows the peers of a running node'), 'GET /peers')
    .option('--watch', 'refresh every second, until Ctrl-C')
    .action(peersCommand);
  addAdminFlags(program.command('dial').description('connects a running node to a peer'), 'POST /peers')
    .argument('<address>', 'HOST:PORT or ID@HOST:PORT of the peer')
    .action(dial);
  addAdminFlags(
    program.command('disconnect').description('disconnects a running node from a peer'),
    'DELETE /peers/:id',
  )
    .argument('<id>', 'node ID of the peer')
    .action(disconnect);
}
