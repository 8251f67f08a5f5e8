/**
 * Owns what can be banned: an IP address, a CIDR range or `id:NODEID`, each with one spelling. Pure; main thread.
 */
import { isIPv4, isIPv6 } from 'node:net';
import { isPeerId } from '../../shared/wire/handshake.js';
import { canonicalIp } from '../../shared/wire/routability.js';
import { oneLine } from '../config/wrong-value.js';

export type BanTarget =
  | { readonly kind: 'ip'; readonly text: string }
  | {
      readonly kind: 'range';
      readonly text: string;
      /** See {@link networkOf}. */
      readonly network: bigint;
      readonly prefix: number;
      readonly bits: 32 | 128;
    }
  | { readonly kind: 'id'; readonly text: string; readonly id: string };

const ID_PREFIX = 'id:';
const rangeShape = /^([^/]{1,64})\/(\d{1,3})$/;

/** Null for what is no target. A range of everything is none: it would ban everybody. */
export function parseBanTarget(text: string): BanTarget | null {
  if (text.startsWith(ID_PREFIX)) {
    const id = text.slice(ID_PREFIX.length);
    return isPeerId(id) ? { kind: 'id', text, id } : null;
  }
  const ip = canonicalIp(withoutZone(text));
  if (ip !== null) return { kind: 'ip', text: ip };
  const [, host, prefixText] = rangeShape.exec(text) ?? [];
  const base = host === undefined ? null : canonicalIp(host);
  if (host === undefined || base === null) return null;
  const bits = isIPv4(base) ? 32 : 128;
  // The prefix of an IPv4 address mapped into IPv6 counts the 96 bits before it, too.
  const prefix = Number(prefixText) - (bits === 32 && host.includes(':') ? 96 : 0);
  if (prefix < 1 || prefix > bits) return null;
  if (prefix === bits) return { kind: 'ip', text: base };
  const network = networkOf(ipNumber(base), prefix, bits);
  const first = network << BigInt(bits - prefix);
  return { kind: 'range', text: `${ipText(first, bits)}/${prefix}`, network, prefix, bits };
}

/** The one spelling of a target. @throws TypeError that shows the text and says what is allowed */
export function requireBanTarget(text: string): string {
  const target = parseBanTarget(text);
  if (target !== null) return target.text;
  throw new TypeError(
    `target is '${oneLine(text)}': must be an IP address, a CIDR range such as 1.2.3.0/24, or id:NODEID`,
  );
}

/** An address without its interface (`fe80::1%eth0`): sockets name it for link-local peers, a ban holds on any. */
export function withoutZone(ip: string): string {
  return ip.includes('%') && isIPv6(ip) ? ip.slice(0, ip.indexOf('%')) : ip;
}

/**
 * The bits of an address that a prefix leaves, as a number of so many bits. Not shifted back: V8 hashes the lowest 64 bits
 * of a bigint alone, and those of all IPv6 networks up to /64 would be zero.
 */
export function networkOf(ip: bigint, prefix: number, bits: 32 | 128): bigint {
  return ip >> BigInt(bits - prefix);
}

/** An address as a number of 32 or 128 bits. @param ip canonical */
export function ipNumber(ip: string): bigint {
  if (isIPv4(ip)) return ip.split('.').reduce((sum, octet) => (sum << 8n) | BigInt(octet), 0n);
  return wordsOf(ip).reduce((sum, word) => (sum << 16n) | BigInt(`0x${word}`), 0n);
}

function ipText(number: bigint, bits: 32 | 128): string {
  if (bits === 32) return [24n, 16n, 8n, 0n].map((shift) => String((number >> shift) & 0xffn)).join('.');
  const words = Array.from({ length: 8 }, (_, i) => ((number >> BigInt(112 - 16 * i)) & 0xffffn).toString(16));
  return canonicalIp(words.join(':'))!;
}

/** The eight words of an IPv6 address. An IPv4 address at its end, as in `::1.2.3.4`, is two of them. */
function wordsOf(ip: string): string[] {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(ip);
  const hex = (high: string, low: string) => ((Number(high) << 8) | Number(low)).toString(16);
  const plain = dotted === null ? ip : `${dotted[1]}${hex(dotted[2]!, dotted[3]!)}:${hex(dotted[4]!, dotted[5]!)}`;
  const [head, tail] = plain.split('::') as [string, string?];
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  return [...before, ...new Array<string>(8 - before.length - after.length).fill('0'), ...after];
}
