/**
 * Messages of `pex/peers`. An input: [u8 strict, teller][the payload], taken by a `PeerExchange` with an address book
 * behind it. What the message says is read a second time here, as rulings 7 says it.
 */

import { Hearsay } from '../../../src/main/discovery/hearsay.js';
import { PeerExchange } from '../../../src/main/discovery/peer-exchange.js';
import { decodePex, encodePex } from '../../../src/main/discovery/pex.js';
import type { Connection } from '../../../src/main/net/connection.js';
import { netGroupOf } from '../../../src/main/peers/net-group.js';
import type { Timers } from '../../../src/main/timers.js';
import { canonicalIp, isRoutable } from '../../../src/shared/wire/routability.js';
import { newBook, START_MS } from '../../unit/discovery/book-fixtures.js';
import { ipBits } from '../reference/ip.js';
import { nameOf, textOf } from '../reference/text.js';
import { Choices, must, mustEqual, type Target, text } from '../target.js';

const TELLERS = [
  { ip: '8.8.8.8', direction: 'inbound' },
  { ip: '127.0.0.1', direction: 'outbound' },
  { ip: '2606:4700::1', direction: 'inbound' },
  { ip: '10.0.0.1', direction: 'outbound' },
] as const;
const MAX_BYTES = 128 * 1024;

/** Whoever can be dialled by what an entry says. */
function isUseful(entry: unknown, strict: boolean): boolean {
  if (typeof entry !== 'object' || entry === null) return false;
  const { id, address, port } = entry as Record<string, unknown>;
  if (typeof id !== 'string' || !id.isWellFormed() || nameOf(Buffer.from(id), 32) === null) return false;
  if (typeof address !== 'string' || ipBits(address) === null || (strict && !isRoutable(canonicalIp(address)!)))
    return false;
  return typeof port === 'number' && Number.isInteger(port) && port >= 1 && port <= 65_535;
}

function kindOf(payload: Uint8Array, strict: boolean): { readonly kind: string; readonly useful: readonly unknown[] } {
  if (payload.length > MAX_BYTES) return { kind: 'too-large', useful: [] };
  let message: unknown;
  try {
    message = JSON.parse(textOf(payload)?.replace(/^\uFEFF/, '') ?? '!');
  } catch {
    return { kind: 'invalid', useful: [] };
  }
  if (typeof message !== 'object' || message === null) return { kind: 'invalid', useful: [] };
  const peers: unknown = (message as { peers?: unknown }).peers ?? [];
  if (!Array.isArray(peers)) return { kind: 'invalid', useful: [] };
  if (peers.length > 200) return { kind: 'too-large', useful: [] };
  return { kind: 'peers', useful: peers.filter((entry) => isUseful(entry, strict)) };
}

function run(input: Uint8Array, note: (what: number) => void): void {
  const choices = new Choices(input);
  const mode = choices.byte();
  const payload = choices.rest();
  const strict = (mode & 1) === 1;
  const wanted = kindOf(payload, strict);
  const found = decodePex(payload, strict);
  mustEqual('kind', found.kind, wanted.kind);
  if (found.kind === 'peers') {
    const told = wanted.useful as readonly { id: string; address: string; port: number }[];
    mustEqual(
      'IDs and ports',
      found.addresses.map(({ id, port }) => ({ id, port })),
      told.map(({ id, port }) => ({ id, port })),
    );
    mustEqual(
      'addresses',
      found.addresses.map(({ ip }) => ipBits(ip)),
      told.map(({ address }) => ipBits(address)),
    );
  }
  const faults = receive(payload, strict, TELLERS[(mode >> 1) & 3]);
  const isFault = wanted.kind === 'peers' ? [] : [wanted.kind === 'invalid' ? 'pexInvalid' : 'pexTooLarge'];
  mustEqual('faults', faults, isFault);
  note(Math.min(wanted.useful.length, 3));
  if (found.kind === 'peers') note(10 + Math.min(3, found.skipped) * 2 + (found.sentMs === null ? 0 : 1));
}

/** @returns what is held against the teller */
function receive(payload: Uint8Array, strict: boolean, teller: (typeof TELLERS)[number]): string[] {
  const book = newBook({ strict });
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
  const { learned } = exchange.counts;
  mustEqual('learned', book.counts().known, learned);
  for (const { lastSeenMs, id } of book.list()) {
    must(Number.isInteger(lastSeenMs) && lastSeenMs >= 0 && lastSeenMs <= START_MS, () => `seen at ${lastSeenMs}`);
    must(id !== 'us' && id !== 'banned', () => `${id} is in the book`);
  }
  // What was learned can be told on, and the doctor can ask what was heard.
  const { aheadMs } = hearsay.clocks(START_MS, 1000);
  must(aheadMs.every(Number.isFinite), () => `clocks ahead by ${aheadMs.join()}`);
  hearsay.addresses(1000);
  sent += encodePex(book.list(), START_MS).length;
  must(sent > 0, () => 'nothing was told');
  return faults;
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
