/**
 * Owns the table of bans in force. Browser.
 */
import type { BanInfo } from '../../api.js';
import type { Actions } from './actions.js';
import { byId, setTextOf } from './element.js';
import { causeText, count, counted, dateAndTime } from './format.js';
import { Rows } from './rows.js';

/** Whoever has more wants the command line. */
const SHOWN_MAX = 200;

export class BansTable {
  readonly #rows: Rows<BanInfo>;

  constructor(actions: Actions) {
    this.#rows = new Rows({
      body: byId('bans-body', HTMLTableSectionElement),
      keyOf: ({ target }) => target,
      columns: [
        { key: 'target', label: 'Target', text: ({ target }) => target, title: ({ target }) => target },
        { key: 'detail', label: 'Reason', text: reasonOf, title: reasonOf },
        { key: 'date', label: 'Since', text: ({ since }) => dateAndTime(since) },
        { key: 'date', label: 'Until', text: ({ until }) => (until === null ? 'for good' : dateAndTime(until)) },
      ],
      actions: [
        { label: 'Unban', name: ({ target }) => `Unban ${target}`, run: ({ target }) => actions.unban(target) },
      ],
    });
  }

  update(bans: readonly BanInfo[]): void {
    const newest = bans.toSorted((a, b) => (a.since < b.since ? 1 : -1)).slice(0, SHOWN_MAX);
    this.#rows.show(newest);
    byId('bans-empty', HTMLElement).hidden = bans.length > 0;
    const { length: all } = bans;
    setTextOf(
      'bans-count',
      all > SHOWN_MAX ? `the newest ${count(SHOWN_MAX)} of ${counted(all, 'ban')}` : counted(all, 'ban'),
    );
  }
}

function reasonOf(ban: BanInfo): string {
  return `${ban.reason === '' ? '' : `${ban.reason}; `}${causeText(ban)}`;
}
