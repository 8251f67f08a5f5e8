import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { configurationTable } from '../../src/main/config/options.js';
import { root } from '../architecture/source-files.js';

const file = join(root, 'README.md');

it('README shows the table of options that the program has (npm run docs:update)', () => {
  const readme = readFileSync(file, 'utf8');
  const [before, rest] = readme.split(/(?<=<!-- configuration:[^\n]*-->\n)/);
  const [, after] = rest.split(/(?=<!-- \/configuration -->)/);
  const wanted = `${before}${configurationTable().trim()}\n${after ?? rest}`;
  if (process.env.UPDATE_DOCS === '1') writeFileSync(file, wanted);
  else expect(readme).toBe(wanted);
});
