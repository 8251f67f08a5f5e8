import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { optionKeys, optionOf } from '../../../src/main/config/options.js';
import { root } from '../../architecture/source-files.js';

/** The doc comment of each property of `NodeOptions`, as one line without backticks. */
function docComments(): Map<string, string> {
  const source = readFileSync(join(root, 'src/main/config/settings.ts'), 'utf8');
  const [, body] = /export interface NodeOptions \{\n([\s\S]*?)\n\}/.exec(source)!;
  const properties = body.matchAll(/\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*readonly (\w+)\?/g);
  return new Map(
    [...properties].map(([, comment, key]) => [
      key,
      comment
        .replace(/^\s*\* /gm, ' ')
        .replaceAll('`', '')
        .replace(/\s+/g, ' ')
        .trim(),
    ]),
  );
}

describe('the doc comment of an option of the library', () => {
  const comments = docComments();

  it.each(optionKeys)('says of %s what help and README say', (key) => {
    const doc = optionOf(key).doc.replaceAll('`', '').replace(/\.$/, '');
    const begun = `${doc[0].toUpperCase()}${doc.slice(1)}`;
    expect(comments.get(key)).toSatisfy((comment = '') => [doc, begun].some((text) => comment.includes(text)), begun);
  });
});
