/**
 * Owns why peers were refused, dropped or banned: counts of the last hour by error code, and the newest entries of
 * history when they are asked for. Browser.
 */
import type { HistoryEntry, HourCount } from '../../api.js';
import { byId } from './element.js';
import { kindText } from './event-text.js';
import { causeText, count, dateAndTime, timeOfDay } from './format.js';
import { Rows } from './rows.js';

/** An entry with a key that tells it from others of the same moment. */
type KeyedEntry = HistoryEntry & { readonly key: string };

export class Troubles {
  #most = 1;
  readonly #counts = new Rows<HourCount>({
    body: byId('hour-body', HTMLTableSectionElement),
    keyOf: ({ kind, code }) => `${kind} ${code}`,
    columns: [
      { key: 'kind', label: 'What', text: ({ kind }) => kindText(kind) },
      { key: 'code', label: 'Why', text: causeText },
      {
        key: 'number bar',
        label: 'Count',
        text: (row) => count(row.count),
        share: (row) => row.count / this.#most,
      },
    ],
  });
  readonly #entries = new Rows<KeyedEntry>({
    body: byId('history-body', HTMLTableSectionElement),
    keyOf: ({ key }) => key,
    columns: [
      {
        key: 'time',
        label: 'When',
        text: ({ time }) => timeOfDay(Date.parse(time)),
        title: ({ time }) => dateAndTime(time),
      },
      { key: 'kind', label: 'What', text: ({ kind }) => kindText(kind) },
      { key: 'code', label: 'Why', text: causeText },
      { key: 'who', label: 'Who', text: whoOf, title: whoOf },
      { key: 'detail', label: 'Detail', text: ({ detail }) => detail, title: ({ detail }) => detail },
    ],
  });

  updateCounts(counts: readonly HourCount[]): void {
    this.#most = Math.max(1, ...counts.map((one) => one.count));
    this.#counts.show(counts);
    byId('hour-empty', HTMLElement).hidden = counts.length > 0;
  }

  updateEntries(entries: readonly HistoryEntry[]): void {
    const seen = new Map<string, number>();
    // Counted from the oldest on, so that a new entry changes no other's key.
    const keyed = entries.toReversed().map((entry) => {
      const name = `${entry.time} ${entry.kind} ${entry.code} ${whoOf(entry)}`;
      const before = seen.get(name) ?? 0;
      seen.set(name, before + 1);
      return { ...entry, key: `${name} ${before}` };
    });
    this.#entries.show(keyed.toReversed());
  }
}

function whoOf({ peerId, address }: HistoryEntry): string {
  return [peerId, address].filter((part) => part !== null).join(' at ') || '–';
}
