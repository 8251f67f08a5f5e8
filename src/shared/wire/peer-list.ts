/**
 * The answer to a crawl (specification 2.1, rulings 3): [u16 count], then for each peer [u8 length][id][u16 port]
 * [u8 length][ip as text], big-endian. Pure; main thread.
 */
import { MAX_PEER_LIST_ENTRIES, MAX_PEER_LIST_ID_BYTES, MAX_PEER_LIST_IP_BYTES } from '../limits.js';
import { readUint16BE } from './frame.js';
import { isValidTypeBytes } from './message-type.js';
import { canonicalIp, isRoutable } from './routability.js';

const COUNT_BYTES = 2;
const PORT_BYTES = 2;
const PORT_MAX = 0xffff;
const OWN_ENTRIES = 4;

/** The longest answer there is; whoever reads one need keep no more. */
export const MAX_PEER_LIST_BYTES =
  COUNT_BYTES + MAX_PEER_LIST_ENTRIES * (1 + MAX_PEER_LIST_ID_BYTES + PORT_BYTES + 1 + MAX_PEER_LIST_IP_BYTES);

export interface PeerListEntry {
  readonly id: string;
  /** Canonical text of an IPv4 or IPv6 address. */
  readonly ip: string;
  readonly port: number;
}

/** What ended a crawl early: a number over its limit, or fewer bytes than promised. */
export type PeerListFault = 'count' | 'idLen' | 'ipLen' | 'truncated';

export interface DecodedPeerList {
  /** The usable entries in order; with an error, those before it. */
  readonly entries: readonly PeerListEntry[];
  /** Well-formed entries that were useless: no ID, port 0, not an IP, not routable in strict mode, our own. */
  readonly skipped: number;
  /** The first few entries with our own ID, which count as skipped: where others think that we are. */
  readonly own: readonly PeerListEntry[];
  readonly error: PeerListFault | null;
}

/** By what we know ourselves in a list: our ID, and where we can be reached (canonical IPs). */
export interface OwnAddress {
  readonly id: string;
  readonly addresses: readonly { readonly ip: string; readonly port: number }[];
}

export interface PeerListInput {
  /** All that the seed sent until it closed. */
  readonly bytes: Uint8Array;
  /** Whether addresses that the internet doesn't route are useless. */
  readonly strict: boolean;
  readonly own: OwnAddress;
}

/** Reads an answer. Bytes after the last entry are ignored. Never throws: what came before a fault is kept. */
export function decodePeerList({ bytes, strict, own }: PeerListInput): DecodedPeerList {
  const entries: PeerListEntry[] = [];
  const ours: PeerListEntry[] = [];
  let skipped = 0;
  const until = (error: PeerListFault | null): DecodedPeerList => ({ entries, skipped, own: ours, error });
  if (bytes.length < COUNT_BYTES) return until('truncated');
  const count = readUint16BE(bytes, 0);
  if (count > MAX_PEER_LIST_ENTRIES) return until('count');
  let at = COUNT_BYTES;
  for (let i = 0; i < count; i++) {
    if (at >= bytes.length) return until('truncated');
    const idBytes = bytes[at];
    if (idBytes > MAX_PEER_LIST_ID_BYTES) return until('idLen');
    const idAt = at + 1;
    const portAt = idAt + idBytes;
    const ipAt = portAt + PORT_BYTES + 1;
    if (ipAt > bytes.length) return until('truncated');
    const ipBytes = bytes[ipAt - 1];
    if (ipBytes > MAX_PEER_LIST_IP_BYTES) return until('ipLen');
    at = ipAt + ipBytes;
    if (at > bytes.length) return until('truncated');
    const entry = usableEntry(
      readText(bytes, idAt, idBytes),
      readText(bytes, ipAt, ipBytes),
      readUint16BE(bytes, portAt),
    );
    const isUseless = entry === null || (strict && !isRoutable(entry.ip));
    if (isUseless || isOwn(entry, own)) skipped++;
    else entries.push(entry);
    if (!isUseless && entry.id === own.id && ours.length < OWN_ENTRIES) ours.push(entry);
  }
  return until(null);
}

/**
 * Collects an answer that arrives in pieces, and knows when no more bytes are needed. Each byte is looked at once,
 * however small the pieces are.
 */
export class PeerListCollector {
  #bytes = Buffer.alloc(1024);
  #length = 0;
  #at = COUNT_BYTES;
  #entriesRead = 0;

  get length(): number {
    return this.#length;
  }

  /** What has arrived. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** @returns whether the answer is whole, or can't become right any more */
  add(piece: Uint8Array): boolean {
    const length = Math.min(this.#length + piece.length, MAX_PEER_LIST_BYTES);
    if (length > this.#bytes.length) {
      const larger = Buffer.alloc(Math.min(MAX_PEER_LIST_BYTES, Math.max(length, 2 * this.#bytes.length)));
      larger.set(this.bytes);
      this.#bytes = larger;
    }
    this.#bytes.set(piece.subarray(0, length - this.#length), this.#length);
    this.#length = length;
    return this.#isDecided();
  }

  #isDecided(): boolean {
    const bytes = this.#bytes;
    if (this.#length < COUNT_BYTES) return false;
    const count = readUint16BE(bytes, 0);
    if (count > MAX_PEER_LIST_ENTRIES) return true;
    for (; this.#entriesRead < count; this.#entriesRead++) {
      if (this.#at >= this.#length) return false;
      const idBytes = bytes[this.#at];
      if (idBytes > MAX_PEER_LIST_ID_BYTES) return true;
      const ipAt = this.#at + 1 + idBytes + PORT_BYTES + 1;
      if (ipAt > this.#length) return false;
      const ipBytes = bytes[ipAt - 1];
      if (ipBytes > MAX_PEER_LIST_IP_BYTES) return true;
      if (ipAt + ipBytes > this.#length) return false;
      this.#at = ipAt + ipBytes;
    }
    return true;
  }
}

/**
 * The answer that tells these peers.
 * @throws RangeError for more than 1000 entries, a port outside 1 to 65535, an empty or too long ID, what is no IP
 */
export function encodePeerList(entries: readonly PeerListEntry[]): Buffer {
  if (entries.length > MAX_PEER_LIST_ENTRIES) throw new RangeError(`${entries.length} entries in a peer list`);
  const parts: Buffer[] = [uint16(entries.length)];
  for (const { id, ip, port } of entries) {
    const idBytes = Buffer.from(id);
    if (idBytes.length > MAX_PEER_LIST_ID_BYTES || !isText(idBytes, 0, idBytes.length) || !id.isWellFormed()) {
      throw new RangeError(`${JSON.stringify(id)} can't be an ID in a peer list`);
    }
    const ipText = canonicalIp(ip);
    if (ipText === null) throw new RangeError(`${JSON.stringify(ip)} is no IP address`);
    if (!Number.isInteger(port) || port < 1 || port > PORT_MAX) throw new RangeError(`port ${port} in a peer list`);
    const ipBytes = Buffer.from(ipText);
    parts.push(Buffer.of(idBytes.length), idBytes, uint16(port), Buffer.of(ipBytes.length), ipBytes);
  }
  return Buffer.concat(parts);
}

function usableEntry(id: string | null, ipText: string | null, port: number): PeerListEntry | null {
  if (id === null || ipText === null || port === 0) return null;
  const ip = canonicalIp(ipText);
  return ip === null ? null : { id, ip, port };
}

function isOwn({ id, ip, port }: PeerListEntry, own: OwnAddress): boolean {
  return id === own.id || own.addresses.some((address) => address.ip === ip && address.port === port);
}

/** An ID goes to logs and the address book, so it follows the rule for message types: UTF-8 without control characters. */
const isText = isValidTypeBytes;

/** Null if the bytes are no such text, or none at all. */
function readText(bytes: Uint8Array, at: number, length: number): string | null {
  return isText(bytes, at, length) ? Buffer.from(bytes.subarray(at, at + length)).toString() : null;
}

function uint16(value: number): Buffer {
  return Buffer.of(value >>> 8, value & 0xff);
}
