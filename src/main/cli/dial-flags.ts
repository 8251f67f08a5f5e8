/**
 * Owns what `send` and `tap` share: the address and flags of a connection as a peer. Main thread.
 */
import { randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import { duration, nodeIdText, peerAddress } from '../config/kinds.js';
import { connectPeer, type PeerClient } from '../net/peer-client.js';
import { configFlag, optionValue, parseFlag } from './config-flags.js';

const TIMEOUT_MS_MAX = 3_600_000;

/** Flags of {@link addDialFlags}, as commander gives them. */
export interface DialFlags {
  readonly chainId?: string;
  readonly nodeId?: string;
  readonly timeout: string;
}

/** A connection to make, from flags that have been found right. */
export interface DialPlan {
  readonly timeoutMs: number;
  connect(): Promise<PeerClient>;
}

export function addDialFlags(command: Command, name: string): Command {
  return command
    .argument('<address>', 'HOST:PORT or ID@HOST:PORT of a node')
    .addOption(configFlag('chainId'))
    .option('--node-id <ID>', `node ID to present (default: ${name}- and random digits)`)
    .option('--timeout <TIME>', 'longest wait for connection, handshake or progress', '10s');
}

/** @throws ConfigError for a wrong value */
export function planDial(command: string, address: string, flags: DialFlags): DialPlan {
  const { id, host, port } = parseFlag('address', peerAddress(), address, 'argument');
  const timeoutMs = parseFlag('timeout', duration(1, TIMEOUT_MS_MAX), flags.timeout);
  const chainId = optionValue('chainId', flags.chainId);
  // Not the node key's ID: a node with the same key may be connected to the same peer, which would refuse a second.
  const fallbackId = `${command}-${randomBytes(6).toString('hex')}`;
  const nodeId = parseFlag('node-id', nodeIdText(), flags.nodeId ?? fallbackId);
  const dialled = id === null ? {} : { dialledId: id };
  return { timeoutMs, connect: () => connectPeer({ host, port, chainId, nodeId, timeoutMs, ...dialled }) };
}
