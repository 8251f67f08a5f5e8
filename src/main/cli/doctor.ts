/**
 * Owns the command `doctor`: what is wrong with a running node, why, and what to do about it. Main thread.
 */
import type { Command } from 'commander';
import { count } from '../amounts.js';
import type { DoctorReport, Finding, FindingLevel } from '../api.js';
import { harmless } from '../harmless-text.js';
import { AdminClient, type AdminFlags, addAdminFlags } from './admin-client.js';
import { ExitCode } from './exit.js';
import { outputColumns, type ShowFlags, show } from './show.js';
import { displayWidth } from './text.js';

/** The node dials its own addresses before it answers. */
const ANSWER_TIMEOUT_MS = 15_000;

const levelWords: Readonly<Record<FindingLevel, string>> = { ok: 'ok', unknown: '?', warn: 'WARN', fail: 'FAIL' };
/** Where summaries begin: behind the level and the longest name of a check. */
const LEVEL_COLUMNS = 6;
const CHECK_COLUMNS = 13;
/** However narrow the terminal, a line takes this much text. */
const TEXT_COLUMNS_MIN = 20;

/** A report for people: first what to do, then the findings, the worst first. */
export function doctorText({ findings }: DoctorReport, columnsMax: number): string {
  const worst = findings[0];
  const lines =
    worst !== undefined && isWrong(worst) && worst.remedy !== null
      ? wrapped('First: ', worst.remedy, columnsMax)
      : ['There is nothing to do.'];
  for (const finding of findings) lines.push(...(isWrong(finding) ? ['', ...findingLines(finding, columnsMax)] : []));
  const rest = findings.filter((finding) => !isWrong(finding));
  if (rest.length > 0) lines.push('');
  for (const finding of rest) lines.push(...findingLines(finding, columnsMax));
  lines.push('', tally(findings));
  return `${lines.join('\n')}\n`;
}

function isWrong({ level }: { readonly level: FindingLevel }): boolean {
  return level === 'warn' || level === 'fail';
}

/** What is well takes a line; what is not known has its remedy, and what is wrong all that it is concluded from. */
function findingLines(finding: Finding, columnsMax: number): string[] {
  const { check, level, summary, evidence, remedy } = finding;
  const head = `${levelWords[level].padEnd(LEVEL_COLUMNS)}${harmless(check).padEnd(CHECK_COLUMNS)}`;
  const lines = wrapped(head, summary, columnsMax);
  const indent = ' '.repeat(LEVEL_COLUMNS);
  if (isWrong(finding)) for (const line of evidence) lines.push(...wrapped(`${indent}  - `, line, columnsMax));
  if (remedy !== null) lines.push(...wrapped(`${indent}=> `, remedy, columnsMax));
  return lines;
}

function tally(findings: readonly Finding[]): string {
  const of = (level: FindingLevel) => findings.filter((finding) => finding.level === level).length;
  return `${count(findings.length, 'check')}: ${of('fail')} fail, ${of('warn')} warn, ${of('unknown')} unknown, ${of('ok')} ok`;
}

/** A text behind a head, broken between words; further lines begin below its first word. */
function wrapped(head: string, text: string, columnsMax: number): string[] {
  const most = Math.max(TEXT_COLUMNS_MIN, columnsMax - head.length);
  const lines: string[] = [];
  let line = '';
  for (const word of harmless(text).split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (line !== '' && displayWidth(longer) > most) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  lines.push(line);
  const indent = ' '.repeat(head.length);
  return lines.map((one, index) => (index === 0 ? head : indent) + one);
}

async function doctor(flags: AdminFlags & ShowFlags): Promise<void> {
  const client = new AdminClient(flags);
  await show(flags, async () => {
    const { text, value } = await client.call({ path: '/doctor', timeoutMs: ANSWER_TIMEOUT_MS });
    const report = value as DoctorReport;
    process.exitCode = isWrong(report) ? ExitCode.Failed : ExitCode.Done;
    return { json: text, text: () => doctorText(report, outputColumns()) };
  });
}

export function registerDoctor(program: Command): void {
  const description =
    'reports what is wrong with a running node, why, and what to do about it; exits with 0 if nothing warns or fails, else 1';
  addAdminFlags(program.command('doctor').description(description), 'GET /doctor')
    .option('--watch', 'refresh every second, until Ctrl-C')
    .action(doctor);
}
