/**
 * Puts a counter at the beginning of each branch of a compiled file: what V8 tells of coverage takes milliseconds to ask
 * for, far longer than an input takes. Run between the compiler and the fuzzer, on the fuzzer's own build.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAst } from 'vitest/node';

/** Where the counters are: `coverage.ts` puts them there before what is fuzzed is imported. */
const COUNTERS = "globalThis[Symbol.for('paw-p2p.fuzz.counters')]";
/** The folder that the compiler wrote to. */
const BUILD = fileURLToPath(new URL('../..', import.meta.url));

/** Where a counter stands. */
export interface Point {
  readonly file: string;
  readonly line: number;
}

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [field: string]: unknown;
}

interface Insertion {
  readonly at: number;
  readonly text: string;
  readonly order: number;
  /** What ends here stands before what begins here. */
  readonly ends: boolean;
}

class Instrumenter {
  readonly #insertions: Insertion[] = [];
  readonly #code: string;
  readonly #file: string;
  readonly #points: Point[];

  constructor(file: string, code: string, points: Point[]) {
    this.#file = file;
    this.#code = code;
    this.#points = points;
  }

  run(): string {
    this.#visit(parseAst(this.#code) as unknown as Node);
    const sorted = this.#insertions.sort((a, b) => {
      if (a.at !== b.at) return a.at - b.at;
      if (a.ends !== b.ends) return a.ends ? -1 : 1;
      return a.ends ? b.order - a.order : a.order - b.order;
    });
    const parts = [`const __counters = ${COUNTERS};`];
    let done = 0;
    for (const { at, text } of sorted) {
      parts.push(this.#code.slice(done, at), text);
      done = at;
    }
    parts.push(this.#code.slice(done));
    return parts.join('');
  }

  #visit(node: Node): void {
    this.#count(node);
    for (const value of Object.values(node)) {
      for (const one of Array.isArray(value) ? value : [value]) if (isNode(one)) this.#visit(one);
    }
  }

  #count(node: Node): void {
    switch (node.type) {
      case 'FunctionDeclaration':
      case 'FunctionExpression':
      case 'CatchClause':
        this.#inBlock(node.body as Node);
        break;
      case 'ArrowFunctionExpression':
      case 'ForStatement':
      case 'ForOfStatement':
      case 'ForInStatement':
      case 'WhileStatement':
      case 'DoWhileStatement':
        this.#branch(node.body as Node);
        break;
      case 'IfStatement':
      case 'ConditionalExpression':
        this.#branch(node.consequent as Node);
        this.#branch(node.alternate as Node | null);
        break;
      case 'SwitchCase': {
        const [first] = node.consequent as Node[];
        if (first !== undefined) this.#put(first.start, `${this.#counter(first)};`, false);
        break;
      }
      case 'LogicalExpression':
        this.#branch(node.right as Node);
        break;
    }
  }

  #branch(node: Node | null): void {
    if (node === null) return;
    if (node.type === 'BlockStatement') this.#inBlock(node);
    else if (node.type.endsWith('Statement')) this.#around(node, `{${this.#counter(node)};`, '}');
    else this.#around(node, `(${this.#counter(node)},`, ')');
  }

  #inBlock(block: Node): void {
    this.#put(block.start + 1, `${this.#counter(block)};`, false);
  }

  #around(node: Node, before: string, after: string): void {
    this.#put(node.start, before, false);
    this.#put(node.end, after, true);
  }

  #put(at: number, text: string, ends: boolean): void {
    this.#insertions.push({ at, text, order: this.#insertions.length, ends });
  }

  #counter({ start }: Node): string {
    const line = this.#code.slice(0, start).split('\n').length;
    return `__counters[${this.#points.push({ file: this.#file, line }) - 1}]++`;
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as Partial<Node>).type === 'string';
}

/** @returns the code with counters, which are numbered on from the points that there are */
export function instrument(file: string, code: string, points: Point[]): string {
  return new Instrumenter(file, code, points).run();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { targets } = await import('./targets.js');
  const points: Point[] = [];
  for (const source of new Set(targets.flatMap(({ sources }) => sources))) {
    const file = join(BUILD, `${source}.js`);
    writeFileSync(file, instrument(source, readFileSync(file, 'utf8'), points));
  }
  writeFileSync(join(BUILD, 'points.json'), JSON.stringify(points));
}
