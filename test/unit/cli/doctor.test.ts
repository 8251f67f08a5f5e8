import { describe, expect, test } from 'vitest';
import type { DoctorReport, NodeView } from '../../../src/main/api.js';
import { doctorText } from '../../../src/main/cli/doctor.js';
import { NodeError } from '../../../src/shared/errors.js';
import { call, report } from '../admin/fake-node.js';
import { startNode, stopNode, tell, theNode } from './made-up-node.js';
import { run } from './run.js';

async function doctor(view: Partial<NodeView>, ...args: string[]) {
  await stopNode();
  return tell(view, 'doctor', ...args);
}

const wide = Number.POSITIVE_INFINITY;
const allWell: DoctorReport = { ...report, level: 'unknown', findings: report.findings.slice(1) };

describe('the command doctor', () => {
  test('says first what to do, then what is wrong and why, and last what is well', async () => {
    const { code, out } = await doctor({});
    expect(code).toBe(1);
    expect(out.split('\n')).toEqual([
      'First: Raise the limit.',
      '',
      'FAIL  files        Too few.',
      '        - open now: 90 of 100',
      '      => Raise the limit.',
      '',
      '?     clock        Nobody has reported a clock.',
      'ok    disk         The store is written.',
      '',
      '3 checks: 1 fail, 0 warn, 1 unknown, 1 ok',
      '',
    ]);
  });

  test('ends with 0 when nothing warns or fails, and says that there is nothing to do', async () => {
    const { code, out } = await doctor({ doctor: async () => allWell });
    expect([code, out.split('\n')[0]]).toEqual([0, 'There is nothing to do.']);
  });

  test('shows with --json exactly what the route answers, with the same exit code', async () => {
    const { code, out } = await doctor({}, '--json');
    expect(out).toBe(`${(await call(theNode(), '/doctor')).text}\n`);
    expect([code, JSON.parse(out)]).toEqual([1, report]);
  });

  test('looks again and again with --watch, and ends as the last look says', async () => {
    let looks = 0;
    const view = {
      doctor: async () => {
        if (++looks === 2) process.emit('SIGINT');
        return looks === 1 ? report : allWell;
      },
    };
    const { code, out } = await doctor(view, '--watch', '--json');
    expect([code, looks, out.trimEnd().split('\n').length]).toEqual([0, 2, 2]);
  });

  test('is told in one line that the node is closing', async () => {
    const view = { doctor: () => Promise.reject(new NodeError('ERR_PAW_CLOSED', 'the node is closing')) };
    const { code, out, err } = await doctor(view);
    expect([code, out, err]).toEqual([1, '', expect.stringMatching(/refuses: the node is closing\n$/)]);
  });

  test('documents its exit codes', async () => {
    expect((await run('doctor', '--help')).out.replace(/\s+/g, ' ')).toContain(
      'exits with 0 if nothing warns or fails, else 1',
    );
  });
});

describe('the text of a report', () => {
  test('fits the terminal, broken between words', () => {
    const evidence = ['word '.repeat(60).trim(), 'x'.repeat(100)];
    const text = doctorText({ ...report, findings: [{ ...report.findings[0]!, evidence }] }, 60);
    const tooLong = text.split('\n').filter((line) => line.length > 60);
    // A word alone may be longer than a line; it is not cut, since it may be an address.
    expect(tooLong).toEqual([expect.stringMatching(/^ {8}- x{100}$/)]);
  });

  test('is harmless, whatever peers call themselves', () => {
    const summary = 'Slow: \u001b[2Jpeer\nok    files';
    const text = doctorText(
      { ...report, findings: [{ ...report.findings[0]!, summary, evidence: ['a\u202eb'] }] },
      wide,
    );
    for (const char of ['\u001b', '\u202e']) expect(text).not.toContain(char);
    expect(text).toContain('Slow: \uFFFD[2Jpeer\uFFFDok');
  });
});

describe('GET /doctor', () => {
  test('takes no query', async () => {
    const admin = await startNode();
    expect((await call(admin, '/doctor?x=1')).status).toBe(400);
    expect((await call(admin, '/doctor')).json).toEqual(report);
  });
});
