/**
 * What a devnet tells at its end: for every node what it sent, what it should have got and got, and one verdict. Pure.
 */
import { humanBytes } from '../amounts.js';
import { LatencyHistogram } from './latency.js';
import { type Gap, type OriginArrivals, settle } from './ledger.js';
import type { NodeReport } from './reports.js';

/** One node's figures. */
export interface NodeSummary {
  readonly node: number;
  readonly nodeId: string;
  readonly preset: string;
  readonly peers: number;
  readonly sent: number;
  readonly expected: number;
  readonly arrived: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly corrupted: number;
  readonly outOfOrder: number;
  readonly latencyP50Ms: number | null;
  readonly latencyP99Ms: number | null;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly workerRestarts: number;
  /** The first few messages that are missing. */
  readonly gaps: readonly Gap[];
}

export interface Summary {
  readonly ok: boolean;
  readonly seconds: number;
  readonly nodes: readonly NodeSummary[];
  readonly sent: number;
  readonly expected: number;
  readonly arrived: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly corrupted: number;
  /** What else went wrong, such as a process that died. */
  readonly failures: readonly string[];
}

/** What is known of a node at the end. `arrivals` is null for one that died before it could tell. */
export interface NodeOutcome {
  readonly nodeId: string;
  readonly preset: string;
  readonly sent: number;
  readonly report: NodeReport | null;
  readonly arrivals: readonly OriginArrivals[] | null;
}

/** Sets what was sent against what arrived. `outcomes` stand in the order of the nodes' numbers. */
export function summarize(outcomes: readonly NodeOutcome[], seconds: number, failures: readonly string[]): Summary {
  const sent = new Map(outcomes.map((outcome, index) => [index, outcome.sent]));
  const nodes = outcomes.map((outcome, index) => nodeSummary(outcome, index, sent));
  const sum = (figure: (node: NodeSummary) => number) => nodes.reduce((total, node) => total + figure(node), 0);
  const totals = {
    sent: sum((node) => node.sent),
    expected: sum((node) => node.expected),
    arrived: sum((node) => node.arrived),
    lost: sum((node) => node.lost),
    duplicated: sum((node) => node.duplicated),
    corrupted: sum((node) => node.corrupted),
  };
  const isWhole = totals.lost === 0 && totals.duplicated === 0 && totals.corrupted === 0;
  return { ok: isWhole && failures.length === 0, seconds, nodes, ...totals, failures };
}

function nodeSummary(outcome: NodeOutcome, index: number, sent: ReadonlyMap<number, number>): NodeSummary {
  const { report } = outcome;
  const settled = settle(sent, index, outcome.arrivals ?? []);
  const latency = new LatencyHistogram();
  latency.merge(report?.latency ?? []);
  return {
    node: index + 1,
    nodeId: outcome.nodeId,
    preset: outcome.preset,
    peers: report?.peers ?? 0,
    sent: outcome.sent,
    expected: settled.expected,
    arrived: settled.arrived,
    lost: settled.lost,
    // What nobody sent can only be a fault of the same kind.
    duplicated: settled.duplicated + settled.unexpected,
    corrupted: report?.corrupted ?? 0,
    outOfOrder: settled.outOfOrder,
    latencyP50Ms: latency.percentileMs(0.5),
    latencyP99Ms: latency.percentileMs(0.99),
    bytesIn: report?.bytesIn ?? 0,
    bytesOut: report?.bytesOut ?? 0,
    workerRestarts: report?.workerRestarts ?? 0,
    gaps: settled.gaps,
  };
}

/** Columns with their widths fitted to the cells; the first is aligned left, the rest right. */
export function tableText(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const line = (row: readonly string[]) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  ');
  return rows.map((row) => `${line(row).trimEnd()}\n`).join('');
}

export function milliseconds(ms: number | null): string {
  if (ms === null) return '-';
  return ms < 10 ? ms.toFixed(1) : ms.toFixed(0);
}

const heads = [
  'node',
  'preset',
  'peers',
  'sent',
  'expected',
  'arrived',
  'lost',
  'double',
  'corrupt',
  'p50 ms',
  'p99 ms',
  'in',
  'out',
];

/** The summary as people read it; its last line is the verdict. */
export function summaryText(summary: Summary): string {
  const rows = summary.nodes.map((node) => [
    `${node.node} ${node.nodeId.slice(0, 8)}`,
    node.preset,
    ...[node.peers, node.sent, node.expected, node.arrived, node.lost, node.duplicated, node.corrupted].map(String),
    milliseconds(node.latencyP50Ms),
    milliseconds(node.latencyP99Ms),
    humanBytes(node.bytesIn),
    humanBytes(node.bytesOut),
  ]);
  const gaps = summary.nodes.flatMap(({ node, gaps }) =>
    gaps.map(({ origin, from, to }) => `node ${node} misses ${from}..${to - 1} of node ${origin + 1}\n`),
  );
  const failures = summary.failures.map((failure) => `failed: ${failure}\n`);
  return [tableText([heads, ...rows]), ...gaps, ...failures, verdict(summary)].join('');
}

function verdict(summary: Summary): string {
  const { nodes, sent, expected, arrived, lost, duplicated, corrupted, ok } = summary;
  const parts = [
    `${nodes.length} nodes`,
    `${sent} messages sent`,
    `${expected} deliveries expected`,
    `${arrived} arrived`,
    `${lost} lost`,
    `${duplicated} duplicated`,
    `${corrupted} corrupted`,
  ];
  return `devnet: ${parts.join(', ')}: ${ok ? 'OK' : 'FAILED'}\n`;
}
