/**
 * A message's keyed hash: 64 bits by which a node knows a message again, whoever sends it. Any thread. The key is the
 * node's own secret, so nobody else can make two messages that look the same to it and censor one by the other.
 */
import { createHash, hash } from 'node:crypto';
import { MAX_TYPE_BYTES, TYPE_LENGTH_FIELD_BYTES } from '../limits.js';

export const HASH_KEY_BYTES = 32;
/** Up to here one call on a copy is quicker than a hash fed piece by piece. */
const COPIED_PAYLOAD_BYTES = 2048;

export class MessageHash {
  /** The hash that was taken last, in two signed words; never both 0. */
  high = 0;
  low = 0;
  /** What is hashed: key, type length, type, payload. The type stays until another comes. */
  readonly #input = new Uint8Array(HASH_KEY_BYTES + TYPE_LENGTH_FIELD_BYTES + MAX_TYPE_BYTES + COPIED_PAYLOAD_BYTES);
  #type: Uint8Array | null = null;
  #payloadAt = 0;

  constructor(key: Uint8Array) {
    if (key.length !== HASH_KEY_BYTES) throw new RangeError(`hash key of ${key.length} bytes`);
    this.#input.set(key);
  }

  /** Hashes a message into `high` and `low`. `type` must keep its bytes. */
  take(type: Uint8Array, payload: Uint8Array): void {
    if (type !== this.#type) this.#setType(type);
    const at = this.#payloadAt;
    let digest: string;
    if (payload.length <= COPIED_PAYLOAD_BYTES) {
      this.#input.set(payload, at);
      digest = hash('sha256', this.#input.subarray(0, at + payload.length), 'binary');
    } else {
      digest = createHash('sha256').update(this.#input.subarray(0, at)).update(payload).digest('binary');
    }
    this.high = wordOf(digest, 0);
    this.low = wordOf(digest, 4);
    if (this.high === 0 && this.low === 0) this.low = 1;
  }

  #setType(type: Uint8Array): void {
    this.#input[HASH_KEY_BYTES] = type.length >>> 8;
    this.#input[HASH_KEY_BYTES + 1] = type.length;
    this.#input.set(type, HASH_KEY_BYTES + TYPE_LENGTH_FIELD_BYTES);
    this.#payloadAt = HASH_KEY_BYTES + TYPE_LENGTH_FIELD_BYTES + type.length;
    this.#type = type;
  }
}

function wordOf(digest: string, at: number): number {
  return (
    (digest.charCodeAt(at) << 24) |
    (digest.charCodeAt(at + 1) << 16) |
    (digest.charCodeAt(at + 2) << 8) |
    digest.charCodeAt(at + 3)
  );
}
