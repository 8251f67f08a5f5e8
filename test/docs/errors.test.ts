import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ExitCode, hexCode } from '../../src/main/cli/exit.js';
import { ErrorCode, errorCodeName } from '../../src/shared/errors.js';
import { root } from '../architecture/source-files.js';
import { readDocument } from './documents.js';

const CODE_NOBODY_KNOWS = 0xff;
const { sections } = readDocument('docs/errors.md');

function wordsIn(path: string, pattern: RegExp): string[] {
  return [...readFileSync(join(root, path), 'utf8').matchAll(pattern)].map(([, word]) => word);
}

function codes(): string[] {
  const ofPeers = Object.entries(ErrorCode).map(([name, code]) => `${hexCode(code)} ${name}`);
  return [...ofPeers, errorCodeName(CODE_NOBODY_KNOWS)];
}

function exitCodes(): string[] {
  return Object.values(ExitCode).map((code) => `Exit code ${code}`);
}

function adminWords(): string[] {
  const files = readdirSync(join(root, 'src/main/admin')).filter((name) => name.endsWith('.ts'));
  return files.flatMap((name) => wordsIn(`src/main/admin/${name}`, /\berror: '([a-z_]+)'/g));
}

/** Titles of the sections about single codes, under a heading. */
function titlesUnder(heading: string): string[] {
  const start = sections.findIndex(({ title }) => title === heading);
  const rest = sections.slice(start + 1);
  const end = rest.findIndex(({ level }) => level <= 2);
  return (end === -1 ? rest : rest.slice(0, end)).map(({ title }) => title);
}

describe('docs/errors.md', () => {
  it.each([
    ['Codes of peers and connections', codes()],
    ['Codes of the library', wordsIn('src/shared/errors.ts', /'(ERR_PAW_\w+)'/g)],
    ['Exit codes', exitCodes()],
    ['Words of the admin HTTP', adminWords()],
  ])('%s: has a section for each code that there is, and for no other', (heading, existing) => {
    const told = titlesUnder(heading);
    expect(told.sort()).toEqual([...new Set(existing)].sort());
  });

  it('says of each code what to do', () => {
    const about = sections.filter(({ level, title }) => level === 3 && !title.startsWith('Exit code'));
    expect(about.filter(({ text }) => !/^- Do: /m.test(text)).map(({ title }) => title)).toEqual([]);
  });
});
