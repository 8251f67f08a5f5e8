/**
 * Reads the alert rules: the few forms of YAML that the file is written in, and not a line in any other, so that what is
 * read here is what Prometheus reads.
 */

export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly severity: string;
  readonly summary: string;
  readonly description: string;
}

const head = ['groups:', '  - name: paw-p2p', '    rules:'];
/** Lines of a rule, in order: what stands before the value; null where the line has none. */
const forms: readonly (readonly [prefix: string, key: keyof AlertRule | null])[] = [
  ['      - alert: ', 'alert'],
  ['        expr: ', 'expr'],
  ['        for: ', 'for'],
  ['        labels:', null],
  ['          severity: ', 'severity'],
  ['        annotations:', null],
  ['          summary: ', 'summary'],
  ['          description: ', 'description'],
];

/** A plain word, or a text in quotes on one line that holds neither these quotes nor, in double ones, a backslash. */
function scalar(text: string, line: string): string {
  if (/^[A-Za-z0-9]+$/.test(text)) return text;
  const quoted = /^(?:'([^']*)'|"([^"\\]*)")$/.exec(text);
  if (quoted === null) throw new Error(`neither a word nor one quoted line: ${line}`);
  return quoted[1] ?? quoted[2];
}

/** @throws Error that names a line which is not as expected */
export function parseAlertRules(text: string): AlertRule[] {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  if (lines.slice(0, head.length).join('\n') !== head.join('\n')) throw new Error('the head is not as expected');
  const rules: AlertRule[] = [];
  for (let at = head.length; at < lines.length; at += forms.length) {
    const rule: Partial<Record<keyof AlertRule, string>> = {};
    for (const [i, [prefix, key]] of forms.entries()) {
      const line = lines[at + i] ?? '';
      if (key === null ? line !== prefix : !line.startsWith(prefix)) throw new Error(`'${prefix}' expected: ${line}`);
      if (key !== null) rule[key] = scalar(line.slice(prefix.length), line);
    }
    rules.push(rule as AlertRule);
  }
  return rules;
}
