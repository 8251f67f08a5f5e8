/**
 * Owns how addresses read and print: `host:port`, `[v6]:port` and `id@host:port`. Pure; main thread.
 */
import { isIPv6 } from 'node:net';
import { ID_BYTES } from '../../shared/limits.js';
import { canonicalIp } from '../../shared/wire/routability.js';
import { oneLine } from '../config/wrong-value.js';

export interface HostPort {
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
}

/** A peer to dial. `id` is null where only the address is known. */
export interface PeerAddress extends HostPort {
  readonly id: string | null;
}

const PORT_MAX = 65_535;
/** In brackets an IPv6 address, maybe with the interface that a link-local one is for: `[fe80::1%eth0]`. */
const shape = /^(?:\[([0-9A-Za-z:.%-]{2,80})\]|([^\s:@[\],]{1,253})):(\d{1,5})$/;
/** Rulings 2: 1 to 32 bytes of printable ASCII without `@`. */
const idShape = /^[ -?A-~]{1,32}$/;

/** Null for what is no address. Port 0 is accepted: to listen on, it means any. */
export function parseHostPort(text: string): HostPort | null {
  const match = shape.exec(text);
  if (match === null) return null;
  const [, v6, name, portText] = match;
  const port = Number(portText);
  if (port > PORT_MAX || (v6 !== undefined && !isIPv6(v6))) return null;
  return { host: (v6 ?? name) as string, port };
}

export function formatAddress(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

export function formatHostPort({ host, port }: HostPort): string {
  return formatAddress(host, port);
}

/** What a PeerError says beside the address that its message begins with. */
export function withoutAddress(message: string): string {
  return message.replace(/^\S+: /, '');
}

/** Null for what is no address. */
export function parsePeerAddress(text: string): PeerAddress | null {
  const at = text.indexOf('@');
  const address = parseHostPort(text.slice(at + 1));
  if (address === null) return null;
  if (at === -1) return { id: null, ...address };
  const id = text.slice(0, at);
  return idShape.test(id) ? { id, ...address } : null;
}

export function formatPeerAddress(peer: PeerAddress): string {
  return peer.id === null ? formatHostPort(peer) : `${peer.id}@${formatHostPort(peer)}`;
}

/**
 * An address to listen on, with an IP in its canonical form.
 * @throws TypeError that shows the text and says what is wrong with it
 */
export function requireHostPort(text: string): HostPort {
  const address = parseHostPort(text);
  if (address === null) throw new TypeError(`'${oneLine(text)}' is no address: ${hostPortFault(text)}`);
  return canonical(address);
}

/**
 * The address of a peer to dial, with an IP in its canonical form.
 * @throws TypeError that shows the text and says what is wrong with it
 */
export function requirePeerAddress(text: string): PeerAddress {
  const peer = parsePeerAddress(text);
  if (peer === null) throw new TypeError(`'${oneLine(text)}' is no address of a peer: ${peerFault(text)}`);
  if (peer.port === 0)
    throw new TypeError(`'${oneLine(text)}' is no address of a peer: nobody can be reached at port 0`);
  return canonical(peer);
}

/**
 * A host as it is compared and shown: one spelling for each IPv6 address, and an IPv4 peer of a dual-stack listener
 * (`::ffff:1.2.3.4`) is an IPv4 peer. Names, and addresses with a zone, stay as they are.
 */
export function normalizeHost(host: string): string {
  return canonicalIp(host) ?? host;
}

/** An address with its host as {@link normalizeHost} has it: what it is compared with has no other spelling. */
export function canonical<T extends HostPort>(address: T): T {
  return { ...address, host: normalizeHost(address.host) };
}

/** The IP address of a connected socket's other side, canonical and without a zone; empty once the socket is gone. */
export function peerIp(socket: { readonly remoteAddress?: string | undefined }): string {
  return canonicalIp((socket.remoteAddress ?? '').replace(/%.*$/, '')) ?? '';
}

/** Why {@link parsePeerAddress} says no. */
function peerFault(text: string): string {
  const at = text.indexOf('@');
  const id = text.slice(0, Math.max(at, 0));
  if (at === 0) return "nothing stands before the '@'";
  if (at > 0 && !idShape.test(id)) return `a node ID is 1 to ${ID_BYTES} printable ASCII characters`;
  return hostPortFault(text.slice(at + 1));
}

/** Why {@link parseHostPort} says no; what decides is the shape alone. */
function hostPortFault(text: string): string {
  if (text === '') return 'it is empty';
  if (text.includes('@')) return "there is an '@' too many";
  const isBracketed = text.startsWith('[');
  if (!isBracketed && text.split(':').length > 2) return 'an IPv6 address goes in brackets, as in [::1]:26656';
  const hostEnd = isBracketed ? text.indexOf(']') + 1 : text.search(/:|$/);
  if (isBracketed && !isIPv6(text.slice(1, Math.max(hostEnd - 1, 0)))) return 'no IPv6 address stands in its brackets';
  if (hostEnd === 0) return 'the host is missing';
  const port = text.slice(hostEnd + 1);
  if (text[hostEnd] !== ':' || port === '') return 'the port is missing';
  if (!/^\d{1,5}$/.test(port) || Number(port) > PORT_MAX) return `a port is a number up to ${PORT_MAX}`;
  return 'a host is a name or an IP address';
}
