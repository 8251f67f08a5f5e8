/**
 * Answers to a crawl. An input: [u8 strict, own][u8 length of pieces][the answer]. A reader of its own, written as
 * rulings 3 says it, tells what must be found; the collector must know exactly when no more bytes are needed.
 */
import {
  decodePeerList,
  encodePeerList,
  PeerListCollector,
  type PeerListEntry,
} from '../../../src/shared/wire/peer-list.js';
import { ipBits } from '../reference/ip.js';
import { isRoutableBits } from '../reference/routable.js';
import { nameOf, textOf } from '../reference/text.js';
import { Choices, hex, must, mustEqual, type Target, text } from '../target.js';

const OWN = [
  { id: 'me', addresses: [] },
  { id: 'a', addresses: [{ ip: '1.2.3.4', port: 1 }] },
] as const;

/** After so many the rest comes at once: what was read is read anew for each. */
const MAX_PIECES = 24;

interface Raw {
  readonly id: string | null;
  readonly ip: string | null;
  readonly port: number;
}

/** Entries as they stand, and what ended the reading. */
function rawEntries(input: Uint8Array): { readonly entries: readonly Raw[]; readonly error: string | null } {
  const bytes = Buffer.from(input);
  const entries: Raw[] = [];
  if (bytes.length < 2) return { entries, error: 'truncated' };
  const count = bytes.readUInt16BE(0);
  if (count > 1000) return { entries, error: 'count' };
  let rest = bytes.subarray(2);
  while (entries.length < count) {
    if (rest.length < 1) return { entries, error: 'truncated' };
    const idBytes = rest[0];
    if (idBytes > 128) return { entries, error: 'idLen' };
    if (rest.length < 1 + idBytes + 3) return { entries, error: 'truncated' };
    const ipBytes = rest[1 + idBytes + 2];
    if (ipBytes > 64) return { entries, error: 'ipLen' };
    const size = 1 + idBytes + 3 + ipBytes;
    if (rest.length < size) return { entries, error: 'truncated' };
    const ip = textOf(rest.subarray(size - ipBytes, size));
    entries.push({ id: nameOf(rest.subarray(1, 1 + idBytes), 128), ip, port: rest.readUInt16BE(1 + idBytes) });
    rest = rest.subarray(size);
  }
  return { entries, error: null };
}

function isUseful({ id, ip, port }: Raw, strict: boolean): boolean {
  const bits = ip === null ? null : ipBits(ip);
  if (id === null || bits === null || port === 0) return false;
  return !strict || isRoutableBits(bits);
}

function run(input: Uint8Array, note: (what: number) => void): void {
  const choices = new Choices(input);
  const mode = choices.byte();
  const pieceBytes = 1 + choices.byte();
  const bytes = choices.rest();
  const strict = (mode & 1) === 1;
  const own = OWN[(mode >> 1) & 1];
  const raw = rawEntries(bytes);
  const found = decodePeerList({ bytes, strict, own });
  const useful = raw.entries.filter((entry) => isUseful(entry, strict));
  const isOwn = ({ id, ip, port }: Raw): boolean =>
    id === own.id || own.addresses.some((one) => one.port === port && ipBits(one.ip) === ipBits(ip!));
  const told = useful.filter((entry) => !isOwn(entry));
  mustEqual('error', found.error, raw.error);
  mustEqual('IDs and ports', found.entries.map(idAndPort), told.map(idAndPort));
  mustEqual(
    'addresses',
    found.entries.map(({ ip }) => ipBits(ip)),
    told.map(({ ip }) => ipBits(ip!)),
  );
  mustEqual('skipped', found.skipped, raw.entries.length - told.length);
  mustEqual('told of ourselves', found.own.length, Math.min(4, useful.filter(({ id }) => id === own.id).length));
  if (found.entries.length > 0) {
    const again = decodePeerList({ bytes: encodePeerList(found.entries), strict, own });
    mustEqual('what is told on', again, { entries: found.entries, skipped: 0, own: [], error: null });
  }
  collect(bytes, pieceBytes);
  note(
    ['count', 'idLen', 'ipLen', 'truncated'].indexOf(raw.error ?? '') * 16 +
      Math.min(3, told.length) * 4 +
      Math.min(3, found.skipped),
  );
}

function idAndPort({ id, port }: Raw | PeerListEntry) {
  return { id, port };
}

/** It is whole, or wrong for good, as soon as reading finds anything but that bytes are missing. */
function collect(bytes: Uint8Array, pieceBytes: number): void {
  const collector = new PeerListCollector();
  let at = 0;
  for (let pieces = 0; at < bytes.length; pieces++) {
    const piece = bytes.subarray(at, pieces === MAX_PIECES ? bytes.length : at + pieceBytes);
    at += piece.length;
    const isDecided = collector.add(piece);
    mustEqual(`decided after ${at} bytes`, isDecided, rawEntries(bytes.subarray(0, at)).error !== 'truncated');
    must(Buffer.compare(collector.bytes, bytes.subarray(0, at)) === 0, () => 'the collector keeps other bytes');
    if (isDecided) break;
  }
}

const entry = '0161 0001 07 312e322e332e34';

export const peerList: Target = {
  name: 'peer-list',
  sources: ['src/shared/wire/peer-list', 'src/shared/wire/routability', 'src/shared/wire/message-type'],
  maxBytes: 600,
  dictionary: [
    ...text(
      'me',
      '1.2.3.4',
      '::ffff:1.2.3.4',
      '2606:4700::1',
      '10.0.0.1',
      '::1',
      'fe80::1%eth0',
      '8.8.8.8',
      '1:2:3:4:5:6:7::',
    ),
    ...hex(entry, '026d650002 07 382e382e382e38', '03e8', '03e9', '80', '81', '40', '41', '00', 'c280', 'ff'),
  ],
  beginnings: hex(
    '00 ff 0000',
    `00 03 0002 ${entry} ${entry}`,
    `01 ff 0003 ${entry} 026d65 0002 07 382e382e382e38 00 0001 01 31`,
    `02 00 0002 ${entry} 0162 0001 0e 3a3a666666663a312e322e332e34`,
    `03 10 0001 0163 2328 0c 323630363a343730303a3a31`,
    '00 ff 03e9',
    `00 ff 0001 81`,
    `00 ff 0001 0161 0001 41`,
  ),
  run,
};
