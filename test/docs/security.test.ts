import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { root } from '../architecture/source-files.js';

const page = readFileSync(path.join(root, 'SECURITY.md'), 'utf8');

/** Rows of tables whose last column names tests, and the lines that say `Shown by`. */
function named(): string[] {
  const cells = [...page.matchAll(/^\|.*\|([^|]*)\|$/gm)].map(([, last]) => last);
  const lines = [...page.matchAll(/^Shown by .*$/gm)].map(([line]) => line);
  const names = [...cells, ...lines].flatMap((text) => [...text.matchAll(/`([a-z0-9-]+(?:\/[a-z0-9-]+)*)`/g)]);
  return names.map(([, name]) => name);
}

it('every defence that SECURITY.md tells of names tests that are there', () => {
  const names = named();
  expect(names.length).toBeGreaterThan(40);
  const isThere = (name: string) =>
    existsSync(path.join(root, 'test', name)) || existsSync(path.join(root, 'test', `${name}.test.ts`));
  expect(names.filter((name) => !isThere(name))).toEqual([]);
});
