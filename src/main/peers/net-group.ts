/**
 * Owns which addresses count as one neighbourhood: whoever has one address of a netgroup or subnet can easily have more
 * of it. Pure; main thread. Addresses are canonical (`shared/wire/routability.ts`).
 *
 *   netgroup   IPv4 /16, IPv6 /32   diversity of the address book and of outbound peers
 *   subnet     IPv4 /24, IPv6 /64   limit on inbound peers
 *   host key   IPv4 address, IPv6 /64   what reputation and automatic bans are kept by
 *
 * A local address is a netgroup of its own and in no subnet, since one host or one LAN has no /16s to be diverse over.
 * Loopback outside 127.0/16 counts like a public address, so that tests can play the internet there.
 */
import { isIPv4 } from 'node:net';
import { canonicalIp } from '../../shared/wire/routability.js';
import { formatAddress } from '../net/address.js';

/** `::1`, fc00::/7 and fe80::/10. */
const localV6 = /^(::1$|f[cd][0-9a-f]{2}:|fe[89ab][0-9a-f]:)/;

/** Whether an address is of this host or of its own network. */
export function isLocal(ip: string): boolean {
  if (!isIPv4(ip)) return localV6.test(ip);
  const [a, b] = ip.split('.', 2).map(Number) as [number, number];
  if (a === 127) return b === 0;
  return a === 10 || (a === 172 && b >= 16 && b < 32) || (a === 192 && b === 168) || (a === 169 && b === 254);
}

/** The netgroup of an address, as text. */
export function netGroupOf(ip: string, port: number): string {
  if (isLocal(ip)) return formatAddress(ip, port);
  return isIPv4(ip) ? `${firstOctets(ip, 2)}.0.0/16` : `${firstWords(ip, 2)}/32`;
}

/** Who counts as one voice in what several say: a netgroup, and of local addresses each host, whatever its port. */
export function voiceOf(ip: string, port: number): string {
  return isLocal(ip) ? ip : netGroupOf(ip, port);
}

/** The subnet of an address in CIDR notation; null for a local one, which no subnet limit counts. */
export function subnetOf(ip: string): string | null {
  if (isLocal(ip)) return null;
  return isIPv4(ip) ? `${firstOctets(ip, 3)}.0/24` : `${firstWords(ip, 4)}/64`;
}

/** What reputation and automatic bans of an address are kept by; a target that `ban` takes. */
export function hostKeyOf(ip: string): string {
  return isIPv4(ip) || isLocal(ip) ? ip : `${firstWords(ip, 4)}/64`;
}

function firstOctets(ip: string, count: number): string {
  return ip.split('.', count).join('.');
}

/** The first 16-bit words of an IPv6 address, the rest zero, in canonical form. */
function firstWords(ip: string, count: number): string {
  const [head, tail] = ip.split('::') as [string, string?];
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const words = [...before, ...new Array<string>(8 - before.length - after.length).fill('0'), ...after];
  return canonicalIp(`${words.slice(0, count).join(':')}::`) as string;
}
