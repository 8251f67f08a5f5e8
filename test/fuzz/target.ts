/** What is fuzzed: a part of the program that reads bytes of strangers, and what must hold whatever they are. */

export interface Target {
  readonly name: string;
  /** Files of the program that it is about, from the root without their ending: their coverage guides the fuzzer. */
  readonly sources: readonly string[];
  /** The longest input. */
  readonly maxBytes: number;
  /** Pieces that random changes would not find by themselves. */
  readonly dictionary: readonly Uint8Array[];
  /** What to begin with where there is no corpus yet. */
  readonly beginnings: readonly Uint8Array[];
  /**
   * Throws where the program does not do what it must. What it does depends on the input alone.
   * @param input not changed
   * @param note takes small numbers that say what happened: an input that notes a new one is worth keeping, even where it
   * ran no code that others did not
   */
  run(input: Uint8Array, note: (what: number) => void): void;
}

/** Reads an input's first bytes as choices. Past its end there are zeros, so that every input means something. */
export class Choices {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  byte(): number {
    return this.#at < this.#bytes.length ? this.#bytes[this.#at++] : 0;
  }

  uint16(): number {
    return (this.byte() << 8) | this.byte();
  }

  bytes(count: number): Uint8Array {
    const bytes = this.#bytes.subarray(this.#at, this.#at + count);
    this.#at += bytes.length;
    return bytes;
  }

  /** All that was not read yet. */
  rest(): Uint8Array {
    return this.bytes(this.#bytes.length);
  }
}

export function text(...parts: readonly string[]): Uint8Array[] {
  return parts.map((part) => new Uint8Array(Buffer.from(part)));
}

export function hex(...parts: readonly string[]): Uint8Array[] {
  return parts.map((part) => new Uint8Array(Buffer.from(part.replaceAll(' ', ''), 'hex')));
}

/** Throws if two values are not the same, and shows both. */
export function mustEqual(what: string, found: unknown, wanted: unknown): void {
  if (Object.is(found, wanted)) return;
  const [a, b] = [shown(found), shown(wanted)];
  if (a !== b) throw new Error(`${what}: found ${a}, must be ${b}`);
}

/** @param what said only if it does not hold: to write it costs more than to look */
export function must(holds: boolean, what: () => string): void {
  if (!holds) throw new Error(what());
}

/** Any value as text that differs where values do, whatever order their keys stand in. */
export function shown(value: unknown): string {
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString('hex')}`;
  if (value instanceof Date) return `date ${value.getTime()}`;
  if (typeof value === 'bigint') return `bigint ${value}`;
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value);
  if (typeof value !== 'object' || value === null) return value === undefined ? 'nothing' : JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(shown).join(', ')}]`;
  const fields = Object.entries(value).map(([key, one]) => `${JSON.stringify(key)}: ${shown(one)}`);
  return `{${fields.sort().join(', ')}}`;
}
