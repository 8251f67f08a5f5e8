/**
 * Owns tables on a terminal: columns aligned, every cell harmless, and what goes where there is too little room. Pure;
 * main thread.
 */
import { harmless } from '../harmless-text.js';
import { displayWidth } from './text.js';

const GAP = '  ';
/** A column of free text is cut to this before another column goes. */
const FREE_COLUMNS_MIN = 16;

/** A column. `cell` may hold anything that a peer sent. */
export interface Column<Row> {
  readonly head: string;
  readonly cell: (row: Row) => string;
  /** Figures stand to the right. */
  readonly right?: true;
  /** Free text, which may be cut. At most one column, the last. */
  readonly free?: true;
  /** Where the terminal is narrow, the column with the lowest number goes first; one without a number stays. */
  readonly goes?: number;
}

interface Filled {
  readonly cells: readonly string[];
  readonly width: number;
  readonly right: boolean;
  readonly free: boolean;
  readonly goes: number;
}

/** Rows under heads, a line each. A narrow terminal loses columns, never a part of an ID or figure. */
export function tableText<Row>(columns: readonly Column<Row>[], rows: readonly Row[], columnsMax: number): string {
  let filled = columns.map((column) => fill(column, rows));
  while (leastWidth(filled) > columnsMax) {
    const first = Math.min(...filled.map(({ goes }) => goes));
    if (first === Number.POSITIVE_INFINITY) break;
    filled = filled.filter(({ goes }) => goes !== first);
  }
  const left = columnsMax - widthOf(filled.filter(({ free }) => !free)) - GAP.length;
  const fitted = filled.map((column) => (column.free ? cutTo(column, Math.max(left, FREE_COLUMNS_MIN)) : column));
  const lines = Array.from({ length: rows.length + 1 }, (_, line) =>
    fitted
      .map((column) => padded(column, column.cells[line]))
      .join(GAP)
      .trimEnd(),
  );
  return `${lines.join('\n')}\n`;
}

function fill<Row>({ head, cell, right, free, goes }: Column<Row>, rows: readonly Row[]): Filled {
  const cells = [head, ...rows.map((row) => harmless(cell(row)) || '-')];
  return {
    cells,
    width: widest(cells),
    right: right ?? false,
    free: free ?? false,
    goes: goes ?? Number.POSITIVE_INFINITY,
  };
}

function widest(cells: readonly string[]): number {
  return cells.reduce((most, cell) => Math.max(most, displayWidth(cell)), 0);
}

function widthOf(columns: readonly Filled[]): number {
  return columns.reduce((sum, { width }) => sum + width, 0) + Math.max(0, columns.length - 1) * GAP.length;
}

function leastWidth(columns: readonly Filled[]): number {
  return widthOf(columns.map((column) => (column.free ? { ...column, width: freeWidth(column) } : column)));
}

function freeWidth({ width }: Filled): number {
  return Math.min(width, FREE_COLUMNS_MIN);
}

function cutTo(column: Filled, most: number): Filled {
  const cells = column.cells.map((cell) => cut(cell, most));
  return { ...column, cells, width: widest(cells) };
}

function cut(text: string, most: number): string {
  if (displayWidth(text) <= most) return text;
  let kept = '';
  for (const char of text) {
    if (displayWidth(kept + char) >= most) break;
    kept += char;
  }
  return `${kept}…`;
}

function padded({ width, right }: Filled, cell: string): string {
  const space = ' '.repeat(width - displayWidth(cell));
  return right ? space + cell : cell + space;
}
