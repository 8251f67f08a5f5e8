/**
 * The loop: takes an input that is known to be interesting, changes it, runs it, and keeps it if it did something new.
 * Repeatable: the same seed, target and corpus give the same inputs.
 */
import { Seeded } from '../simulation/seeded.js';
import { Coverage } from './coverage.js';
import { minimise } from './minimise.js';
import { Mutator } from './mutator.js';
import type { Target } from './target.js';

/** Half of the time one of so many newest inputs is changed. */
const NEWEST = 16;

export interface Failure {
  readonly input: Uint8Array;
  /** As small as it gets, failing with the same words. */
  readonly smallest: Uint8Array;
  readonly error: Error;
}

/** What an error says, but for figures and what is quoted: two inputs fail alike if this is the same. */
function kindOf(error: Error): string {
  return error.message.replace(/\d+|"[^"]*"|'[^']*'|bytes [0-9a-f]+/g, '_').slice(0, 200);
}

/** @returns what an input makes the target throw; null if nothing */
export function failureOf(
  target: Target,
  input: Uint8Array,
  note: (what: number) => void = () => undefined,
): Error | null {
  try {
    target.run(input, note);
    return null;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

export class Fuzzer {
  readonly #target: Target;
  readonly #coverage: Coverage;
  readonly #chance: Seeded;
  readonly #mutator: Mutator;
  /** Inputs that did something new when they came. */
  readonly inputs: Uint8Array[] = [];
  readonly #noted = new Set<number>();
  #isNew = false;
  #runs = 0;
  failure: Failure | null = null;

  /** @param coverage of no branch where nothing is instrumented: then what targets note is all that guides */
  constructor(target: Target, seed: number, known: readonly Uint8Array[], coverage = new Coverage([])) {
    this.#target = target;
    this.#coverage = coverage;
    this.#chance = new Seeded(seed, target.name);
    const { dictionary, maxBytes } = target;
    this.#mutator = new Mutator(this.#chance, { dictionary, maxBytes, others: this.inputs });
    for (const input of [...target.beginnings, ...known]) {
      this.#run(input);
      this.inputs.push(input);
    }
  }

  /** Inputs that were run. */
  get runs(): number {
    return this.#runs;
  }

  get notes(): number {
    return this.#noted.size;
  }

  /** Runs so many more inputs, or fewer where one fails. */
  run(count: number): void {
    for (let i = 0; i < count && this.failure === null; i++) {
      const input = this.#mutator.mutate(this.#chance.pick(this.inputs.slice(this.#chance.chance(0.5) ? -NEWEST : 0)));
      if (this.#run(input)) this.inputs.push(input);
    }
  }

  /** @returns whether it did something new */
  #run(input: Uint8Array): boolean {
    this.#isNew = false;
    this.#runs++;
    const error = failureOf(this.#target, input, this.#note);
    if (this.#coverage.takeNew()) this.#isNew = true;
    if (error !== null && this.failure === null) {
      const kind = kindOf(error);
      const isAlike = (candidate: Uint8Array): boolean => {
        const other = failureOf(this.#target, candidate);
        return other !== null && kindOf(other) === kind;
      };
      this.failure = { input, smallest: minimise(input, isAlike), error };
    }
    return this.#isNew;
  }

  readonly #note = (what: number): void => {
    if (this.#noted.has(what)) return;
    this.#noted.add(what);
    this.#isNew = true;
  };
}
