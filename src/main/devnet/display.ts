/**
 * What a devnet shows while it runs: on a terminal a table that is redrawn in place, elsewhere a line a second. The
 * rendering is pure; only `LiveDisplay` writes.
 */
import { humanBytes } from '../amounts.js';
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

/** Columns that go first, whole, where the terminal is narrow. */
const dispensable = ['out', 'in', 'p50 ms', 'preset', 'sent/s', 'p99 ms', 'got/s', 'peers', 'sent'];
/** Lines of a frame beside the nodes: title, head, how many more there are, and the cursor's own. */
const LINES_BESIDE_NODES = 4;

/** Messages that later ones of the same origin have overtaken on another way; at the end that is a loss. */
function missingSoFar(report: NodeReport | null): number {
  return report?.origins.reduce((sum, { end, unique }) => sum + end - unique, 0) ?? 0;
}

function liveCells({ name, preset, report, sentPerSecond, receivedPerSecond }: NodeFrame): Record<string, string> {
  const latency = latencyOf(report);
  return {
    node: name,
    preset,
    peers: String(report?.peers ?? 0),
    'sent/s': rate(sentPerSecond),
    'got/s': rate(receivedPerSecond),
    sent: String(report?.sent ?? 0),
    got: String(report?.received ?? 0),
    missing: String(missingSoFar(report)),
    'p50 ms': milliseconds(latency.percentileMs(0.5)),
    'p99 ms': milliseconds(latency.percentileMs(0.99)),
    in: humanBytes(report?.bytesIn ?? 0),
    out: humanBytes(report?.bytesOut ?? 0),
  };
}

/**
 * Lines of the live table, none wider than `columns`, and few enough that redrawing them scrolls nothing. A narrow
 * terminal loses columns, never a part of a figure.
 */
export function liveLines(frame: Frame, columns: number, rows = Number.POSITIVE_INFINITY): string[] {
  const shown = frame.nodes.slice(0, Math.max(1, rows - LINES_BESIDE_NODES));
  const cells = shown.map(liveCells);
  const table = (heads: readonly string[]) =>
    tableText([heads, ...cells.map((row) => heads.map((head) => row[head]!))])
      .trimEnd()
      .split('\n');
  let heads = Object.keys(cells[0] ?? { node: '' });
  for (const head of dispensable) {
    if (table(heads).every((line) => line.length <= columns)) break;
    heads = heads.filter((kept) => kept !== head);
  }
  const title = `paw-p2p devnet  ${frame.phase}  ${frame.seconds.toFixed(0)} s`;
  const hidden = frame.nodes.length - shown.length;
  const rest = hidden > 0 ? [`and ${hidden} more`] : [];
  return [title, ...table(heads), ...rest].map((line) => line.slice(0, Math.max(1, columns)));
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
  readonly rows?: number;
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
    if (!this.#isLive) return;
    out.write(HIDE_CURSOR);
    // A second Ctrl-C ends the process at once, past `close`.
    process.once('exit', this.#showCursor);
  }

  show(frame: Frame): void {
    if (this.#isLive) {
      const lines = liveLines(frame, this.#out.columns || 80, this.#out.rows || 24);
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
    if (!this.#isLive) return;
    process.off('exit', this.#showCursor);
    this.#showCursor();
  }

  readonly #showCursor = (): void => {
    this.#out.write(SHOW_CURSOR);
  };
}
