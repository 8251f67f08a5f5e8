/**
 * Payload of `disconnect` (rulings 2): one byte of error code, then UTF-8 reason text. Pure; main thread.
 */
import { MAX_REASON_BYTES } from '../limits.js';

const decoder = new TextDecoder();

export function encodeDisconnect(code: number, reason: string): Buffer {
  return Buffer.concat([Buffer.of(code), cutText(reason, MAX_REASON_BYTES)]);
}

/** What a peer said, made harmless: too long is cut, what is not text is replaced. An empty payload means code 0. */
export function decodeDisconnect(payload: Uint8Array): { code: number; reason: string } {
  return { code: payload.length === 0 ? 0 : payload[0], reason: readReason(payload.subarray(1)) };
}

/** Text from a peer, fit for logs and history. */
export function readReason(bytes: Uint8Array): string {
  return decoder.decode(Uint8Array.from(bytes.subarray(0, MAX_REASON_BYTES))).replace(/\p{Cc}/gu, '?');
}

/** UTF-8 of a text, cut on a character boundary. */
export function cutText(text: string, maxBytes: number): Buffer {
  const bytes = Buffer.from(text);
  if (bytes.length <= maxBytes) return bytes;
  let end = maxBytes;
  while (end > 0 && (bytes[end] & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}
