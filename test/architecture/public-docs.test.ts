import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root, sourceFiles } from './source-files.js';

const index = readFileSync(join(root, 'src/main/index.ts'), 'utf8');
const exported = [...index.matchAll(/^export (?:type )?\{([^}]*)\}/gm)]
  .flatMap(([, names]) => names.split(','))
  .map((name) => name.replace(/^\s*type /, '').trim())
  .filter((name) => name !== '');
const sources = sourceFiles('src').map(({ text }) => text);

describe('what the package exports', () => {
  it.each(exported)('%s has a doc comment where it is declared', (name) => {
    const declared = new RegExp(`^export (?:interface|type|class|const|function) ${name}\\b`, 'm');
    const text = sources.find((one) => declared.test(one));
    expect(text, `${name} is declared nowhere`).toBeDefined();
    expect(text!.slice(0, declared.exec(text!)!.index)).toMatch(/\*\/\n$/);
  });

  it('has no method without one', () => {
    const bare: string[] = [];
    for (const name of exported) {
      const body = sources
        .map((text) => new RegExp(`^export interface ${name}\\b[^{]*\\{\\n([\\s\\S]*?)^\\}`, 'm').exec(text)?.[1])
        .find((one) => one !== undefined);
      const lines = body?.split('\n') ?? [];
      for (const [i, line] of lines.entries()) {
        if (/^ {2}\w+\(/.test(line) && !/\*\/$/.test(lines[i - 1] ?? '')) bare.push(`${name}: ${line.trim()}`);
      }
    }
    expect(bare).toEqual([]);
  });
});
