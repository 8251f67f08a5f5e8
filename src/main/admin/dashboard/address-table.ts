/**
 * Owns the look at the address book. Browser.
 */
import type { AddressInfo } from '../../api.js';
import type { Actions } from './actions.js';
import { byId, setTextOf } from './element.js';
import { count, counted, dateAndTime } from './format.js';
import { Rows } from './rows.js';

/** A book may hold tens of thousands; what is looked for is found by the filter. */
const SHOWN_MAX = 100;

export class AddressTable {
  readonly #rows: Rows<AddressInfo>;
  readonly #filter = byId('addresses-filter', HTMLInputElement);
  #addresses: readonly AddressInfo[] = [];

  constructor(actions: Actions) {
    this.#rows = new Rows({
      body: byId('addresses-body', HTMLTableSectionElement),
      keyOf,
      columns: [
        { key: 'address', label: 'Address', text: endpointOf, title: endpointOf },
        { key: 'id', label: 'Node ID', text: ({ id }) => id, title: ({ id }) => id },
        {
          key: 'bucket',
          label: 'Bucket',
          text: ({ bucket }) => bucket,
          tone: ({ bucket }) => (bucket === 'tried' ? 'ok' : 'plain'),
        },
        { key: 'source', label: 'Source', text: ({ source }) => source },
        { key: 'date', label: 'Last seen', text: ({ lastSeen }) => dateAndTime(lastSeen) },
        {
          key: 'number',
          label: 'Failed',
          text: ({ attempts }) => count(attempts),
          tone: ({ attempts }) => (attempts > 0 ? 'warn' : 'plain'),
        },
      ],
      actions: [
        {
          label: 'Dial',
          name: (row) => `Dial ${endpointOf(row)}`,
          run: (row) => actions.dial(`${row.id === '' ? '' : `${row.id}@`}${endpointOf(row)}`),
        },
      ],
    });
    this.#filter.addEventListener('input', () => this.#show());
  }

  update(addresses: readonly AddressInfo[]): void {
    this.#addresses = addresses.toSorted((a, b) => (a.lastSeen < b.lastSeen ? 1 : -1));
    this.#show();
  }

  #show(): void {
    const text = this.#filter.value.trim().toLowerCase();
    const matching = this.#addresses.filter((one) =>
      `${one.id}\n${endpointOf(one)}\n${one.source}\n${one.bucket}`.toLowerCase().includes(text),
    );
    const shown = matching.slice(0, SHOWN_MAX);
    this.#rows.show(shown);
    const of = matching.length > shown.length ? `${count(shown.length)} of ` : '';
    setTextOf('addresses-count', `${of}${counted(matching.length, 'address', 'addresses')}`);
  }
}

const keyOf = (row: AddressInfo) => `${row.id}@${endpointOf(row)}`;

function endpointOf({ address, port }: AddressInfo): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
