/**
 * Owns the layout of what the nodes of a devnet send each other. Pure; main thread and workers.
 *
 *   offset  bytes  field
 *        0      2  origin: number of the node that made the message, from 0
 *        2      4  sequence number, from 0 for each origin, over all types
 *        6      8  time of sending, milliseconds since 1970 with fractions (IEEE 754 double)
 *       14      4  CRC-32 of the 14 bytes before it and the body
 *       18      …  body
 *
 * All integers are big-endian, as on the wire of the protocol.
 */
import { crc32 } from 'node:zlib';

const ORIGIN_OFFSET = 0;
const SEQUENCE_OFFSET = 2;
const SENT_OFFSET = 6;
const CHECKSUM_OFFSET = 14;
export const MESSAGE_HEADER_BYTES = 18;

/** Message types that a devnet sends. */
export const messageTypes = ['tx', 'block'] as const;
export type DevnetMessageType = (typeof messageTypes)[number];

/** What the header says. `sentMs` is {@link wallNowMs} of the sender. */
export interface WireHeader {
  readonly origin: number;
  readonly sequence: number;
  readonly sentMs: number;
}

/** Wall clock with fractions of a millisecond, comparable between threads and processes of one machine. */
export function wallNowMs(): number {
  return performance.timeOrigin + performance.now();
}

/** A message of `MESSAGE_HEADER_BYTES + body.length` bytes. */
export function encodeMessage(header: WireHeader, body: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(MESSAGE_HEADER_BYTES + body.length);
  bytes.writeUInt16BE(header.origin, ORIGIN_OFFSET);
  bytes.writeUInt32BE(header.sequence, SEQUENCE_OFFSET);
  bytes.writeDoubleBE(header.sentMs, SENT_OFFSET);
  bytes.set(body, MESSAGE_HEADER_BYTES);
  bytes.writeUInt32BE(checksum(bytes), CHECKSUM_OFFSET);
  return bytes;
}

/** The header of an intact message; null if the message is too short or its checksum is wrong. */
export function decodeMessage(bytes: Buffer): WireHeader | null {
  if (bytes.length < MESSAGE_HEADER_BYTES || bytes.readUInt32BE(CHECKSUM_OFFSET) !== checksum(bytes)) return null;
  return {
    origin: bytes.readUInt16BE(ORIGIN_OFFSET),
    sequence: bytes.readUInt32BE(SEQUENCE_OFFSET),
    sentMs: bytes.readDoubleBE(SENT_OFFSET),
  };
}

function checksum(bytes: Buffer): number {
  return crc32(bytes.subarray(MESSAGE_HEADER_BYTES), crc32(bytes.subarray(0, CHECKSUM_OFFSET)));
}
