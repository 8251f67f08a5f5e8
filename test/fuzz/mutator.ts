/** Changes inputs: a few small changes at a time, such as strangers' bytes differ by from what is right. */
import type { Seeded } from '../simulation/seeded.js';

/** Changes of one input: so many at most, few more often than many. */
const MAX_CHANGES = 6;
const NUMBERS = [0, 1, 2, 3, 4, 6, 16, 31, 32, 64, 100, 127, 128, 129, 200, 255, 256, 257, 1000, 1001, 4096, 65_535];

type Change = (mutator: Mutator, bytes: Buffer) => Buffer;

export class Mutator {
  readonly chance: Seeded;
  readonly dictionary: readonly Uint8Array[];
  readonly #maxBytes: number;
  readonly #others: readonly Uint8Array[];

  /** @param others inputs that pieces are taken from; may grow */
  constructor(
    chance: Seeded,
    options: {
      readonly dictionary: readonly Uint8Array[];
      readonly maxBytes: number;
      readonly others: readonly Uint8Array[];
    },
  ) {
    this.chance = chance;
    this.dictionary = options.dictionary;
    this.#maxBytes = options.maxBytes;
    this.#others = options.others;
  }

  /** An input that is somewhat like this one. */
  mutate(input: Uint8Array): Uint8Array {
    let bytes: Buffer = Buffer.from(input);
    let changes = 1;
    while (changes < MAX_CHANGES && this.chance.chance(0.5)) changes++;
    for (let i = 0; i < changes; i++) bytes = this.chance.pick(CHANGES)(this, bytes);
    return bytes.subarray(0, this.#maxBytes);
  }

  /** A place, the end included. */
  place(bytes: Uint8Array): number {
    return this.chance.below(bytes.length + 1);
  }

  /** Short ranges are likelier than long ones. */
  range(bytes: Uint8Array): [from: number, to: number] {
    const from = this.chance.below(Math.max(1, bytes.length));
    const most = this.chance.chance(0.7) ? 8 : bytes.length;
    return [from, Math.min(bytes.length, from + 1 + this.chance.below(most))];
  }

  piece(): Uint8Array {
    const dice = this.chance.next();
    if (dice < 0.4 && this.dictionary.length > 0) return this.chance.pick(this.dictionary);
    if (dice < 0.8 && this.#others.length > 0) {
      const other = this.chance.pick(this.#others);
      return other.subarray(...this.range(other));
    }
    return this.chance.bytes(1 + this.chance.below(8));
  }
}

function put(bytes: Buffer, at: number, piece: Uint8Array): Buffer {
  return Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at)]);
}

function overwrite(bytes: Buffer, at: number, piece: Uint8Array): Buffer {
  bytes.set(piece.subarray(0, Math.max(0, bytes.length - at)), at);
  return bytes;
}

/** A number as a length field has it: one, two or four bytes, big-endian. */
function number(value: number, width: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes.subarray(4 - width);
}

const CHANGES: readonly Change[] = [
  // A bit.
  ({ chance }, bytes) => {
    if (bytes.length > 0) bytes[chance.below(bytes.length)] ^= 1 << chance.below(8);
    return bytes;
  },
  // A byte, any or a bit more or less.
  ({ chance }, bytes) => {
    if (bytes.length === 0) return bytes;
    const at = chance.below(bytes.length);
    bytes[at] = chance.chance(0.5) ? chance.bits() : bytes[at] + chance.below(9) - 4;
    return bytes;
  },
  // A number that means something.
  (mutator, bytes) => {
    const { chance } = mutator;
    return overwrite(bytes, mutator.place(bytes), number(chance.pick(NUMBERS), chance.pick([1, 2, 4])));
  },
  // The length of what follows, or nearly.
  (mutator, bytes) => {
    const { chance } = mutator;
    const at = mutator.place(bytes);
    const width = chance.pick([1, 2, 4]);
    const left = Math.max(0, bytes.length - at - width);
    const length = chance.chance(0.5) ? left : chance.below(left + 1);
    return overwrite(bytes, at, number(length + chance.below(5) - 2, width));
  },
  (mutator, bytes) => put(bytes, mutator.place(bytes), mutator.piece()),
  (mutator, bytes) => overwrite(bytes, mutator.place(bytes), mutator.piece()),
  // What is written there once more, elsewhere.
  (mutator, bytes) => put(bytes, mutator.place(bytes), bytes.subarray(...mutator.range(bytes))),
  // Again and again, as long lists and deep nests are made.
  (mutator, bytes) => {
    const piece = bytes.subarray(...mutator.range(bytes));
    const times = 1 + mutator.chance.below(mutator.chance.chance(0.1) ? 200 : 6);
    return put(bytes, mutator.place(bytes), Buffer.concat(Array.from({ length: times }, () => piece)));
  },
  (mutator, bytes) => {
    const [from, to] = mutator.range(bytes);
    return Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]);
  },
  (mutator, bytes) => bytes.subarray(0, mutator.place(bytes)),
  // The beginning of one and the end of another.
  (mutator, bytes) => Buffer.concat([bytes.subarray(0, mutator.place(bytes)), mutator.piece(), mutator.piece()]),
];
