/**
 * Payload of `disconnect` (rulings 2): one byte of error code, then UTF-8 reason text. Pure; main thread.
 */
import { MAX_REASON_BYTES } from '../limits.js';

/** Control characters, line separators, and what turns the reading order around. */
const HARMFUL = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** One byte of code, then the reason, cut on a character boundary after `MAX_REASON_BYTES`. */
export function encodeDisconnect(code: number, reason: string): Buffer {
  return Buffer.concat([Buffer.of(code), cutText(reason, MAX_REASON_BYTES)]);
}

/** What a peer said, made harmless: too long is cut, what is not text is replaced. An empty payload means code 0. */
export function decodeDisconnect(payload: Uint8Array): { code: number; reason: string } {
  return { code: payload.length === 0 ? 0 : payload[0], reason: readReason(payload.subarray(1)) };
}

/** Text from a peer, fit for logs and history: cut on a character boundary, on one line, in reading order. */
export function readReason(bytes: Uint8Array): string {
  const isCut = bytes.length > MAX_REASON_BYTES;
  // With `stream` the beginning of a character that the cut went through is left out, not replaced.
  return harmless(new TextDecoder().decode(bytes.subarray(0, MAX_REASON_BYTES), { stream: isCut }));
}

/** A text that a peer chose, an ID say, fit to stand within a sentence: on one line, in reading order. */
export function harmless(text: string): string {
  return text.replace(HARMFUL, '?');
}

/** UTF-8 of a text, cut on a character boundary. */
export function cutText(text: string, maxBytes: number): Buffer {
  const bytes = Buffer.from(text);
  if (bytes.length <= maxBytes) return bytes;
  let end = maxBytes;
  while (end > 0 && (bytes[end] & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}
