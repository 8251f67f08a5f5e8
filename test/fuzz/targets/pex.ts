/**
 * Messages of `pex/peers`. An input: [u8 strict, teller][the payload], taken by a `PeerExchange` with an address book
 * behind it. What the message says is read a second time here, as rulings 7 says it, and `reference/book.ts` tells what
 * of it must be learned.
 */
import type { AddressRecord } from '../../../src/main/discovery/address-book.js';
import { Hearsay } from '../../../src/main/discovery/hearsay.js';
import { PeerExchange } from '../../../src/main/discovery/peer-exchange.js';
import { decodePex, encodePex } from '../../../src/main/discovery/pex.js';
import type { Connection } from '../../../src/main/net/connection.js';
import { netGroupOf } from '../../../src/main/peers/net-group.js';
import type { Timers } from '../../../src/main/timers.js';
import { newBook, START_MS } from '../../unit/discovery/book-fixtures.js';
import { learn, type Told } from '../reference/book.js';
import { ipBits } from '../reference/ip.js';
import { isRoutableBits } from '../reference/routable.js';
import { nameOf, textOf } from '../reference/text.js';
import { Choices, must, mustEqual, type Target, text } from '../target.js';

const SECRET = Buffer.alloc(32, 7);
/** `group` is whose share of the book a teller fills. Whoever comes from a local address to a strict node came by proxy. */
const TELLERS = [
  { ip: '8.8.8.8', direction: 'inbound', group: () => '8.8.0.0/16' },
  { ip: '127.0.0.1', direction: 'outbound', group: (strict: boolean) => (strict ? '127.0.0.1' : '127.0.0.1:5') },
  { ip: '2606:4700::1', direction: 'inbound', group: () => '2606:4700::/32' },
  { ip: '10.0.0.1', direction: 'outbound', group: (strict: boolean) => (strict ? '10.0.0.1' : '10.0.0.1:5') },
] as const;
type Teller = (typeof TELLERS)[number];
const MAX_BYTES = 128 * 1024;

interface Entry {
  readonly id: string;
  readonly address: string;
  readonly port: number;
  readonly last_seen?: unknown;
}

/** Whoever can be dialled by what an entry says. */
function isUseful(entry: unknown, strict: boolean): entry is Entry {
  if (typeof entry !== 'object' || entry === null) return false;
  const { id, address, port } = entry as Record<string, unknown>;
  if (typeof id !== 'string' || !id.isWellFormed() || nameOf(Buffer.from(id), 32) === null) return false;
  const bits = typeof address === 'string' ? ipBits(address) : null;
  if (bits === null || (strict && !isRoutableBits(bits))) return false;
  return typeof port === 'number' && Number.isInteger(port) && port >= 1 && port <= 65_535;
}

/** A time as JSON has it; null for what is none. */
function timeMs(text: unknown): number | null {
  const ms = typeof text === 'string' ? new Date(text).getTime() : Number.NaN;
  return Number.isNaN(ms) ? null : ms;
}

interface Reading {
  readonly kind: string;
  readonly useful: readonly Entry[];
  readonly skipped: number;
  readonly sentMs: number | null;
}

function read(payload: Uint8Array, strict: boolean): Reading {
  const nothing = { useful: [], skipped: 0, sentMs: null };
  if (payload.length > MAX_BYTES) return { kind: 'too-large', ...nothing };
  let message: unknown;
  try {
    message = JSON.parse(textOf(payload)?.replace(/^\uFEFF/, '') ?? '!');
  } catch {
    return { kind: 'invalid', ...nothing };
  }
  if (typeof message !== 'object' || message === null) return { kind: 'invalid', ...nothing };
  const { peers: list, timestamp } = message as { readonly peers?: unknown; readonly timestamp?: unknown };
  const peers: unknown = list ?? [];
  if (!Array.isArray(peers)) return { kind: 'invalid', ...nothing };
  if (peers.length > 200) return { kind: 'too-large', ...nothing };
  const useful = peers.filter((entry) => isUseful(entry, strict));
  return { kind: 'peers', useful, skipped: peers.length - useful.length, sentMs: timeMs(timestamp) };
}

function run(input: Uint8Array, note: (what: number) => void): void {
  const choices = new Choices(input);
  const mode = choices.byte();
  const payload = choices.rest();
  const strict = (mode & 1) === 1;
  const wanted = read(payload, strict);
  const found = decodePex(payload, strict);
  mustEqual('kind', found.kind, wanted.kind);
  if (found.kind === 'peers') {
    const told = found.addresses.map(({ ip, ...rest }) => ({ ...rest, bits: ipBits(ip) }));
    const said = wanted.useful.map(({ id, address, port, last_seen }) => {
      return { id, port, lastSeenMs: Math.max(0, timeMs(last_seen) ?? 0), bits: ipBits(address) };
    });
    mustEqual('addresses', told, said);
    mustEqual('skipped', found.skipped, wanted.skipped);
    mustEqual('sent', found.sentMs, wanted.sentMs);
  }
  const teller = TELLERS[(mode >> 1) & 3];
  const faults = receive(payload, strict, teller, found.kind === 'peers' ? found.addresses : []);
  const isFault = wanted.kind === 'peers' ? [] : [wanted.kind === 'invalid' ? 'pexInvalid' : 'pexTooLarge'];
  mustEqual('faults', faults, isFault);
  note(Math.min(wanted.useful.length, 3));
  if (found.kind === 'peers') note(10 + Math.min(3, found.skipped) * 2 + (found.sentMs === null ? 0 : 1));
}

/** @returns what is held against the teller */
function receive(payload: Uint8Array, strict: boolean, teller: Teller, told: readonly Told[]): string[] {
  const book = newBook({ strict, secret: SECRET });
  const hearsay = new Hearsay();
  const faults: string[] = [];
  let sent = 0;
  const later: (() => void)[] = [];
  const never = () => {
    throw new Error('an exchange has no timers of its own');
  };
  const timers: Timers = { soon: (run) => void later.push(run), after: never, every: never };
  const clock = { nowMs: () => 1000, wallMs: () => START_MS };
  const exchange = new PeerExchange({
    nodeId: 'us',
    settings: { strictAddresses: strict, pexIntervalMs: 30_000, seedMode: false },
    book,
    clock,
    timers,
    own: () => ({ listen: { host: '127.0.0.1', port: 1 }, external: null, all: [] }),
    isWanted: ({ id }) => id !== 'banned',
    fault: (event) => void faults.push(event),
    send: (_, bytes) => {
      sent += bytes.length;
      return true;
    },
    hearsay,
    served: () => undefined,
  });
  const { ip, direction } = teller;
  const connection = {
    ip,
    port: 5,
    direction,
    peerId: 'peer',
    netGroup: netGroupOf(ip, 5),
    exempt: false,
  } as Connection;
  exchange.connected(connection);
  exchange.receive(connection, payload);
  // 200 addresses at most, 50 in a turn.
  for (let turns = 0; later.length > 0; turns++) {
    must(turns < 5, () => 'the exchange never rests');
    later.shift()!();
  }
  const wanted = told.filter(({ id }) => id !== 'us' && id !== 'banned');
  const right = learn(wanted, { ip, group: teller.group(strict) }, SECRET, START_MS);
  mustEqual('learned', exchange.counts.learned, right.learned);
  mustEqual('in the book', book.list().map(asTold), right.book);
  // What was learned can be told on, and the doctor can ask what was heard.
  const { aheadMs } = hearsay.clocks(START_MS, 1000);
  must(aheadMs.every(Number.isFinite), () => `clocks ahead by ${aheadMs.join()}`);
  hearsay.addresses(1000);
  sent += encodePex(book.list(), START_MS).length;
  must(sent > 0, () => 'nothing was told');
  return faults;
}

function asTold({ id, ip, port, lastSeenMs }: AddressRecord): Told {
  return { id, ip, port, lastSeenMs };
}

function peers(...entries: readonly unknown[]): string {
  return JSON.stringify({ timestamp: '2026-01-01T00:00:00.000Z', peers: entries });
}
const entry = { id: 'a', address: '8.8.4.4', port: 26656, source: 3, last_seen: '2026-01-01T00:00:00Z' };

export const pex: Target = {
  name: 'pex',
  sources: [
    'src/main/discovery/pex',
    'src/main/discovery/peer-exchange',
    'src/main/discovery/hearsay',
    'src/main/discovery/address-book',
    'src/main/discovery/address-record',
  ],
  maxBytes: 8192,
  dictionary: text(
    ...[
      '"peers":',
      '"timestamp":',
      '"last_seen":',
      '"id":',
      '"address":',
      '"port":',
      'null',
      '[]',
      '{}',
      '"us"',
      '"banned"',
    ],
    ...[
      '"+275760-09-13T00:00:00.000Z"',
      '"-271821-04-20T00:00:00.000Z"',
      '"0000-00-00"',
      '1e400',
      '-0',
      '65535',
      '1.5',
    ],
    ...['"\\ud800"', '"\\u0000"', '"__proto__":', '"::ffff:8.8.8.8"', '"10.0.0.1"', JSON.stringify(entry), '\uFEFF'],
  ),
  beginnings: [
    ...text(
      `0${peers(entry)}`,
      `1${peers(entry, { ...entry, id: 'us' }, { ...entry, address: '10.0.0.1' }, { ...entry, port: 0 })}`,
      `2${JSON.stringify({ timestamp: 'never', peers: null })}`,
      `3${peers({ ...entry, last_seen: '+275760-09-13T00:00:00.000Z', address: '2606:4700:0::1' })}`,
      `4${JSON.stringify({ peers: Array(201).fill({}) })}`,
      '5[1',
      '6null',
    ),
  ],
  run,
};
