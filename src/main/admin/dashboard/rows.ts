/**
 * Owns the rows of a table: one for each key, updated in place, so that focus, scroll position and what the pointer is
 * on survive every refresh. Browser.
 */
import { arrange, make, mark, setText } from './element.js';
import type { Tone } from './event-text.js';

export interface Column<Row> {
  /** Also the class of its cells. */
  readonly key: string;
  /** Stands before the value where the page is narrow. */
  readonly label: string;
  readonly text: (row: Row) => string;
  /** The whole of a text that may be cut. */
  readonly title?: (row: Row) => string;
  readonly tone?: (row: Row) => Tone;
  /** Length of the bar behind the value, 0 to 1. */
  readonly share?: (row: Row) => number;
}

/** A button at the end of each row. */
export interface RowAction<Row> {
  readonly label: string;
  /** What it does to which row, for those who hear it. */
  readonly name: (row: Row) => string;
  readonly run: (row: Row) => void;
}

export interface RowsOptions<Row> {
  readonly body: HTMLTableSectionElement;
  readonly keyOf: (row: Row) => string;
  readonly columns: readonly Column<Row>[];
  readonly actions?: readonly RowAction<Row>[];
}

interface Line<Row> {
  row: Row;
  readonly element: HTMLTableRowElement;
  readonly cells: readonly HTMLTableCellElement[];
  readonly buttons: readonly HTMLButtonElement[];
}

export class Rows<Row> {
  readonly #options: RowsOptions<Row>;
  #lines = new Map<string, Line<Row>>();

  constructor(options: RowsOptions<Row>) {
    this.#options = options;
  }

  /** Keys as the rows stand. */
  get keys(): string[] {
    return [...this.#lines.keys()];
  }

  show(rows: readonly Row[]): void {
    const { body, keyOf } = this.#options;
    const before = this.#lines;
    const heir = this.#heirOfFocus(new Set(rows.map(keyOf)));
    this.#lines = new Map(
      rows.map((row) => {
        const key = keyOf(row);
        const line = before.get(key) ?? this.#make(row);
        line.row = row;
        return [key, line];
      }),
    );
    for (const line of this.#lines.values()) this.#fill(line);
    arrange(
      body,
      [...this.#lines.values()].map(({ element }) => element),
    );
    heir?.focus({ preventScroll: true });
  }

  /** Who gets the focus when the row that has it goes: the same button of the row after or before it, or the table. */
  #heirOfFocus(staying: ReadonlySet<string>): HTMLElement | null {
    const lines = [...this.#lines];
    const at = lines.findIndex(([, { element }]) => element.contains(document.activeElement));
    const [key, line] = lines[at] ?? [];
    if (key === undefined || line === undefined || staying.has(key)) return null;
    const button = line.buttons.indexOf(document.activeElement as HTMLButtonElement);
    const stays = ([other]: [string, Line<Row>]) => staying.has(other);
    const [, near] = lines.slice(at).find(stays) ?? lines.slice(0, at).findLast(stays) ?? [];
    return near?.buttons[button] ?? this.#options.body.closest<HTMLElement>('[tabindex]');
  }

  #make(row: Row): Line<Row> {
    const { columns, actions = [] } = this.#options;
    const element = make('tr');
    const cells = columns.map(({ key, label }, index) => {
      const cell = make(index === 0 ? 'th' : 'td', key);
      if (index === 0) cell.scope = 'row';
      cell.dataset.label = label;
      return cell;
    });
    element.append(...cells);
    const buttons = actions.map(({ label }) => {
      const button = make('button', 'quiet', label);
      button.type = 'button';
      return button;
    });
    const line: Line<Row> = { row, element, cells, buttons };
    actions.forEach(({ run }, index) => {
      buttons[index]!.addEventListener('click', () => run(line.row));
    });
    if (buttons.length > 0) {
      const cell = make('td', 'actions');
      cell.append(...buttons);
      element.append(cell);
    }
    return line;
  }

  #fill({ row, cells, buttons }: Line<Row>): void {
    const { columns, actions = [] } = this.#options;
    columns.forEach(({ text, title, tone, share }, index) => {
      const cell = cells[index]!;
      setText(cell, text(row));
      if (title !== undefined && cell.title !== title(row)) cell.title = title(row);
      if (tone !== undefined) mark(cell, 'tone', tone(row));
      if (share !== undefined) cell.style.setProperty('--share', share(row).toFixed(3));
    });
    actions.forEach(({ name }, index) => {
      const button = buttons[index]!;
      if (button.ariaLabel !== name(row)) button.ariaLabel = name(row);
    });
  }
}
