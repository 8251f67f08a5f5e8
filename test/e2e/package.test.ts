import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, posix } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { root } from '../architecture/source-files.js';
import { readDocument } from '../docs/documents.js';

const run = promisify(execFile);
const installMs = 120_000;

interface Manifest {
  readonly name?: string;
  readonly scripts?: Readonly<Record<string, string>>;
}

let folder: string;
let installed: string;
/** Files of the package. */
let packed: readonly string[];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'paw-package-'));
  installed = join(folder, 'app');
  mkdirSync(installed);
  // The build that the tests run on is the one that is packed.
  const { stdout } = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
    cwd: root,
  });
  const [{ filename, files }] = JSON.parse(stdout.slice(stdout.indexOf('['))) as [
    { filename: string; files: { path: string }[] },
  ];
  packed = files.map(({ path }) => path);
  writeFileSync(join(installed, 'package.json'), '{ "type": "module", "private": true }');
  const flags = ['--no-audit', '--no-fund', '--prefer-offline', '--ignore-scripts'];
  await run('npm', ['install', ...flags, join(folder, filename)], { cwd: installed });
}, installMs);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Writes the code blocks of a document into a folder, each to the file that its first line names. @returns the names */
function writeExamples(document: string, into: string): string[] {
  const examples = readDocument(document).blocks.filter(({ language }) => language === 'js' || language === 'ts');
  return examples.map(({ text }) => {
    const name = /^\/\/ (\S+)\n/.exec(text)?.[1];
    if (name === undefined) throw new Error(`an example of ${document} names no file: ${text}`);
    writeFileSync(join(into, name), text);
    return name;
  });
}

/** Runs Node in a folder. @returns the lines of its standard output */
async function linesOf(cwd: string, ...args: string[]): Promise<string[]> {
  const { stdout } = await run(process.execPath, args, { cwd, timeout: 20_000 });
  return stdout.trim().split('\n');
}

/** Compiles a file strictly, and writes nothing. */
async function compile(cwd: string, file: string): Promise<void> {
  const flags = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2022', '--lib', 'es2024'];
  const types = ['--typeRoots', join(root, 'node_modules', '@types'), '--types', 'node', '--ignoreConfig'];
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  await run(process.execPath, [tsc, ...flags, ...types, file], { cwd, timeout: 60_000 });
}

async function firstLineWith(child: ChildProcess, text: string): Promise<string> {
  for await (const line of createInterface({ input: child.stdout! })) if (line.includes(text)) return line;
  throw new Error(`the program ended without a line that has '${text}'`);
}

describe('the packed tarball, installed without install scripts in an empty folder', () => {
  it('runs the example of the README', async () => {
    expect(writeExamples('README.md', installed)).toEqual(['tx.mjs', 'app.mjs']);
    expect(await linesOf(installed, 'app.mjs')).toEqual(['answer 0001 vote at height 7']);
  });

  it('runs the examples of docs/library.md, and compiles the one in TypeScript', async () => {
    const place = join(installed, 'library');
    mkdirSync(place);
    const names = ['handlers.mjs', 'app.mjs', 'typed.ts', 'gossip.mjs', 'handlers.test.mjs'];
    expect(writeExamples('docs/library.md', place)).toEqual(names);
    expect((await linesOf(place, 'app.mjs')).sort()).toEqual(['answer 0001', 'worker 0 published 7']);
    expect(await linesOf(place, 'gossip.mjs')).toEqual(['c got block 8 through b']);
    expect(await linesOf(place, '--test', '--test-reporter=tap', 'handlers.test.mjs')).toContain('# pass 2');
    await compile(place, 'typed.ts');
  }, 60_000);

  it('has a working npx paw-p2p node that is ready, answers, and ends with 0 on SIGTERM', async () => {
    const ports = ['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0'];
    const flags = [...ports, '--chain-id', 'packed', '--data-dir', './data', '--log-format', 'json'];
    const bin = join(installed, 'node_modules', '.bin', 'paw-p2p');
    const node = spawn(process.execPath, [bin, 'node', ...flags], {
      cwd: installed,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exit = once(node, 'exit');
    try {
      const ready = JSON.parse(await firstLineWith(node, 'node ready')) as Record<string, string>;
      expect(ready).toMatchObject({ chainId: 'packed', nodeId: expect.stringMatching(/^[a-z2-7]{32}$/) });
      const { stdout } = await run('npx', ['paw-p2p', 'send', ready.listen, '--chain-id', 'packed', '--type', 'tx'], {
        cwd: installed,
        timeout: 20_000,
      });
      expect(stdout).toMatch(/1 message/);
      const status = (await (await fetch(`http://${ready.admin}/status`)).json()) as { nodeId: string };
      expect(status.nodeId).toBe(ready.nodeId);
      for (const path of ['/', '/dashboard/page.js', '/dashboard/uplot.js', '/dashboard/uplot.css']) {
        expect([path, (await fetch(`http://${ready.admin}${path}`)).status]).toEqual([path, 200]);
      }
    } finally {
      node.kill('SIGTERM');
    }
    expect(await exit).toEqual([0, null]);
  });

  it('has two packages with install scripts, which do nothing where a prebuilt binary loads', async () => {
    const modules = join(installed, 'node_modules');
    const manifests = readdirSync(modules, { recursive: true, encoding: 'utf8' })
      .filter((path) => /(^|node_modules\/)(@[^/]+\/)?[^/@]+\/package\.json$/.test(path))
      .map((path) => JSON.parse(readFileSync(join(modules, path), 'utf8')) as Manifest);
    expect(manifests.length).toBeGreaterThan(50);
    const scripted = manifests.flatMap(({ name, scripts = {} }) =>
      ['preinstall', 'install', 'postinstall'].flatMap((when) =>
        scripts[when] === undefined ? [] : [[name, when, scripts[when]]],
      ),
    );
    expect(scripted.sort()).toEqual([
      ['lmdb', 'install', 'node-gyp-build-optional-packages'],
      ['msgpackr-extract', 'install', 'node-gyp-build-optional-packages'],
    ]);
    // Instead of the compiler, which the script calls where the binary does not load.
    const tools = join(folder, 'tools');
    mkdirSync(tools);
    writeFileSync(join(tools, 'node-gyp'), '#!/bin/sh\nexit 9\n', { mode: 0o755 });
    const env = { ...process.env, PATH: [tools, join(modules, '.bin'), process.env.PATH].join(delimiter) };
    const filesOf = (at: string) =>
      readdirSync(at, { recursive: true, encoding: 'utf8' }).map((path) => [path, statSync(join(at, path)).mtimeMs]);
    for (const [name] of scripted) {
      const cwd = join(modules, name!);
      const before = filesOf(cwd);
      const { stdout, stderr } = await run('node-gyp-build-optional-packages', [], { cwd, env });
      expect([name, stdout, stderr, filesOf(cwd)]).toEqual([name, '', '', before]);
    }
  });

  it('brings type declarations that a strict TypeScript program compiles against', async () => {
    const code = `import { createNode, type Handler, PeerError } from 'paw-p2p';
      const handlers: Handler[] = [
        (message, context) => { context.reply(message.type, message.payload); },
        (message, context) => context.reply(message.type, message.payload),
        async (message, context) => context.reply(message.type, message.payload),
      ];
      const node = await createNode({ listen: '127.0.0.1:0' });
      const peers: readonly string[] = node.peers().map((peer) => peer.id);
      node.on('peer:disconnected', (end) => console.log(end.code, handlers, peers, PeerError));`;
    writeFileSync(join(installed, 'typed.mts'), code);
    await compile(installed, 'typed.mts');
  });

  it('holds compiled JavaScript with declarations, the bench too, and no sources or tests', () => {
    for (const needed of [
      'LICENSE',
      'README.md',
      'dist/src/main/index.js',
      'dist/src/main/index.d.ts',
      'dist/src/workers/worker.js',
      ...['page.html', 'page.css', 'icon.svg', 'page.js'].map((name) => `dist/src/main/admin/dashboard/${name}`),
    ]) {
      expect(packed).toContain(needed);
    }
    expect(packed.filter((path) => /^(src|test|bench|node_modules)\/.*\.[jt]s$/.test(path))).toEqual([]);
  });

  it('has every file that its documents link to', () => {
    const missing = packed
      .filter((path) => path.endsWith('.md'))
      .flatMap((path) =>
        [...readFileSync(join(root, path), 'utf8').matchAll(/\]\(([^)#:\s]+)(?:#[^)]*)?\)/g)]
          .map(([, link]) => posix.join(posix.dirname(path), link))
          .filter((file) => !packed.includes(file))
          .map((file) => `${path} -> ${file}`),
      );
    expect(missing).toEqual([]);
  });

  it('is made of a build with nothing of an earlier one in it', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    expect(scripts.prepack).toMatch(/^npm run --silent clean && /);
    const place = mkdtempSync(join(folder, 'clean-'));
    mkdirSync(join(place, 'dist'));
    writeFileSync(join(place, 'dist', 'stale.js'), '');
    execFileSync('sh', ['-c', scripts.clean!], { cwd: place });
    expect(existsSync(join(place, 'dist'))).toBe(false);
  });
});
