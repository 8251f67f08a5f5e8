/**
 * Judges PromQL against the series that a node really has: syntax, names, labels and their values, what a rate may be
 * taken of, and that both sides of an operator can meet. Knows the part of the language that ops/ uses, and says so of
 * the rest.
 */
import type { SyntaxNode } from '@lezer/common';
import { parser } from '@prometheus-io/lezer-promql';
import { ErrorCode } from '../../src/shared/errors.js';
import type { Family } from '../unit/admin/exposition.js';

/** What Prometheus puts onto every series of a target. */
const targetLabels = ['instance', 'job'];
/** Values that a node shows only once they happen. */
const rareValues: Readonly<Record<string, readonly string[]>> = { code: Object.keys(ErrorCode) };
const overRanges = ['rate', 'increase'];

interface Known {
  readonly isCounter: boolean;
  readonly labels: Set<string>;
  readonly values: Map<string, Set<string>>;
}

/** Series by name, with `up`, which Prometheus makes of each scrape. */
export function knownSeries(families: Iterable<Family>): Map<string, Known> {
  const known = new Map<string, Known>([
    ['up', { isCounter: false, labels: new Set(targetLabels), values: new Map() }],
  ]);
  for (const { type, series } of families) {
    for (const { name, labels } of series) {
      const entry = known.get(name) ?? {
        isCounter: type !== 'gauge',
        labels: new Set(targetLabels),
        values: new Map(),
      };
      known.set(name, entry);
      for (const [label, value] of Object.entries(labels)) {
        entry.labels.add(label);
        const values = entry.values.get(label) ?? new Set(rareValues[label]);
        entry.values.set(label, values.add(value));
      }
    }
  }
  return known;
}

export interface Judgement {
  readonly problems: readonly string[];
  /** Labels of the result. */
  readonly labels: ReadonlySet<string>;
}

/** Labels of a vector, or null for a number. */
type Labels = ReadonlySet<string> | null;

/** Where an expression stands. */
interface Place {
  /** The function that it is the argument of takes a range and counts what a counter has gained. */
  readonly isRated: boolean;
  readonly isInQuantile: boolean;
}
const outside: Place = { isRated: false, isInQuantile: false };

function children(node: SyntaxNode, name?: string): SyntaxNode[] {
  const found: SyntaxNode[] = [];
  for (let child = node.firstChild; child !== null; child = child.nextSibling) {
    if (name === undefined || child.name === name) found.push(child);
  }
  return found;
}

class Judge {
  readonly problems: string[] = [];
  readonly #text: string;
  readonly #known: ReadonlyMap<string, Known>;

  constructor(text: string, known: ReadonlyMap<string, Known>) {
    this.#text = text;
    this.#known = known;
  }

  judge(): Labels {
    const tree = parser.parse(this.#text);
    let isWrong = false;
    tree.iterate({
      enter: ({ type, from }) => {
        if (type.isError && !isWrong) this.problems.push(`syntax at ${from}: ${this.#text}`);
        isWrong ||= type.isError;
      },
    });
    return isWrong ? null : this.#labels(tree.topNode.firstChild!, outside);
  }

  #labels(node: SyntaxNode, place: Place): Labels {
    switch (node.name) {
      case 'NumberDurationLiteral':
        return null;
      case 'ParenExpr':
        return this.#labels(node.firstChild!, place);
      case 'VectorSelector':
        return this.#selector(node, { ...place, isRated: false });
      case 'MatrixSelector':
        return this.#selector(node.firstChild!, place);
      case 'AggregateExpr':
        return this.#aggregate(node, place);
      case 'FunctionCall':
        return this.#call(node, place);
      case 'BinaryExpr':
        return this.#binary(node, place);
      default:
        this.problems.push(`this test does not know ${node.name}: ${this.#textOf(node)}`);
        return null;
    }
  }

  #selector(node: SyntaxNode, { isRated, isInQuantile }: Place): Labels {
    const name = children(node, 'Identifier').map((child) => this.#textOf(child))[0] ?? '';
    const known = this.#known.get(name);
    if (known === undefined) {
      this.problems.push(`no such metric: ${this.#textOf(node)}`);
      return new Set();
    }
    if (known.isCounter !== isRated) this.problems.push(`rate or increase of a gauge, or a counter without: ${name}`);
    const matched = children(node, 'LabelMatchers').flatMap((matchers) => children(matchers));
    for (const matcher of matched) this.#matcher(matcher, name, known);
    const isOfOneBucket = matched.some((matcher) => this.#textOf(matcher).startsWith('le='));
    if (name.endsWith('_bucket') !== isInQuantile && !isOfOneBucket) {
      this.problems.push(`buckets belong into histogram_quantile, and nothing else does: ${name}`);
    }
    return known.labels;
  }

  #matcher(matcher: SyntaxNode, name: string, { labels, values }: Known): void {
    const [label, operator, text] = children(matcher).map((child) => this.#textOf(child));
    const value = text?.slice(1, -1);
    if (!labels.has(label)) this.problems.push(`${name} has no label ${label}`);
    const isPlain = operator === '=' || operator === '!=';
    if (isPlain && !targetLabels.includes(label) && values.get(label)?.has(value) !== true) {
      this.problems.push(`${name} never has ${label}="${value}"`);
    }
  }

  #aggregate(node: SyntaxNode, place: Place): Labels {
    const body = children(node, 'FunctionCallBody')[0].firstChild!;
    const inner = this.#labels(body, place);
    const modifier = children(node, 'AggregateModifier')[0];
    if (modifier === undefined) return new Set();
    if (children(modifier, 'By').length === 0)
      this.problems.push(`this test knows by alone: ${this.#textOf(modifier)}`);
    const by = this.#grouping(modifier);
    for (const label of by) {
      if (inner?.has(label) !== true) this.problems.push(`no label ${label} to sum by: ${this.#textOf(node)}`);
    }
    return new Set(by);
  }

  #call(node: SyntaxNode, place: Place): Labels {
    const [identifier, body] = children(node);
    const name = this.#textOf(identifier);
    const last = children(body).at(-1)!;
    if (name === 'vector') return new Set();
    if (name === 'histogram_quantile') {
      const labels = this.#labels(last, { isRated: false, isInQuantile: true });
      if (labels?.has('le') !== true) this.problems.push(`a quantile needs le: ${this.#textOf(node)}`);
      return new Set([...(labels ?? [])].filter((label) => label !== 'le'));
    }
    if (overRanges.includes(name)) return this.#labels(last, { ...place, isRated: true });
    this.problems.push(`this test does not know ${name}()`);
    return null;
  }

  #binary(node: SyntaxNode, place: Place): Labels {
    const [left, operator, ...rest] = children(node);
    const right = rest.at(-1)!;
    const [a, b] = [this.#labels(left, place), this.#labels(right, place)];
    const clause = children(node, 'MatchingModifierClause')[0];
    if (clause !== undefined) {
      this.#matching(clause, operator.name, [a, b]);
      return a;
    }
    // Without a clause, series meet whose labels are all the same.
    const canMeet = a === null || b === null || [...a].sort().join() === [...b].sort().join();
    if (!canMeet && operator.name !== 'Or') this.problems.push(`two sides that never meet: ${this.#textOf(node)}`);
    return a ?? b;
  }

  /** `unless on (…)`: both sides have the labels, and those of the left side stay. */
  #matching(clause: SyntaxNode, operator: string, sides: readonly Labels[]): void {
    if (operator !== 'Unless' || children(clause, 'On').length === 0) {
      this.problems.push(`this test does not know ${this.#textOf(clause)} with ${operator}`);
    }
    for (const label of this.#grouping(clause)) {
      if (sides.some((side) => side?.has(label) !== true))
        this.problems.push(`no label ${label} on both sides to meet by`);
    }
  }

  #grouping(node: SyntaxNode): string[] {
    return children(node, 'GroupingLabels').flatMap((labels) =>
      children(labels, 'LabelName').map((label) => this.#textOf(label)),
    );
  }

  #textOf({ from, to }: SyntaxNode): string {
    return this.#text.slice(from, to);
  }
}

/** Judges one expression. */
export function judgeQuery(expression: string, known: ReadonlyMap<string, Known>): Judgement {
  const judge = new Judge(expression, known);
  const labels = judge.judge();
  return { problems: judge.problems, labels: labels ?? new Set() };
}
