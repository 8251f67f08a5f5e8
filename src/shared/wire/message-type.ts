/**
 * Message types (rulings 1): 1 to 255 bytes of UTF-8 without control characters. Pure; every thread.
 */
import { MAX_TYPE_BYTES } from '../limits.js';

/** Types of the protocol itself (rulings 9). */
export const ControlType = {
  ping: 'ping',
  pong: 'pong',
  disconnect: 'disconnect',
  pexPeers: 'pex/peers',
} as const;

const controlTypes: readonly string[] = Object.values(ControlType);

/** Whether a type belongs to the protocol, so that no application may declare or send it. */
export function isControlType(type: string): boolean {
  return controlTypes.includes(type);
}

/**
 * Whether `length` bytes from `offset` are a message type. Well-formed UTF-8 as Unicode table 3-7 has it (no overlong
 * forms, no surrogates, nothing above U+10FFFF), no U+0000-U+001F, no U+007F-U+009F. Never reads outside.
 */
export function isValidTypeBytes(bytes: Uint8Array, offset: number, length: number): boolean {
  if (length < 1 || length > MAX_TYPE_BYTES) return false;
  const end = offset + length;
  for (let at = offset; at < end; ) {
    const first = bytes[at];
    if (first < 0x80) {
      if (first < 0x20 || first === 0x7f) return false;
      at++;
      continue;
    }
    const more = first < 0xc2 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : first < 0xf5 ? 3 : 0;
    if (more === 0 || at + more >= end) return false;
    const second = bytes[at + 1];
    // The second byte's range depends on the first; U+0080-U+009F are control characters.
    const low = first === 0xc2 ? 0xa0 : first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
    const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
    if (second < low || second > high) return false;
    for (let i = 2; i <= more; i++) if ((bytes[at + i] & 0xc0) !== 0x80) return false;
    at += more + 1;
  }
  return true;
}

/** A type's bytes. @throws TypeError that names the fault */
export function encodeType(type: string): Uint8Array {
  const bytes = new Uint8Array(Buffer.from(type));
  if (bytes.length === 0) throw new TypeError('message type is empty');
  if (bytes.length > MAX_TYPE_BYTES)
    throw new TypeError(`message type has ${bytes.length} bytes, at most ${MAX_TYPE_BYTES}`);
  if (!type.isWellFormed() || !isValidTypeBytes(bytes, 0, bytes.length)) {
    throw new TypeError(`message type ${JSON.stringify(type)} has control characters or is not well-formed text`);
  }
  return bytes;
}
