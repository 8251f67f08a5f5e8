/**
 * Payloads of types declared with `codec: 'msgpack'`: plain interoperable msgpack of bounded size and depth. Every
 * thread has its own; values are encoded and decoded in the thread that owns them.
 */
import { Packr, Unpackr } from 'msgpackr';
import { MAX_MSGPACK_BYTES } from '../limits.js';
import { scanMsgpack } from './msgpack-scan.js';

const options = { useRecords: false, mapsAsObjects: true, moreTypes: false } as const;
const packr = new Packr(options);
const unpackr = new Unpackr(options);

export type Decoded = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly why: string };

/** @throws TypeError if the value is too large, too deep, or holds what msgpack has no plain form for */
export function encodeValue(value: unknown): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = packr.pack(value);
  } catch (cause) {
    throw new TypeError(`value can't be encoded: ${(cause as Error).message}`, { cause });
  }
  if (bytes.length > MAX_MSGPACK_BYTES)
    throw new TypeError(`value takes ${bytes.length} bytes, at most ${MAX_MSGPACK_BYTES}`);
  const fault = scanMsgpack(bytes);
  if (fault !== null) throw new TypeError(`value can't be encoded: ${fault}`);
  return bytes;
}

/** Decodes bytes of a peer. What comes out shares no memory with them. */
export function decodeValue(bytes: Uint8Array): Decoded {
  if (bytes.length > MAX_MSGPACK_BYTES) return { ok: false, why: `over ${MAX_MSGPACK_BYTES} bytes` };
  const own = Uint8Array.from(bytes);
  const why = scanMsgpack(own);
  if (why !== null) return { ok: false, why };
  try {
    return { ok: true, value: unpackr.unpack(own) };
  } catch (error) {
    return { ok: false, why: (error as Error).message };
  }
}
