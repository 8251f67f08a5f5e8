/** The README's table of numbers, made from a kept run. Pure. */
import { type BenchResult, figuresOf, find, type ScenarioResult, spreadOf, verdicts } from '../result.js';
import { digits, figure, goalText } from './figures.js';

const BEGIN = '<!-- numbers -->';
const END = '<!-- /numbers -->';

function rows(result: ScenarioResult): string[] {
  return verdicts(result).map(({ goal, reached, range, isMet }) => {
    const metric = result.metrics.find(({ key }) => key === goal.metric)!;
    const node = spreadOf(figuresOf(find(result, goal.case, 'node')!, metric.key));
    const isRange = node.least !== node.most;
    const ratios = range !== null && isRange ? ` (${digits(range.least)} – ${digits(range.most)})` : '';
    const ours = `${figure(node.median, metric.unit)}${isRange ? ` (${figure(node.least, metric.unit)} – ${figure(node.most, metric.unit)})` : ''}`;
    const other = goal.against === null ? undefined : find(result, goal.against.case ?? goal.case, goal.against.target);
    const theirs = other === undefined ? '' : figure(spreadOf(figuresOf(other, metric.key)).median, metric.unit);
    const shown =
      goal.compare === 'ratio'
        ? `${digits(reached)} ×${ratios}`
        : goal.compare === 'difference'
          ? figure(reached, metric.unit)
          : '';
    const unit = metric.unit.endsWith('/s') ? '/s' : '';
    const cells = [
      result.name,
      goal.case,
      `${metric.title}${unit}`,
      ours,
      theirs,
      shown,
      `${goalText(goal, metric)}${isMet ? '' : ' **(missed)**'}`,
    ];
    return `| ${cells.join(' | ')} |`;
  });
}

/** The table and what it was measured on, in Markdown. @param file path of the run in this repository */
export function numbersText(result: BenchResult, file: string): string {
  const { machine, settings, startedAt, scenarios } = result;
  return `${BEGIN}
Measured ${startedAt.slice(0, 10)} on ${machine.processor}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.system}, Node
${String(machine.node).slice(1)}, commit ${machine.commit}: medians of ${settings.rounds} rounds of ${settings.seconds} s, programs of a case in turn, ranges in brackets.
Workers: ${settings.workers}. Load and node share the cores; with more of them the ratios change, too (\`bench scaling\`). All figures are in
[${file}](${file}); [bench/RESULTS.md](bench/RESULTS.md) says what bounds those that were missed.

| scenario | case | what | node | compared with | node is | to be reached |
| --- | --- | --- | --- | --- | --- | --- |
${scenarios.flatMap(rows).join('\n')}
${END}`;
}

/** A text with its numbers replaced. @throws Error if it has no place for them */
export function withNumbers(text: string, numbers: string): string {
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin === -1 || end < begin) throw new Error(`no ${BEGIN} … ${END} in the text`);
  return text.slice(0, begin) + numbers + text.slice(end + END.length);
}
