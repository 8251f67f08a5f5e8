/**
 * Owns how addresses read and print: `host:port`, `[v6]:port` and `id@host:port`. Pure; main thread.
 */
import { isIPv6 } from 'node:net';

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
const shape = /^(?:\[([0-9a-fA-F:.%]+)\]|([^\s:@[\],]{1,253})):(\d{1,5})$/;
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

const mappedIPv4 = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/** The address of a socket as people write it: an IPv4 peer of a dual-stack listener is an IPv4 peer. */
export function normalizeHost(host: string): string {
  return mappedIPv4.exec(host)?.[1] ?? host;
}
