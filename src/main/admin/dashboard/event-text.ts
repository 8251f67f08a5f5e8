/**
 * Owns how an event of the node reads in the log, and how kinds of history are called. Pure; browser. What peers chose
 * (IDs, reasons) is data: it goes into the page as text only.
 */
import type { BanInfo, HistoryKind, PeerEnd, PeerInfo, WorkerRestart } from '../../api.js';
import { causeText, counted, dateAndTime } from './format.js';

export type Tone = 'plain' | 'ok' | 'warn' | 'fail';

/** The events that the log tells, with their data as `GET /events` sends it. */
export interface LoggedEvents {
  'peer:connected': PeerInfo;
  'peer:disconnected': PeerEnd;
  'peer:rejected': PeerEnd;
  'peer:banned': BanInfo;
  'worker:restarted': WorkerRestart;
  /** Events that were left out, because there were too many or we were too slow. */
  missed: { readonly events: number };
}

export type LoggedEvent = {
  [K in keyof LoggedEvents]: { readonly name: K; readonly data: LoggedEvents[K] };
}[keyof LoggedEvents];

export const loggedEvents: readonly (keyof LoggedEvents)[] = [
  'peer:connected',
  'peer:disconnected',
  'peer:rejected',
  'peer:banned',
  'worker:restarted',
  'missed',
];

export interface LogLine {
  readonly what: string;
  readonly text: string;
  readonly tone: Tone;
}

export function logLine(event: LoggedEvent): LogLine {
  switch (event.name) {
    case 'peer:connected':
      return { what: 'connected', text: `${event.data.id} ${from(event.data)}`, tone: 'ok' };
    case 'peer:disconnected':
      return { what: 'disconnected', text: endText(event.data), tone: 'plain' };
    case 'peer:rejected':
      return { what: 'refused', text: endText(event.data), tone: 'warn' };
    case 'peer:banned':
      return { what: 'banned', text: banText(event.data), tone: 'fail' };
    case 'worker:restarted':
      return { what: 'worker', text: `worker ${event.data.worker} was replaced: ${event.data.reason}`, tone: 'fail' };
    case 'missed':
      return { what: 'left out', text: counted(event.data.events, 'event'), tone: 'warn' };
  }
}

function from({ address, direction }: Pick<PeerInfo, 'address' | 'direction'>): string {
  return direction === 'inbound' ? `from ${address}` : `at ${address}`;
}

function endText(end: PeerEnd): string {
  return `${end.id ?? 'nobody yet'} ${from(end)}: ${reasonText(end)}`;
}

/** `PeerLimitReached (0x06), inbound limit reached`. */
function reasonText(end: Pick<PeerEnd, 'name' | 'code' | 'reason'>): string {
  return `${causeText(end)}${end.reason === '' ? '' : `, ${end.reason}`}`;
}

function banText(ban: BanInfo): string {
  const until = ban.until === null ? 'for good' : `until ${dateAndTime(ban.until)}`;
  return `${ban.target} ${until}: ${reasonText(ban)}`;
}

const kindNames: Readonly<Record<HistoryKind, string>> = {
  rejected: 'refused',
  disconnected: 'disconnected',
  'dial-failed': 'dial failed',
  banned: 'banned',
  unbanned: 'unbanned',
  dropped: 'frame dropped',
  'crawl-failed': 'crawl failed',
  penalised: 'penalised',
};

/** A kind of history in words; one that this page does not know as the node calls it. */
export function kindText(kind: HistoryKind): string {
  return kindNames[kind] ?? kind;
}
