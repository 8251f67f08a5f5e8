/**
 * The dashboard's beginning: makes its parts, gives them what the node tells, and asks for the rest. Browser.
 */
import type { NodeStatus } from '../../api.js';
import { Actions } from './actions.js';
import { AddressTable } from './address-table.js';
import { BansTable } from './bans-table.js';
import { Chart, type Series } from './charts.js';
import { DoctorPanel } from './doctor-panel.js';
import { byId } from './element.js';
import { EventLog } from './event-log.js';
import { type Connection, NodeEventSource, type Sample } from './event-source.js';
import { bytes, milliseconds, NOTHING, rate } from './format.js';
import { nodeClient } from './node-client.js';
import { PeersTable } from './peers-table.js';
import { Poll } from './poll.js';
import { NodeMeter, type NodeRates } from './rates.js';
import { Staleness } from './staleness.js';
import { showConnection, showSummary } from './summary.js';
import { showThemeButton } from './theme.js';
import { Troubles } from './troubles.js';
import { WorkersTable } from './workers-table.js';

const PEERS_EVERY_MS = 2000;
const LISTS_EVERY_MS = 10_000;
const DOCTOR_EVERY_MS = 30_000;
const HISTORY_SHOWN = 100;
const MiB = 1024 * 1024;

const perSecond = (value: number | null) => (value === null ? NOTHING : `${rate(value)}/s`);
const bytesPerSecond = (value: number | null) => (value === null ? NOTHING : `${bytes(value)}/s`);

function inAndOut(text: Series['text']): Series[] {
  return [
    { label: 'in', color: '--in', text },
    { label: 'out', color: '--out', text },
  ];
}

const charts = {
  messages: new Chart({
    id: 'messages-chart',
    topMin: 10,
    axisText: rate,
    series: inAndOut(perSecond),
  }),
  bytes: new Chart({
    id: 'bytes-chart',
    topMin: 1024,
    binary: true,
    axisText: bytes,
    series: inAndOut(bytesPerSecond),
  }),
  lag: new Chart({
    id: 'lag-chart',
    topMin: 10,
    axisText: milliseconds,
    series: [
      { label: 'main thread', color: '--in', text: milliseconds },
      { label: 'slowest worker', color: '--out', text: milliseconds },
    ],
  }),
  memory: new Chart({
    id: 'memory-chart',
    topMin: 16 * MiB,
    binary: true,
    axisText: bytes,
    series: [
      { label: 'used', color: '--in', text: bytes },
      { label: 'RSS', color: '--out', text: bytes },
      { label: 'budget', color: '--muted', text: bytes, dashed: true },
    ],
  }),
};

const workers = new WorkersTable();
const troubles = new Troubles();
const log = new EventLog();
const doctor = new DoctorPanel();
const meter = new NodeMeter();
const actions = new Actions({ peers: () => peersTable.peers, done: () => askForLists() });
const peersTable = new PeersTable(actions);
const bansTable = new BansTable(actions);
const addressTable = new AddressTable(actions);

/** By how much the node's clock is ahead of the browser's. */
let clockAheadMs = 0;

const source = new NodeEventSource({
  sample: showSample,
  happened: (event, timeMs) => {
    log.add(event, timeMs);
    if (event.name === 'peer:banned') bansPoll.now();
  },
  connection: showNewConnection,
});

function showSample(sample: Sample): void {
  clockAheadMs = Date.parse(sample.time) - Date.now();
  const rates = meter.read(sample);
  showSummary(sample, rates);
  workers.update(sample.workers, rates?.workers ?? []);
  troubles.updateCounts(sample.lastHour);
  drawCharts(sample, rates);
}

function drawCharts(sample: NodeStatus & { readonly time: string }, rates: NodeRates | null): void {
  const seconds = Date.parse(sample.time) / 1000;
  charts.messages.push(seconds, [rates?.messagesIn ?? null, rates?.messagesOut ?? null]);
  charts.bytes.push(seconds, [rates?.bytesIn ?? null, rates?.bytesOut ?? null]);
  charts.lag.push(seconds, [sample.eventLoopLagMs, Math.max(0, ...sample.workers.map(({ lagMs }) => lagMs))]);
  charts.memory.push(seconds, [sample.memory.used, sample.memory.rss, sample.memory.budget]);
}

let lastConnection: Connection['kind'] = 'connecting';

function showNewConnection(now: Connection): void {
  showConnection(now);
  if (now.kind !== lastConnection) {
    if (now.kind === 'lost') log.note('lost the connection to the node', 'fail');
    if (now.kind === 'live') log.note('connected to the node', 'ok');
  }
  lastConnection = now.kind;
  if (now.kind === 'live') askForAll();
}

const isWatched = () => source.isLive && !document.hidden;
const isOpen = (id: string) => isWatched() && byId(id, HTMLDetailsElement).open;

/** Asks for the rows of a card again and again; the card says so when they are old. */
function rowsOf(card: string, everyMs: number, isWanted: () => boolean, ask: () => Promise<void>): Poll {
  const staleness = new Staleness(byId(card, HTMLElement));
  const asked = async () => {
    await ask();
    staleness.fresh();
  };
  return new Poll({ everyMs, isWanted, ask: asked, failed: (error) => staleness.failed(error) });
}

const peersPoll = rowsOf('peers-card', PEERS_EVERY_MS, isWatched, async () =>
  peersTable.update(await nodeClient.peers(), Date.now() + clockAheadMs),
);
const bansPoll = rowsOf('bans-card', LISTS_EVERY_MS, isWatched, async () => bansTable.update(await nodeClient.bans()));
const addressesPoll = rowsOf(
  'addresses-details',
  LISTS_EVERY_MS,
  () => isOpen('addresses-details'),
  async () => addressTable.update(await nodeClient.addresses()),
);
const historyPoll = rowsOf(
  'history-details',
  LISTS_EVERY_MS,
  () => isOpen('history-details'),
  async () => troubles.updateEntries(await nodeClient.history(HISTORY_SHOWN)),
);
const doctorPoll = new Poll({
  everyMs: DOCTOR_EVERY_MS,
  isWanted: () => isWatched() && !doctor.isMissing,
  ask: async () => doctor.show(await nodeClient.doctor()),
  failed: (error) => doctor.failed(error),
});

function askForLists(): void {
  for (const poll of [peersPoll, bansPoll, addressesPoll, historyPoll]) poll.now();
}

function askForAll(): void {
  askForLists();
  askDoctor();
}

function askDoctor(): void {
  doctor.isMissing = false;
  doctorPoll.now();
}

document.addEventListener('visibilitychange', () => document.hidden || askForAll());
byId('addresses-details', HTMLDetailsElement).addEventListener('toggle', () => addressesPoll.now());
byId('history-details', HTMLDetailsElement).addEventListener('toggle', () => historyPoll.now());
byId('doctor-again', HTMLButtonElement).addEventListener('click', askDoctor);
byId('dial', HTMLButtonElement).addEventListener('click', () => actions.dial());
byId('ban', HTMLButtonElement).addEventListener('click', () => actions.ban());
// Not every browser lets the keyboard scroll what has nothing in it to focus.
for (const scroller of document.querySelectorAll<HTMLElement>('.scroll')) scroller.tabIndex = 0;
showThemeButton(byId('theme', HTMLButtonElement));
source.start();
