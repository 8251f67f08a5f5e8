/** SECURITY.md: that each row which tells of a defence names tests that show it, and that these are there. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from '../architecture/source-files.js';

const page = readFileSync(path.join(root, 'SECURITY.md'), 'utf8');

interface Named {
  /** Below `test`, a file without its ending or a folder. */
  readonly name: string;
  /** Tests of the file, by title or a part of it. */
  readonly titles: readonly string[];
}

interface Row {
  readonly threat: string;
  readonly defence: string;
  readonly cell: string;
  readonly shownBy: readonly Named[];
}

const item = /`([a-z0-9-]+(?:\/[a-z0-9-]+)*)`((?:[:,] “[^“”]+”)*)/g;

function namedIn(cell: string): Named[] {
  return [...cell.matchAll(item)].map(([, name, quoted]) => ({
    name,
    titles: [...quoted.matchAll(/“([^”]+)”/g)].map(([, title]) => title),
  }));
}

/** Rows of all tables whose last column is `shown by`. */
function rowsOf(text: string): Row[] {
  const tables = [...text.matchAll(/^\|.*\| shown by \|\n\|[ |-]+\|\n((?:\|.*\|\n)+)/gm)];
  return tables.flatMap(([, body]) =>
    body
      .trimEnd()
      .split('\n')
      .map((line) => {
        const cells = line.split('|').slice(1, -1);
        const [defence, cell] = cells.slice(-2).map((text) => text.trim());
        return { threat: cells[0].trim(), defence, cell, shownBy: namedIn(cell) };
      }),
  );
}

/** Titles of the tests of a file: what stands first in a call, as it is written there. */
function titlesOf(name: string): string[] {
  const source = readFileSync(path.join(root, 'test', `${name}.test.ts`), 'utf8');
  const calls = source.matchAll(/\(\s*(['"`])((?:\\.|(?!\1)[^\\\n])*)\1,/g);
  return [...calls].map(([, , title]) => title.replaceAll("\\'", "'"));
}

const isFile = (name: string) => existsSync(path.join(root, 'test', `${name}.test.ts`));
const isFolder = (name: string) => existsSync(path.join(root, 'test', name));
const rows = rowsOf(page);
const allNamed = rows.flatMap(({ shownBy }) => shownBy);

describe('SECURITY.md', () => {
  it('tells of no threat in a table that does not say which tests show the defence', () => {
    const tables = page.match(/^\|[ |-]+\|$/gm)!;
    expect(tables.length).toBe(page.match(/\| shown by \|$/gm)!.length);
    expect(rows.length).toBe(page.match(/^\|.*\|$/gm)!.length - 2 * tables.length);
    expect(rows.length).toBeGreaterThan(25);
  });

  it('names for each row a test by its title, but where nothing is done', () => {
    const bare = rows.filter(({ shownBy }) => shownBy.every(({ titles }) => titles.length === 0));
    expect(bare.filter(({ defence }) => !/^nothing\b/.test(defence)).map(({ threat }) => threat)).toEqual([]);
  });

  it('names tests that are there, by titles that they have', () => {
    const missing = allNamed.filter(({ name }) => !isFile(name) && !isFolder(name));
    expect(missing.map(({ name }) => name)).toEqual([]);
    const unknown = allNamed.flatMap(({ name, titles }) => {
      const known = titles.length === 0 ? [] : titlesOf(name);
      return titles.filter((title) => !known.some((one) => one.includes(title))).map((title) => `${name}: ${title}`);
    });
    expect(unknown).toEqual([]);
    // A word or two would be found anywhere.
    const titles = allNamed.flatMap((one) => one.titles);
    expect(titles.filter((title) => title.split(' ').length < 4)).toEqual([]);
  });

  it('has nothing in its columns of tests that is no name of a test', () => {
    const rest = rows.map(({ cell }) => cell.replaceAll(item, '').replaceAll(/[;\s]/g, ''));
    expect(rest.filter((text) => text !== '' && text !== '–')).toEqual([]);
    for (const { name, titles } of allNamed) {
      if (titles.length > 0) expect(statSync(path.join(root, 'test', `${name}.test.ts`)).isFile()).toBe(true);
    }
  });
});

describe('a row', () => {
  const table = (cell: string) => `| threat | defence | shown by |\n| --- | --- | --- |\n| a | b | ${cell} |\n`;

  it('is read with each of its tests and their titles', () => {
    const [{ shownBy }] = rowsOf(table('`unit/a`: “one two”, “three”; `attacks`'));
    expect(shownBy).toEqual([
      { name: 'unit/a', titles: ['one two', 'three'] },
      { name: 'attacks', titles: [] },
    ]);
  });

  it('that names nothing is a row all the same', () => {
    expect(rowsOf(table('somewhere'))).toMatchObject([{ threat: 'a', shownBy: [] }]);
  });
});
