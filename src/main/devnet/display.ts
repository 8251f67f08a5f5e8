/**
 * What a devnet shows while it runs: on a terminal a table that is redrawn in place, elsewhere a line a second. The
 * rendering is pure; only `LiveDisplay` writes.
 */
import { humanBytes } from '../cli/text.js';
import { LatencyHistogram } from './latency.js';
import type { NodeReport } from './reports.js';
import { milliseconds, tableText } from './summary.js';

/** One node at a moment. Rates are messages a second since the last frame. */
export interface NodeFrame {
  readonly name: string;
  readonly preset: string;
  readonly report: NodeReport | null;
  readonly sentPerSecond: number;
  readonly receivedPerSecond: number;
}

export interface Frame {
  readonly phase: string;
  readonly seconds: number;
  readonly nodes: readonly NodeFrame[];
}

const rate = (perSecond: number) => perSecond.toFixed(0);

function latencyOf(report: NodeReport | null): LatencyHistogram {
  const latency = new LatencyHistogram();
  latency.merge(report?.latency ?? []);
  return latency;
}

/** Lines of the live table, none wider than `columns`. */
export function liveLines(frame: Frame, columns: number): string[] {
  const head = ['node', 'preset', 'peers', 'sent/s', 'got/s', 'sent', 'got', 'p50 ms', 'p99 ms', 'in', 'out'];
  const rows = frame.nodes.map(({ name, preset, report, sentPerSecond, receivedPerSecond }) => {
    const latency = latencyOf(report);
    return [
      name,
      preset,
      ...[
        report?.peers ?? 0,
        rate(sentPerSecond),
        rate(receivedPerSecond),
        report?.sent ?? 0,
        report?.received ?? 0,
      ].map(String),
      milliseconds(latency.percentileMs(0.5)),
      milliseconds(latency.percentileMs(0.99)),
      humanBytes(report?.bytesIn ?? 0),
      humanBytes(report?.bytesOut ?? 0),
    ];
  });
  const title = `paw-p2p devnet  ${frame.phase}  ${frame.seconds.toFixed(0)} s`;
  return [
    title,
    ...tableText([head, ...rows])
      .trimEnd()
      .split('\n'),
  ].map((line) => line.slice(0, Math.max(1, columns)));
}

/** One line for logs and pipes. */
export function plainLine(frame: Frame): string {
  const sum = (figure: (node: NodeFrame) => number) => frame.nodes.reduce((total, node) => total + figure(node), 0);
  const all = new LatencyHistogram();
  for (const { report } of frame.nodes) all.merge(report?.latency ?? []);
  const parts = [
    `${frame.seconds.toFixed(0)} s ${frame.phase}`,
    `peers ${frame.nodes.map(({ report }) => report?.peers ?? 0).join('/')}`,
    `sent ${sum(({ report }) => report?.sent ?? 0)} (${rate(sum((node) => node.sentPerSecond))}/s)`,
    `got ${sum(({ report }) => report?.received ?? 0)} (${rate(sum((node) => node.receivedPerSecond))}/s)`,
    `p99 ${milliseconds(all.percentileMs(0.99))} ms`,
  ];
  return `${parts.join('  ')}\n`;
}

const HIDE_CURSOR = '\x1b[?25l';
const SHOW_CURSOR = '\x1b[?25h';
const CLEAR_BELOW = '\x1b[0J';

/** Where a display writes. */
export interface Terminal {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** Shows frames as they come. */
export class LiveDisplay {
  readonly #out: Terminal;
  readonly #isLive: boolean;
  #linesUp = 0;
  #lastPlainSecond = -1;

  constructor(out: Terminal) {
    this.#out = out;
    this.#isLive = out.isTTY === true && process.env.TERM !== 'dumb';
    if (this.#isLive) out.write(HIDE_CURSOR);
  }

  show(frame: Frame): void {
    if (this.#isLive) {
      const lines = liveLines(frame, this.#out.columns || 80);
      const up = this.#linesUp === 0 ? '' : `\x1b[${this.#linesUp}A`;
      this.#out.write(`${up}\r${CLEAR_BELOW}${lines.join('\n')}\n`);
      this.#linesUp = lines.length;
      return;
    }
    const second = Math.floor(frame.seconds);
    if (second === this.#lastPlainSecond) return;
    this.#lastPlainSecond = second;
    this.#out.write(plainLine(frame));
  }

  /** Leaves the terminal as it was found, the last table standing. */
  close(): void {
    if (this.#isLive) this.#out.write(SHOW_CURSOR);
  }
}
