/** Somebody who is to be refused, or who never wanted in, each in its own way. In the load's process. */
import { connect } from 'node:net';
import { HANDSHAKE_BYTES } from '../../src/shared/limits.js';
import { encodeHandshake } from '../../src/shared/wire/handshake.js';
import { CHAIN_ID } from '../channel.js';
import { someHost } from './peer.js';

export const strangerKinds = {
  /** Of another chain. */
  alien: 2,
  /** Shows the ID of a peer that is connected. */
  double: 2,
  crawler: 2,
  /** Closes, or resets, in the middle of its handshake. */
  half: 1,
  halfReset: 1,
  /** Says nothing at all. */
  mute: 1,
} as const;

export type StrangerKind = keyof typeof strangerKinds;

/** Comes and is gone. @param takenId of a peer that is connected @returns whether it was let in, which it never may be */
export async function visitAsStranger(port: number, kind: StrangerKind, takenId: string): Promise<boolean> {
  const socket = connect({ host: '127.0.0.1', port, localAddress: someHost() });
  let first = -1;
  let bytes = 0;
  socket.on('error', () => undefined);
  socket.on('data', (data) => {
    if (bytes === 0) first = data[0]!;
    bytes += data.length;
  });
  const closed = new Promise((resolve) => socket.once('close', resolve));
  const half = encodeHandshake(CHAIN_ID, 'half').subarray(0, HANDSHAKE_BYTES / 2);
  if (kind === 'alien') socket.write(encodeHandshake('another-chain', 'alien'));
  else if (kind === 'double') socket.write(encodeHandshake(CHAIN_ID, takenId));
  else if (kind === 'crawler') socket.end(Buffer.of(1));
  else if (kind === 'half') socket.end(half);
  else if (kind === 'halfReset') socket.write(half, () => socket.resetAndDestroy());
  else socket.on('connect', () => socket.end());
  await closed;
  return first === 1 && bytes >= HANDSHAKE_BYTES && kind !== 'crawler';
}
