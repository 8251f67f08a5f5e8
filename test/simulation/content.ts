/** What simulated nodes say to each other: payloads of which every byte tells whether it is where it belongs. */
import { Seeded } from './seeded.js';

/** Two numbers that say which message it is, and its length. */
const HEAD_BYTES = 12;
const LONGEST = 64 * 1024;
/** Prime, so that no two messages in a row begin alike. */
const BEGINNINGS = 65_521;
const pattern = new Seeded(0, 'content').bytes(BEGINNINGS + LONGEST);

/** A message with so many bytes beyond its head. */
export function contentOf(first: number, second: number, bytes: number): Buffer {
  const payload = Buffer.allocUnsafe(HEAD_BYTES + bytes);
  payload.writeUInt32BE(first, 0);
  payload.writeUInt32BE(second, 4);
  payload.writeUInt32BE(payload.length, 8);
  bodyOf(first, second, bytes).copy(payload, HEAD_BYTES);
  return payload;
}

/** The two numbers of a message, null if it is not, byte for byte, what `contentOf` made of them. */
export function readContent(payload: Buffer): { readonly first: number; readonly second: number } | null {
  if (payload.length < HEAD_BYTES || payload.readUInt32BE(8) !== payload.length) return null;
  const [first, second] = [payload.readUInt32BE(0), payload.readUInt32BE(4)];
  const body = bodyOf(first, second, payload.length - HEAD_BYTES);
  return body.equals(payload.subarray(HEAD_BYTES)) ? { first, second } : null;
}

function bodyOf(first: number, second: number, bytes: number): Buffer {
  const begin = (first * 7919 + second * 104_729) % BEGINNINGS;
  return pattern.subarray(begin, begin + bytes);
}
