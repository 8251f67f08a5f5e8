import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root, type SourceFile, sourceFiles } from './source-files.js';

const sources = sourceFiles('src');

/** `path -> import` for every import that breaks a rule. */
function offenders(files: readonly SourceFile[], isForbidden: (name: string, file: SourceFile) => boolean): string[] {
  return files.flatMap((file) =>
    file.imports.filter((name) => isForbidden(name, file)).map((name) => `${file.path} -> ${name}`),
  );
}

const under = (folder: string) => sources.filter(({ path }) => path.startsWith(`src/${folder}/`));

describe('imports', () => {
  it('find files that exist, so that the rules below look at real imports', () => {
    expect(sources.length).toBeGreaterThan(40);
    const isThere = (name: string) =>
      [name, name.replace(/\.ts$/, '.d.ts')].some((path) => existsSync(join(root, path)));
    const missing = offenders(sources, (name) => name.startsWith('src/') && !isThere(name));
    expect(missing).toEqual([]);
  });

  it('of shared code stay within shared code', () => {
    expect(offenders(under('shared'), (name) => /^src\/(main|workers)\//.test(name))).toEqual([]);
  });

  it('of worker code never reach the main thread', () => {
    expect(offenders(under('workers'), (name) => name.startsWith('src/main/'))).toEqual([]);
  });

  it('of main-thread code never reach the workers, which are named by URL', () => {
    expect(offenders(under('main'), (name) => name.startsWith('src/workers/'))).toEqual([]);
  });

  it('of the node never reach the commands, which are one of its users', () => {
    const others = under('main').filter(({ path }) => !path.startsWith('src/main/cli/'));
    expect(offenders(others, (name) => name.startsWith('src/main/cli/'))).toEqual([]);
  });

  it('of the dashboard, which runs in browsers, stay within its folder but for types; nobody else imports it', () => {
    const folder = 'src/main/admin/dashboard/';
    const page = sources.filter(({ path }) => path.startsWith(folder));
    expect(page.length).toBeGreaterThan(10);
    const typeImports = /import type [^;]*;/g;
    for (const { path, text } of page.filter(({ path }) => path !== `${folder}uplot.d.ts`)) {
      const names = [...text.replace(typeImports, '').matchAll(/from '([^']+)'/g)].map(([, name]) => name);
      expect({ path, outside: names.filter((name) => !/^\.\/[a-z-]+\.js$/.test(name)) }).toEqual({ path, outside: [] });
    }
    const others = sources.filter(({ path }) => !path.startsWith(folder));
    expect(offenders(others, (name) => name.startsWith(folder))).toEqual([]);
  });

  it('never reach sockets, files or processes from worker or shared code', () => {
    const sockets = /^(node:)?(net|http|https|dgram|tls|fs|fs\/promises|child_process)$/;
    expect(offenders([...under('workers'), ...under('shared')], (name) => sockets.test(name))).toEqual(
      // Which IP addresses are routable is looked up in node:net's BlockList; nothing is opened.
      ['src/shared/wire/routability.ts -> node:net'].filter((line) => existsSync(join(root, line.split(' ')[0]))),
    );
  });

  it('of decisions reach neither the clock, randomness nor sockets', () => {
    const peers = [
      ...['admission', 'backoff', 'ban-request', 'ban-target', 'bans', 'conduct', 'eviction', 'fan-out', 'history'],
      ...['net-group', 'peer-selection', 'persistent-peers', 'reputation', 'reputation-events', 'timeouts'],
      'token-bucket',
    ].map((name) => `src/main/peers/${name}.ts`);
    const discovery = ['address-book', 'address-info', 'book-table', 'crawl-responder', 'pex'].map(
      (name) => `src/main/discovery/${name}.ts`,
    );
    const decisions = [...peers, ...discovery];
    const files = sources.filter(({ path }) => decisions.includes(path));
    expect(files.length).toBe(decisions.length);
    // Keyed hashes, and which addresses lie in a range: neither opens anything nor comes out differently twice.
    expect(offenders(files, (name) => name.startsWith('node:') && !/^node:(crypto|net)$/.test(name))).toEqual([]);
    const reached =
      /Date\.now|Math\.random|performance\.now|setTimeout|setInterval|random(Bytes|UUID|Int)|\bconnect\(|createServer/;
    for (const { path, text } of files) {
      expect(`${path} ${reached.exec(text)?.[0]}`).toBe(`${path} undefined`);
    }
  });

  it('leave piscina, msgpackr, fastify, prom-client, commander and lmdb to the few files that own them', () => {
    const owners: Record<string, RegExp> = {
      piscina: /^src\/main\/pool\//,
      msgpackr: /^src\/shared\/wire\/msgpack\.ts$/,
      fastify: /^src\/main\/admin\//,
      'prom-client': /^src\/main\/admin\//,
      commander: /^src\/main\/cli\//,
      lmdb: /^src\/main\/store\//,
    };
    expect(offenders(sources, (name, { path }) => name in owners && !owners[name].test(path))).toEqual([]);
  });
});

describe('source files', () => {
  it('have no name that says nothing', () => {
    expect(
      sources.filter(({ path }) => /\b(utils?|helpers?|common|misc)\b/.test(path)).map(({ path }) => path),
    ).toEqual([]);
  });

  it('say in their first lines what they own', () => {
    const silent = sources.filter(({ text }) => !/^(#!.*\n)?\/\*\*/.test(text));
    expect(silent.map(({ path }) => path)).toEqual([]);
  });

  it('export nothing by default but worker entries and handler modules', () => {
    const allowed = /^src\/workers\/worker\.ts$|^src\/main\/log-transport\.ts$|handlers\.ts$/;
    const others = sources.filter(({ path, text }) => /export default/.test(text) && !allowed.test(path));
    expect(others.map(({ path }) => path)).toEqual([]);
  });

  it('leave nothing open', () => {
    const open = sources.filter(({ text }) => /\b(TODO|FIXME|XXX|not implemented)\b/.test(text));
    expect(open.map(({ path }) => path)).toEqual([]);
  });
});
