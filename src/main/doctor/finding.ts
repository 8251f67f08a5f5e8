/**
 * How findings are made, compared and put in order. Pure; main thread.
 */
import type { DoctorReport, Finding, FindingLevel } from '../api.js';
import type { Facts } from './facts.js';

/** A check: what one question comes to. */
export type Check = (facts: Facts) => Finding;

const rank: Readonly<Record<FindingLevel, number>> = { ok: 0, unknown: 1, warn: 2, fail: 3 };

function worseOf(a: FindingLevel, b: FindingLevel): FindingLevel {
  return rank[a] >= rank[b] ? a : b;
}

/** A finding that leaves nothing to do. */
export function well(check: string, summary: string, evidence: readonly string[] = []): Finding {
  return { check, level: 'ok', summary, evidence, remedy: null };
}

/** Findings as a report: the worst first, and of equal ones in the order given, causes before what comes of them. */
export function reportOf(findings: readonly Finding[], wallMs: number): DoctorReport {
  const level = findings.reduce<FindingLevel>((worst, finding) => worseOf(worst, finding.level), 'ok');
  const ordered = [...findings].sort((a, b) => rank[b.level] - rank[a.level]);
  return { time: new Date(wallMs).toISOString(), level, findings: ordered };
}

/** How often something of a kind happened within the last hour. */
export function lastHour({ status }: Facts, kind: string, code: number): number {
  return status.lastHour.find((entry) => entry.kind === kind && entry.code === code)?.count ?? 0;
}

export function medianOf(figures: readonly number[]): number {
  const sorted = [...figures].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
