/**
 * What messages of the soak carry: who sent them and the how manieth they are, then a filling that follows from both, so
 * that whoever gets one knows whether it is whole. Pure; the load, and the node where it broadcasts.
 */

export type SoakType = 'tx' | 'vote' | 'block' | 'echo';

export interface Stamp {
  readonly origin: number;
  /** Counts from 0 for each origin, over all types but `echo`, which has a count of its own. */
  readonly number: number;
}

/** Origin of what the node itself broadcasts; peers have higher ones. */
export const NODE_ORIGIN = 0;

const STAMP_BYTES = 8;
const VOTE_BYTES = 200;
const TX_BYTES = 250;
const TX_SPREAD_BYTES = 250;
const BLOCK_BYTES = 1024 * 1024;

function fillOf({ origin, number }: Stamp): number {
  return (origin * 31 + number * 7 + 1) & 0xff;
}

function bytesOf(type: SoakType, { number }: Stamp): number {
  if (type === 'block') return BLOCK_BYTES;
  return type === 'vote' ? VOTE_BYTES : TX_BYTES + ((number * 7) % TX_SPREAD_BYTES);
}

/** A payload that no other of its type equals. */
export function stampedPayload(type: SoakType, stamp: Stamp): Buffer {
  const payload = Buffer.alloc(bytesOf(type, stamp), fillOf(stamp));
  payload.writeUInt32BE(stamp.origin, 0);
  payload.writeUInt32BE(stamp.number, 4);
  return payload;
}

/** What a payload says; null if a byte of it is not as it was sent. */
export function readStamp(type: SoakType, payload: Buffer): Stamp | null {
  if (payload.length < STAMP_BYTES) return null;
  const stamp = { origin: payload.readUInt32BE(0), number: payload.readUInt32BE(4) };
  if (payload.length !== bytesOf(type, stamp) || payload[STAMP_BYTES] !== fillOf(stamp)) return null;
  // Each byte of the filling equals the one before: nothing has to be made to compare with.
  const isFilled = payload.compare(payload, STAMP_BYTES, payload.length - 1, STAMP_BYTES + 1) === 0;
  return isFilled ? stamp : null;
}
