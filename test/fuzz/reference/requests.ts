/** What operators may ask for over the admin HTTP: interfaces.md says which targets, times, addresses and types there are. */
import { durationMs } from './amounts.js';
import { ipBits } from './ip.js';
import { nameOf } from './text.js';

const DAY_MS = 86_400_000;

function nameIn(text: string, maxBytes: number): string | null {
  return text.isWellFormed() ? nameOf(Buffer.from(text), maxBytes) : null;
}

/** Who is meant by a ban, in one spelling: `id:…`, or the first and the last address. Null for what is no target. */
export function whoIsMeant(text: string): string | null {
  if (text.startsWith('id:')) return nameIn(text.slice(3), 32) === null ? null : text;
  // A zone says on which interface; it is not a part of the address.
  const bits = ipBits(text.includes(':') ? text.replace(/%[0-9a-z.:-]+$/i, '') : text);
  if (bits !== null) return `${bits} to ${bits}`;
  const [network, prefix, ...more] = text.split('/');
  const base = ipBits(network);
  if (base === null || prefix === undefined || !/^\d{1,3}$/.test(prefix) || more.length > 0) return null;
  const free = (network.includes(':') ? 128 : 32) - Number(prefix);
  // All of a family is none: nobody would be left.
  const family = base >> 32n === 0xffffn ? 32 : 128;
  if (free < 0 || free >= family) return null;
  const first = (base >> BigInt(free)) << BigInt(free);
  return `${first} to ${first + 2n ** BigInt(free) - 1n}`;
}

/** How long, or null for what is no time. Numbers are milliseconds. */
export function timeMs(time: unknown, leastMs: number, mostMs: number): number | null {
  const ms = typeof time === 'string' ? durationMs(time) : time;
  return typeof ms === 'number' && Number.isInteger(ms) && ms >= leastMs && ms <= mostMs ? ms : null;
}

/** How long a ban lasts: forever as text. Null for what is no time. The first of a target lasts a day. */
export function banMs(time: unknown): number | 'forever' | null {
  if (time === 'forever') return 'forever';
  return time === undefined ? DAY_MS : timeMs(time, 1, 100 * 365 * DAY_MS);
}

export function isDrainTime(time: unknown): boolean {
  return time === undefined || timeMs(time, 0, DAY_MS) !== null;
}

/** `HOST:PORT` or `ID@HOST:PORT`, an IPv6 address in brackets. */
export function isDialled(text: string): boolean {
  const [id, address] = text.includes('@')
    ? [text.slice(0, text.indexOf('@')), text.slice(text.indexOf('@') + 1)]
    : ['x', text];
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, Math.max(0, colon));
  const port = address.slice(colon + 1);
  const isHost = host.startsWith('[')
    ? host.endsWith(']') && host.includes(':') && ipBits(host.slice(1, -1)) !== null
    : /^[^\s:@[\],]{1,253}$/.test(host);
  const isPort = /^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65_535;
  return isHost && isPort && /^[\x20-\x3f\x41-\x7e]{1,32}$/.test(id);
}

/** A type of an application: the protocol's own are sent by nobody else. */
export function isOwnType(text: string): boolean {
  return nameIn(text, 255) !== null && !['ping', 'pong', 'disconnect', 'pex/peers'].includes(text);
}
