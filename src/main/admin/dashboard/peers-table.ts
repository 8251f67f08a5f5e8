/**
 * Owns the table of connected peers: rates, order, filter. Browser.
 */
import type { PeerInfo } from '../../api.js';
import type { Actions } from './actions.js';
import { byId, make, setTextOf } from './element.js';
import { bytes, count, counted, milliseconds, NOTHING, rate, span } from './format.js';
import { type Filter, filtered, heldOrder, type Order, type PeerRow, type SortKey, sorted } from './peer-order.js';
import { PeerMeter } from './rates.js';
import { type Column, Rows } from './rows.js';

/** While the pointer moves over the rows they keep their order: nobody should click another one than meant. */
const HOLD_MS = 2500;
/** Below it a peer is refused; a little above it is about to be. */
const REPUTATION_FAIL = 20;
const REPUTATION_WARN = 35;

interface PeerColumn extends Column<PeerRow> {
  readonly key: SortKey;
}

const perSecondBytes = (value: number | null) => (value === null ? NOTHING : `${bytes(value)}/s`);

const columns: readonly PeerColumn[] = [
  { key: 'id', label: 'Node ID', text: ({ id }) => id, title: ({ id }) => id },
  { key: 'address', label: 'Address', text: ({ address }) => address, title: ({ address }) => address },
  {
    key: 'direction',
    label: 'Dir.',
    text: ({ direction, persistent }) => `${direction === 'inbound' ? 'in' : 'out'}${persistent ? ' ★' : ''}`,
    title: ({ direction, persistent }) => `${direction}${persistent ? ', persistent' : ''}`,
  },
  {
    key: 'state',
    label: 'State',
    text: ({ state }) => state,
    tone: ({ state }) => (state === 'Connected' ? 'plain' : 'warn'),
  },
  { key: 'rtt', label: 'RTT', text: ({ rttMs }) => milliseconds(rttMs) },
  { key: 'bytesIn', label: 'In', text: ({ bytesIn }) => perSecondBytes(bytesIn) },
  { key: 'bytesOut', label: 'Out', text: ({ bytesOut }) => perSecondBytes(bytesOut) },
  { key: 'messagesIn', label: 'Msg in', text: ({ messagesIn }) => rate(messagesIn) },
  { key: 'messagesOut', label: 'Msg out', text: ({ messagesOut }) => rate(messagesOut) },
  {
    key: 'reputation',
    label: 'Rep.',
    text: ({ reputation }) => reputation.toFixed(0),
    tone: ({ reputation }) => (reputation < REPUTATION_FAIL ? 'fail' : reputation < REPUTATION_WARN ? 'warn' : 'plain'),
  },
  { key: 'age', label: 'Age', text: ({ ageSeconds }) => span(ageSeconds) },
  { key: 'worker', label: 'Wkr', text: ({ worker }) => String(worker), title: ({ worker }) => `worker ${worker}` },
];

const fullNames: Readonly<Partial<Record<SortKey, string>>> = {
  direction: 'direction',
  rtt: 'round-trip time',
  bytesIn: 'bytes received per second',
  bytesOut: 'bytes sent per second',
  messagesIn: 'messages received per second',
  messagesOut: 'messages sent per second',
  reputation: 'reputation, 0 to 100; below 20 a peer is refused',
  worker: 'worker thread',
};

export class PeersTable {
  readonly #meter = new PeerMeter();
  readonly #rows: Rows<PeerRow>;
  readonly #heads = new Map<SortKey, HTMLTableCellElement>();
  readonly #direction = byId('peers-direction', HTMLSelectElement);
  readonly #text = byId('peers-filter', HTMLInputElement);
  #order: Order = { key: 'age', descending: true };
  #peers: readonly PeerRow[] = [];
  #heldUntilMs = 0;

  constructor(actions: Actions) {
    const table = byId('peers-table', HTMLTableElement);
    const body = table.tBodies[0]!;
    this.#rows = new Rows({
      body,
      keyOf: ({ id }) => id,
      columns,
      actions: [
        { label: 'Disconnect', name: ({ id }) => `Disconnect ${id}`, run: (row) => actions.disconnect(row) },
        { label: 'Ban', name: ({ id }) => `Ban ${id}`, run: (row) => actions.ban(row) },
      ],
    });
    this.#makeHeads(table.tHead!.rows[0]!);
    this.#text.addEventListener('input', () => this.#show());
    this.#direction.addEventListener('change', () => this.#show());
    body.addEventListener('pointermove', () => {
      this.#heldUntilMs = performance.now() + HOLD_MS;
    });
  }

  /** As they were shown last. */
  get peers(): readonly PeerInfo[] {
    return this.#peers;
  }

  /** @param nodeNowMs the time of day by the node's clock, which peers' times are of */
  update(peers: readonly PeerInfo[], nodeNowMs: number): void {
    const rates = this.#meter.read(peers, performance.now());
    this.#peers = peers.map((peer) => ({
      ...peer,
      ...rates.get(peer.id)!,
      ageSeconds: (nodeNowMs - Date.parse(peer.connectedAt)) / 1000,
    }));
    this.#show(performance.now() < this.#heldUntilMs);
  }

  #show(isHeld = false): void {
    const filter: Filter = { text: this.#text.value, direction: this.#direction.value as Filter['direction'] };
    const inOrder = sorted(filtered(this.#peers, filter), this.#order);
    const shown = isHeld ? heldOrder(inOrder, this.#rows.keys) : inOrder;
    this.#rows.show(shown);
    const { length: all } = this.#peers;
    setTextOf(
      'peers-count',
      shown.length === all ? counted(all, 'peer') : `${count(shown.length)} of ${counted(all, 'peer')}`,
    );
    const empty = byId('peers-empty', HTMLElement);
    empty.hidden = shown.length > 0;
    empty.textContent = all === 0 ? 'No peers are connected. Dial one, or give the node a seed.' : 'No peer matches.';
  }

  #makeHeads(row: HTMLTableRowElement): void {
    for (const { key, label } of columns) {
      const head = make('th', key);
      head.scope = 'col';
      const button = make('button', 'sort', label);
      button.type = 'button';
      button.title = `Sort by ${fullNames[key] ?? label.toLowerCase()}`;
      button.addEventListener('click', () => this.#sortBy(key));
      head.append(button);
      row.append(head);
      this.#heads.set(key, head);
    }
    const last = make('th', 'actions');
    last.scope = 'col';
    last.append(make('span', 'unseen', 'Actions'));
    row.append(last);
    this.#showOrder();
  }

  /** Again: the other way round. Figures begin with the largest. */
  #sortBy(key: SortKey): void {
    const isText = key === 'id' || key === 'address' || key === 'direction' || key === 'state' || key === 'worker';
    this.#order = { key, descending: this.#order.key === key ? !this.#order.descending : !isText };
    this.#showOrder();
    this.#show();
  }

  #showOrder(): void {
    for (const [key, head] of this.#heads) {
      head.ariaSort = key !== this.#order.key ? 'none' : this.#order.descending ? 'descending' : 'ascending';
    }
  }
}
