/**
 * Frames on the wire (specification 1.1, rulings 1): [u32 total length][u16 type length][type][payload], big-endian,
 * where the total length counts everything after itself. Pure; every thread.
 */
import { FRAME_HEADER_BYTES, LENGTH_FIELD_BYTES, MAX_WIRE_FRAME_BYTES, TYPE_LENGTH_FIELD_BYTES } from '../limits.js';
import { encodeType } from './message-type.js';

/** Bytes that a frame takes on the wire. */
export function frameBytes(typeBytes: number, payloadBytes: number): number {
  return FRAME_HEADER_BYTES + typeBytes + payloadBytes;
}

/** Most bytes that a payload of a type may have. */
export function payloadBytesMax(type: string): number {
  return MAX_WIRE_FRAME_BYTES - frameBytes(Buffer.byteLength(type), 0);
}

export function readUint32BE(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
}

export function readUint16BE(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 8) | bytes[at + 1];
}

/** Writes everything before the payload at `offset`. @returns where the payload goes */
export function writeFrameHeader(target: Uint8Array, offset: number, type: Uint8Array, payloadBytes: number): number {
  const length = TYPE_LENGTH_FIELD_BYTES + type.length + payloadBytes;
  target[offset] = length >>> 24;
  target[offset + 1] = length >>> 16;
  target[offset + 2] = length >>> 8;
  target[offset + 3] = length;
  target[offset + LENGTH_FIELD_BYTES] = type.length >>> 8;
  target[offset + LENGTH_FIELD_BYTES + 1] = type.length;
  let at = offset + FRAME_HEADER_BYTES;
  for (let i = 0; i < type.length; i++) target[at++] = type[i];
  return at;
}

/** A whole frame. @throws TypeError for an invalid type, RangeError for a frame over 10 MB */
export function encodeFrame(type: string | Uint8Array, payload: Uint8Array): Buffer {
  const typeBytes = typeof type === 'string' ? encodeType(type) : type;
  const bytes = frameBytes(typeBytes.length, payload.length);
  if (bytes > MAX_WIRE_FRAME_BYTES) throw new RangeError(`frame of ${bytes} bytes is over 10 MB`);
  const frame = Buffer.allocUnsafe(bytes);
  frame.set(payload, writeFrameHeader(frame, 0, typeBytes, payload.length));
  return frame;
}
