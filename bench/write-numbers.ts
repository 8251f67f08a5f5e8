/** `npm run bench:numbers -- FILE.json`: writes the README's table of numbers from a run that is kept in the repository. */
import { readFileSync, writeFileSync } from 'node:fs';
import { numbersText, withNumbers } from './report/numbers.js';
import type { BenchResult } from './result.js';

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error('which run? npm run bench:numbers -- bench/results/FILE.json');
const result = JSON.parse(readFileSync(file, 'utf8')) as BenchResult;
writeFileSync('README.md', withNumbers(readFileSync('README.md', 'utf8'), numbersText(result, file)));
