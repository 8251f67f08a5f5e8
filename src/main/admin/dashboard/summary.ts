/**
 * Owns the head of the page: which node this is, the figures that matter most, and whether there is a connection.
 * Browser.
 */
import { byId, mark, setText, setTextOf } from './element.js';
import type { Connection, Sample } from './event-source.js';
import type { Tone } from './event-text.js';
import { bytes, count, counted, milliseconds, rate, span, timeOfDay } from './format.js';
import type { NodeRates } from './rates.js';

/** A main thread that answers so late is noticed by peers. */
const LAG_WARN_MS = 50;
const LAG_FAIL_MS = 500;
const MEMORY_WARN_SHARE = 0.75;
const MEMORY_FAIL_SHARE = 0.95;

function tone(value: number, warn: number, fail: number): Tone {
  return value >= fail ? 'fail' : value >= warn ? 'warn' : 'plain';
}

/** The version that the page's code came from: the first that was seen. */
let ownVersion: string | null = null;

export function showSummary(sample: Sample, rates: NodeRates | null): void {
  showIdentity(sample);
  const { peers, messages, bytes: size, memory, discovery, connections } = sample;
  setTextOf('peers-now', count(peers.total));
  setTextOf('peers-note', `${count(peers.inbound)} in, ${count(peers.outbound)} out`);
  setTextOf('received-total', `${rate(messages.received)}, ${bytes(size.received)}`);
  setTextOf('sent-total', `${rate(messages.sent)}, ${bytes(size.sent)}`);
  setTextOf('dropped-now', count(messages.dropped));
  setTextOf('dropped-note', `${count(messages.sendsSkipped)} sends skipped`);
  setTextOf('refused-now', count(connections.rejectedInbound));
  setTextOf('refused-note', `${counted(discovery.bans, 'ban')} in force`);
  if (rates !== null) {
    setTextOf('received-now', `${rate(rates.messagesIn)}/s`);
    setTextOf('sent-now', `${rate(rates.messagesOut)}/s`);
  }
  setTextOf('loop-now', milliseconds(sample.eventLoopLagMs));
  mark(byId('loop-tile', HTMLElement), 'tone', tone(sample.eventLoopLagMs, LAG_WARN_MS, LAG_FAIL_MS));
  const workerLagMs = Math.max(0, ...sample.workers.map(({ lagMs }) => lagMs));
  setTextOf('loop-note', `workers ${milliseconds(workerLagMs)}`);
  const share = memory.budget === 0 ? 0 : memory.used / memory.budget;
  setTextOf('memory-now', bytes(memory.used));
  setTextOf('memory-note', `of ${bytes(memory.budget)}`);
  byId('memory-tile', HTMLElement).title = memoryParts(memory.by);
  mark(byId('memory-tile', HTMLElement), 'tone', tone(share, MEMORY_WARN_SHARE, MEMORY_FAIL_SHARE));
  byId('memory-meter', HTMLMeterElement).value = share;
  setTextOf('known-now', count(discovery.known));
  setTextOf('known-note', `${count(discovery.tried)} tried`);
}

/** What the budget is in use for, the most first. */
function memoryParts({ rings, partialFrames, sendQueues, handlerQueues, caches }: Sample['memory']['by']): string {
  const parts = [
    ['rings', rings],
    ['partial frames', partialFrames],
    ['send queues', sendQueues],
    ['handler queues', handlerQueues],
    ['caches', caches],
  ] as const;
  const most = [...parts].sort(([, a], [, b]) => b - a);
  return most.map(([name, size]) => `${name} ${bytes(size)}`).join(', ');
}

function showIdentity(sample: Sample): void {
  setTextOf('node-id', sample.nodeId);
  setTextOf('chain-id', sample.chainId);
  setTextOf('listen', sample.listen);
  setTextOf('version', sample.version);
  setTextOf('uptime', span(sample.uptimeSeconds));
  document.title = `${sample.nodeId.slice(0, 8)} · ${sample.chainId} · paw-p2p`;
  ownVersion ??= sample.version;
  showBanner('renewed', sample.version === ownVersion ? '' : `The node now runs ${sample.version}: reload this page.`);
  const { draining } = sample;
  const left = (): string => {
    const { until, connections, queuedMessages, queuedBytes } = draining!;
    const rest = `${counted(connections, 'connection')}, ${counted(queuedMessages, 'message')}, ${bytes(queuedBytes)}`;
    return `The node drains, until ${timeOfDay(Date.parse(until))} at the latest. Left: ${rest}.`;
  };
  showBanner('draining', draining === null ? '' : left());
}

function showBanner(id: string, text: string): void {
  const banner = byId(id, HTMLElement);
  setText(banner, text);
  banner.hidden = text === '';
}

const connectionNames = { connecting: 'connecting…', live: 'live', lost: 'no connection' } as const;

/** Says plainly when figures are old. */
export function showConnection(now: Connection): void {
  const state = byId('connection', HTMLElement);
  mark(state, 'state', now.kind);
  setText(state, connectionNames[now.kind]);
  mark(document.body, 'connection', now.kind);
  const since = now.kind === 'lost' ? timeOfDay(now.sinceMs) : '';
  showBanner(
    'lost',
    now.kind === 'lost' ? `No connection since ${since}. ${now.why} What you see is from then; trying again.` : '',
  );
}
