import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from '../architecture/source-files.js';

/** Beside the repository, where it is developed. */
const original = join(root, '..', 'shared', 'spec');
const copy = join(root, 'docs', 'spec');

describe('docs/spec', () => {
  it.skipIf(!existsSync(original))('has the specification and its rulings, word for word', () => {
    const names = readdirSync(copy);
    expect(names).toEqual(['paw-p2p-protocol.md', 'rulings.md']);
    for (const name of names) {
      expect(readFileSync(join(copy, name), 'utf8')).toBe(readFileSync(join(original, name), 'utf8'));
    }
  });
});
