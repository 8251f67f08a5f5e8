/**
 * The inputs that are kept, a file each, named by its content: `corpus/<target>/` has those that together run what the
 * fuzzer has found to run, `corpus/<target>/failures/` those that once failed. Tests run them all.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** From the root of the repository, where npm runs its scripts and vitest its tests. */
export const CORPUS = 'test/fuzz/corpus';

export interface KeptInput {
  readonly file: string;
  readonly bytes: Uint8Array;
}

export function readCorpus(target: string, folder = CORPUS): KeptInput[] {
  return [...filesIn(join(folder, target)), ...filesIn(join(folder, target, 'failures'))];
}

function filesIn(folder: string): KeptInput[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => join(folder, name))
    .sort()
    .map((file) => ({ file, bytes: new Uint8Array(readFileSync(file)) }));
}

/** @returns the file */
export function keepFailure(target: string, bytes: Uint8Array, folder = CORPUS): string {
  return keep(join(folder, target, 'failures'), bytes);
}

/** Makes these the corpus of a target; what failed once stays beside them. */
export function replaceCorpus(target: string, inputs: readonly Uint8Array[], folder = CORPUS): void {
  for (const { file } of filesIn(join(folder, target))) rmSync(file);
  for (const bytes of inputs) keep(join(folder, target), bytes);
}

function keep(folder: string, bytes: Uint8Array): string {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, createHash('sha256').update(bytes).digest('hex').slice(0, 16));
  writeFileSync(file, bytes);
  return file;
}
