/** The documents that people read, taken apart for tests that hold them to the code. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../architecture/source-files.js';

export interface Section {
  readonly title: string;
  /** 1 to 6, as the heading has hashes. */
  readonly level: number;
  /** Up to the next heading, whatever its level. */
  readonly text: string;
}

export interface Document {
  /** From the root, with slashes. */
  readonly path: string;
  readonly sections: readonly Section[];
  /** Inline code. */
  readonly spans: readonly string[];
  /** Lines of code that people type into a shell; continued ones are one. */
  readonly commandLines: readonly string[];
  /** Blocks of code, by language; empty for none. */
  readonly blocks: readonly { readonly language: string; readonly text: string }[];
  readonly links: readonly string[];
}

const SHELLS = ['', 'sh', 'console'];
const blockPattern = /^```(\w*)\n([\s\S]*?)^```$/gm;
const indentedPattern = /(?<=\n\n)(?: {4}[^\n]+\n)+/g;

/** A Markdown file of the repository. */
export function readDocument(path: string): Document {
  const whole = readFileSync(join(root, path), 'utf8');
  const blocks = [...whole.matchAll(blockPattern)].map(([, language, text]) => ({ language, text }));
  const text = whole.replace(blockPattern, '');
  const indented = [...text.matchAll(indentedPattern)].map(([block]) => block);
  const typed = [...blocks.filter(({ language }) => SHELLS.includes(language)).map((block) => block.text), ...indented];
  const prose = text.replace(indentedPattern, '');
  return {
    path,
    sections: sectionsOf(text),
    spans: [...prose.matchAll(/`([^`\n]+)`/g)].map(([, span]) => span),
    commandLines: typed.flatMap((block) => block.replaceAll('\\\n', ' ').split('\n')).map(withoutComment),
    blocks,
    links: [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target),
  };
}

/** The documents under `docs`, and the README. */
export function allDocuments(): Document[] {
  const names = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md'));
  return ['README.md', ...names.map((name) => `docs/${name}`)].map(readDocument);
}

function sectionsOf(text: string): Section[] {
  return text
    .split(/^(?=#{1,6} )/m)
    .filter((part) => part.startsWith('#'))
    .map((part) => {
      const [heading, ...rest] = part.split('\n');
      const [, hashes, title] = /^(#+) (.*)$/.exec(heading)!;
      return { title, level: hashes.length, text: rest.join('\n') };
    });
}

function withoutComment(line: string): string {
  return line.replace(/(^|\s)#.*$/, '').trim();
}

/** The part of a link that names a section, as pages on the web make it. */
export function anchorOf(title: string): string {
  const plain = title.replace(/[`*]/g, '').toLowerCase();
  return plain.replace(/[^\p{L}\p{N}\s_-]/gu, '').replace(/\s/g, '-');
}
