import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { root } from '../architecture/source-files.js';
import { metricsPage } from './metrics-page.js';

const file = join(root, 'docs/metrics.md');

it('docs/metrics.md lists the metrics that the program has (npm run docs:update)', () => {
  const wanted = metricsPage();
  if (process.env.UPDATE_DOCS === '1') writeFileSync(file, wanted);
  else expect(readFileSync(file, 'utf8')).toBe(wanted);
});
