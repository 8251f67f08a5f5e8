/**
 * A thread beside the fuzzer, which can't look after itself while an input keeps it busy: it sees whether inputs still
 * come to an end, and if one does not, saves it and ends the process.
 */
import { writeSync } from 'node:fs';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { keepFailure } from './corpus.js';

/** No input takes a hundredth of it. */
const HANG_MS = 20_000;
const LOOK_MS = 500;
/** Words before the input: how many were begun, and the length of the one in hand. */
const HEAD_BYTES = 8;

interface Watched {
  readonly memory: SharedArrayBuffer;
  readonly target: string;
}

export class Watch {
  readonly #words: Int32Array;
  readonly #input: Uint8Array;
  readonly #thread: Worker;

  constructor(target: string, maxBytes: number) {
    const memory = new SharedArrayBuffer(HEAD_BYTES + 4 * maxBytes);
    this.#words = new Int32Array(memory, 0, 2);
    this.#input = new Uint8Array(memory, HEAD_BYTES);
    this.#thread = new Worker(new URL(import.meta.url), { workerData: { memory, target } satisfies Watched });
    this.#thread.unref();
  }

  begins(input: Uint8Array): void {
    this.#input.set(input.subarray(0, this.#input.length));
    this.#words[1] = Math.min(input.length, this.#input.length);
    Atomics.add(this.#words, 0, 1);
  }

  stop(): Promise<number> {
    return this.#thread.terminate();
  }
}

function look({ memory, target }: Watched): void {
  const words = new Int32Array(memory, 0, 2);
  let last = -1;
  let sinceMs = performance.now();
  setInterval(() => {
    const begun = Atomics.load(words, 0);
    if (begun !== last) {
      last = begun;
      sinceMs = performance.now();
    } else if (performance.now() - sinceMs > HANG_MS && begun > 0) {
      const file = keepFailure(target, new Uint8Array(memory, HEAD_BYTES, words[1]).slice());
      writeSync(1, `\nan input does not come to an end; it is kept in ${file}\n`);
      writeSync(1, `  npm run fuzz -- --target ${target} --input ${file}\n`);
      process.kill(process.pid, 'SIGKILL');
    }
  }, LOOK_MS);
}

if (!isMainThread && workerData !== null && 'memory' in workerData) look(workerData as Watched);
