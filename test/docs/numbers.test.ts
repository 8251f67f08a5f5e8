import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { numbersText, withNumbers } from '../../bench/report/numbers.js';
import type { BenchResult } from '../../bench/result.js';
import { root } from '../architecture/source-files.js';

describe('the numbers of the README', () => {
  it('are those of a run that is kept in the repository', () => {
    const readme = readFileSync(join(root, 'README.md'), 'utf8');
    const file = /\]\((bench\/results\/[^)]+\.json)\)/.exec(readme)?.[1];
    const result = JSON.parse(readFileSync(join(root, file!), 'utf8')) as BenchResult;
    expect(result.settings.smoke).toBe(false);
    expect(withNumbers(readme, numbersText(result, file!))).toBe(readme);
  });
});
