/** Reads the text that `GET /metrics` answers with, as strictly as Prometheus does, and says what is wrong with it. */

export interface Series {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** One metric: what is told of it, and its series. Those of a histogram end in `_bucket`, `_sum` and `_count`. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly series: Series[];
}

const seriesPattern = /^([a-z][a-z0-9_]*)(?:\{(.*)\})? (\S+)$/;
const labelPattern = /([a-z_]+)="((?:[^"\\\n]|\\[\\n"])*)"(?:,|$)/y;

function labelsOf(text: string, line: string): Record<string, string> {
  const labels: Record<string, string> = {};
  labelPattern.lastIndex = 0;
  for (let at = 0; at < text.length; at = labelPattern.lastIndex) {
    const match = labelPattern.exec(text);
    if (match === null || match[1] in labels) throw new Error(`labels of: ${line}`);
    labels[match[1]] = match[2].replace(/\\(.)/g, (_, escaped) => (escaped === 'n' ? '\n' : escaped));
  }
  return labels;
}

function numberOf(text: string, line: string): number {
  const value = text === '+Inf' ? Number.POSITIVE_INFINITY : Number(text);
  if (Number.isNaN(value)) throw new Error(`value of: ${line}`);
  return value;
}

/** @throws Error that names the line that is wrong, or the metric */
export function parseExposition(text: string): Map<string, Family> {
  const families = new Map<string, Family>();
  const seen = new Set<string>();
  let help: [string, string] | null = null;
  let family: Family | null = null;
  if (!text.endsWith('\n')) throw new Error('no newline at the end');
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const about = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line);
    if (about?.[1] === 'HELP') {
      help = [about[2], about[3]];
    } else if (about?.[1] === 'TYPE') {
      const name = about[2];
      if (help?.[0] !== name || families.has(name)) throw new Error(`out of place: ${line}`);
      family = { name, help: help[1], type: about[3], series: [] };
      families.set(name, family);
    } else {
      const [, name, labels = '', value] = seriesPattern.exec(line) ?? [];
      const allowed = family?.type === 'histogram' ? ['_bucket', '_sum', '_count'] : [''];
      if (family === null || !allowed.some((suffix) => name === family?.name + suffix))
        throw new Error(`what: ${line}`);
      const series = { name, labels: labelsOf(labels, line), value: numberOf(value, line) };
      const key = JSON.stringify([name, Object.entries(series.labels).sort()]);
      if (seen.has(key)) throw new Error(`twice: ${line}`);
      seen.add(key);
      family.series.push(series);
    }
  }
  for (const one of families.values()) if (one.type === 'histogram') checkHistogram(one);
  return families;
}

/** Buckets are cumulative, in order, and end with +Inf, which is the count. */
function checkHistogram({ name, series }: Family): void {
  const groups = new Map<string, Series[]>();
  for (const one of series) {
    const { le: _, ...labels } = one.labels;
    const key = JSON.stringify(labels);
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  for (const [key, group] of groups) {
    const buckets = group.filter((one) => one.name === `${name}_bucket`);
    const bounds = buckets.map(({ labels }) => numberOf(labels.le, `${name} le="${labels.le}"`));
    const isOrdered = buckets.every(
      ({ value }, i) => i === 0 || (bounds[i] > bounds[i - 1] && value >= buckets[i - 1].value),
    );
    const last = (suffix: string) => group.find((one) => one.name === name + suffix)?.value;
    const isWhole = bounds.at(-1) === Number.POSITIVE_INFINITY && buckets.at(-1)?.value === last('_count');
    if (!isOrdered || !isWhole || last('_sum') === undefined) throw new Error(`histogram ${name} ${key}`);
  }
}
