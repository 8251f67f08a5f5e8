import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'smol-toml';
import { describe, expect, it } from 'vitest';
import { buildProgram } from '../../src/main/cli/program.js';
import { environmentName, isOptionKey, optionKeys } from '../../src/main/config/options.js';
import { resolveSettings } from '../../src/main/config/resolve.js';
import { geometryOf } from '../../src/main/geometry.js';
import { root } from '../architecture/source-files.js';
import { startNode } from '../integration/support/nodes.js';
import { allDocuments, anchorOf, type Document } from './documents.js';

const documents = allDocuments();
const commands = buildProgram().commands;
const flagsOf = new Map(commands.map((command) => [command.name(), command.options.map(({ long }) => long)]));
const anyFlag = new Set([...flagsOf.values(), '--help'].flat());
/** Where what users see has its names. */
const shapes = [
  'src/main/api.ts',
  'src/main/index.ts',
  'src/shared/errors.ts',
  'src/shared/handler.ts',
  'src/shared/policy.ts',
]
  .map((file) => readFileSync(path.join(root, file), 'utf8'))
  .join('\n');

const each = documents.map((document) => [document.path, document] as const);

/** Calls of the program: the command's name and what stands behind it. */
function calls({ spans, commandLines }: Document) {
  const found = [...spans, ...commandLines].flatMap((code) => [...code.matchAll(/\bpaw-p2p ([a-z]+)\b(.*)/g)]);
  return found.map(([, name, rest]) => ({
    name,
    flags: [...rest.matchAll(/(?<=\s)--[a-z-]+/g)].map(([flag]) => flag),
  }));
}

describe.each(each)('%s', (_, document) => {
  it('names only commands that there are, with flags that they have', () => {
    const wrong = calls(document).flatMap(({ name, flags }) => {
      const known = flagsOf.get(name);
      if (known === undefined) return [name];
      return flags.filter((flag) => !known.includes(flag));
    });
    expect(wrong).toEqual([]);
  });

  it('names only flags that some command has', () => {
    const named = document.spans.flatMap((span) => /^--[a-z-]+/.exec(span)?.[0] ?? []);
    expect(named.filter((flag) => !anyFlag.has(flag))).toEqual([]);
  });

  it('names only options, and fields of what users see, that there are', () => {
    const named = document.spans.filter((span) => /^[a-z]+(?:[A-Z][a-z0-9]*)+$/.test(span));
    const isField = (name: string) => new RegExp(`\\b${name}\\b`).test(shapes);
    expect(named.filter((name) => !isOptionKey(name) && !isField(name))).toEqual([]);
  });

  it('names only environment variables that are read', () => {
    const code = [...document.spans, ...document.commandLines].join('\n');
    const named = [...code.matchAll(/(?<![A-Z_])PAW_[A-Z]+(?:_[A-Z]+)*/g)].map(([name]) => name);
    const known = optionKeys.map(environmentName);
    expect(named.filter((name) => !known.includes(name))).toEqual([]);
  });

  it('shows only configuration that a node takes', () => {
    for (const { language, text } of document.blocks) {
      if (language !== 'toml') continue;
      const file = { path: '/etc/paw-p2p/config.toml', values: parse(text) };
      expect(() => geometryOf(resolveSettings({ file }))).not.toThrow();
    }
  });

  it('links only to files and sections that there are', () => {
    const wrong = document.links
      .filter((link) => !/^https?:/.test(link))
      .filter((link) => !isThere(document.path, link));
    expect(wrong).toEqual([]);
  });
});

function isThere(from: string, link: string): boolean {
  const [file, anchor] = link.split('#', 2);
  const target = file === '' ? from : path.posix.join(path.posix.dirname(from), file);
  if (!existsSync(path.join(root, target))) return false;
  if (anchor === undefined) return true;
  const titles = documents.find((document) => document.path === target)?.sections ?? [];
  return titles.some(({ title }) => anchorOf(title) === anchor);
}

const routePattern = /^(GET|POST|DELETE) (\/[\w/:.]*)/;

describe('documents', () => {
  it('name only routes that the admin HTTP has', async () => {
    const named = documents.flatMap(({ spans }) => spans.flatMap((span) => routePattern.exec(span)?.[0] ?? []));
    // A drain ends the node that is asked.
    const routes = [...new Set(named)].sort((a, b) => Number(a.endsWith('/drain')) - Number(b.endsWith('/drain')));
    expect(routes).toContain('GET /health');
    const node = await startNode({ admin: '127.0.0.1:0' });
    const wrong: string[] = [];
    for (const route of routes) {
      if (!(await hasRoute(node.admin!, route))) wrong.push(route);
    }
    expect(wrong).toEqual([]);
  });
});

/** Whether a node answers otherwise than that there is no such route. */
async function hasRoute(admin: string, route: string): Promise<boolean> {
  const [, method, url] = routePattern.exec(route)!;
  const body = method === 'GET' ? null : '{}';
  const headers = { 'content-type': 'application/json', connection: 'close' };
  const reading = new AbortController();
  const response = await fetch(`http://${admin}${url}`, { method, body, headers, signal: reading.signal });
  // Events never end.
  if (response.status !== 404) {
    reading.abort();
    return true;
  }
  const { message } = (await response.json()) as { readonly message: string };
  return !message.includes(`${method} ${url}`);
}
