/**
 * Frames out of bytes as rulings 1 says it, with all bytes at hand: slow, and simple enough to be right. What the
 * program's decoders find is held against it.
 */
import { nameOf } from './text.js';

const MAX_LENGTH = 10 * 1024 * 1024;

interface When {
  /** So many bytes must have arrived for it to be told, and when so many have, it must be told. */
  readonly from: number;
  readonly by: number;
}
export type Item = When &
  (
    | { readonly kind: 'frame'; readonly type: string; readonly payload: Uint8Array }
    | { readonly kind: 'drop' }
    | { readonly kind: 'close' }
  );

/** @returns what the bytes hold, in order, and where the frame begins that is not whole; null if all is over */
export function framesOf(stream: Uint8Array): { readonly items: readonly Item[]; readonly begun: number | null } {
  const bytes = Buffer.from(stream.buffer, stream.byteOffset, stream.length);
  const items: Item[] = [];
  let at = 0;
  while (bytes.length - at >= 4) {
    const length = bytes.readUInt32BE(at);
    if (length > MAX_LENGTH) {
      items.push({ kind: 'close', from: at + 4, by: at + 4 });
      return { items, begun: null };
    }
    const end = at + 4 + length;
    if (length < 2) {
      items.push({ kind: 'drop', from: at + 4, by: at + 4 });
      at = end;
      continue;
    }
    if (bytes.length - at < 6) break;
    const typeBytes = bytes.readUInt16BE(at + 4);
    const typeEnd = at + 6 + typeBytes;
    if (typeBytes === 0 || typeBytes > 255 || typeEnd > end) {
      items.push({ kind: 'drop', from: at + 6, by: at + 6 });
      at = end;
      continue;
    }
    if (bytes.length < typeEnd) break;
    const type = nameOf(bytes.subarray(at + 6, typeEnd), 255);
    // Whether it may be told before it is whole is up to the decoder: one that is large is not kept for nothing.
    if (type === null) items.push({ kind: 'drop', from: typeEnd, by: end });
    else if (bytes.length < end) break;
    else items.push({ kind: 'frame', type, payload: bytes.subarray(typeEnd, end), from: end, by: end });
    if (bytes.length < end) break;
    at = end;
  }
  return { items, begun: at };
}
