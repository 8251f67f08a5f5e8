import { describe, expect, it } from 'vitest';
import { checks } from '../../../src/main/doctor/checks.js';
import { reportOf } from '../../../src/main/doctor/finding.js';
import { facts, find, NOW_MS } from './facts.js';

describe('the checks of the doctor', () => {
  it('find nothing wrong with a node that is well', () => {
    for (const finding of checks.map((check) => check(facts()))) {
      expect(finding).toMatchObject({ level: 'ok', remedy: null });
    }
  });

  it('have names of their own, which stay as they are', () => {
    expect(checks.map((check) => check(facts()).check)).toEqual([
      ...['files', 'disk', 'memory', 'main-thread', 'workers', 'clock', 'chain', 'address', 'persistent', 'seeds'],
      ...['peers', 'reachable', 'limits', 'slow-peers'],
    ]);
  });

  it('say what to do wherever they warn', () => {
    const wrong = { files: { limit: 300, open: 299 }, disk: { fault: 'ENOSPC' }, peers: [] } as const;
    for (const finding of checks.map((check) => check(facts(wrong)))) {
      if (finding.level === 'warn' || finding.level === 'fail') expect(finding.remedy).not.toBeNull();
    }
  });
});

describe('a report', () => {
  it('has the worst first, causes before what comes of them, and the worst level', () => {
    const findings = [
      { ...find('clock'), level: 'unknown' as const },
      { ...find('peers'), level: 'warn' as const },
      find('limits'),
      { ...find('files'), level: 'fail' as const },
      { ...find('seeds'), level: 'fail' as const },
    ];
    const report = reportOf(findings, NOW_MS);
    expect(report.findings.map(({ check }) => check)).toEqual(['files', 'seeds', 'peers', 'clock', 'limits']);
    expect(report).toMatchObject({ level: 'fail', time: '2026-01-01T12:00:00.000Z' });
  });

  it('is ok when all is', () => {
    expect(reportOf([find('peers')], NOW_MS).level).toBe('ok');
  });
});
