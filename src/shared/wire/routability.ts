/**
 * IP addresses as text that peers send: their one canonical form, and which of them the public internet routes (strict
 * mode, rulings 3 and 7). Pure; main thread.
 */
import { BlockList, isIP, SocketAddress } from 'node:net';

/** What the IANA special-purpose registry for IPv4 holds not globally reachable, and multicast. */
const UNROUTABLE_V4 = [
  ['0.0.0.0', 8, 'this network (RFC 791)'],
  ['10.0.0.0', 8, 'private (RFC 1918)'],
  ['100.64.0.0', 10, 'carrier-grade NAT (RFC 6598)'],
  ['127.0.0.0', 8, 'loopback (RFC 1122)'],
  ['169.254.0.0', 16, 'link-local (RFC 3927)'],
  ['172.16.0.0', 12, 'private (RFC 1918)'],
  ['192.0.0.0', 24, 'protocol assignments (RFC 6890)'],
  ['192.0.2.0', 24, 'documentation (RFC 5737)'],
  ['192.88.99.0', 24, '6to4 relays, withdrawn (RFC 7526)'],
  ['192.168.0.0', 16, 'private (RFC 1918)'],
  ['198.18.0.0', 15, 'benchmarks (RFC 2544)'],
  ['198.51.100.0', 24, 'documentation (RFC 5737)'],
  ['203.0.113.0', 24, 'documentation (RFC 5737)'],
  ['224.0.0.0', 4, 'multicast (RFC 5771)'],
  ['240.0.0.0', 4, 'reserved, and broadcast (RFC 1112, RFC 919)'],
] as const;

/** All that IANA gives out as global unicast. Loopback, link-local, unique local and multicast lie outside. */
const GLOBAL_V6 = ['2000::', 3] as const;

/** What of {@link GLOBAL_V6} is no host's own address after all. */
const UNROUTABLE_V6 = [
  ['2001::', 23, 'protocol assignments, Teredo and ORCHID among them (RFC 2928)'],
  ['2001:db8::', 32, 'documentation (RFC 3849)'],
  ['2002::', 16, '6to4: holds an IPv4 address, maybe a private one (RFC 3056)'],
  ['3fff::', 20, 'documentation (RFC 9637)'],
] as const;

/** Network and mask of each range. Numbers, since a BlockList makes an object for each question and peers tell addresses by the thousand. */
const unroutableV4 = UNROUTABLE_V4.map(([network, prefix]) => ({
  network: numberOf(network),
  mask: (-1 << (32 - prefix)) | 0,
}));
const unroutableV6 = new BlockList();
for (const [network, prefix] of UNROUTABLE_V6) unroutableV6.addSubnet(network, prefix, 'ipv6');
const globalV6 = new BlockList();
globalV6.addSubnet(...GLOBAL_V6, 'ipv6');

const MAPPED_V4 = '::ffff:';

/**
 * The one way to write an IP address: IPv6 as RFC 5952 has it, an IPv4 address mapped into IPv6 (`::ffff:1.2.3.4`) as
 * IPv4. Null for what is no IP address, and for one with a zone (`fe80::1%eth0`), which means something to one host only.
 */
export function canonicalIp(text: string): string | null {
  const family = isIP(text);
  if (family === 4) return text;
  if (family === 0 || text.includes('%')) return null;
  const { address } = new SocketAddress({ address: text, family: 'ipv6' });
  // Only a mapped address has dots after this prefix; `::ffff:1:2` is another.
  const isMapped = address.startsWith(MAPPED_V4) && address.includes('.');
  return isMapped ? address.slice(MAPPED_V4.length) : address;
}

/** Whether strict mode lets an address into the book. @param ip canonical, as {@link canonicalIp} gives it */
export function isRoutable(ip: string): boolean {
  const family = isIP(ip);
  if (family === 4) {
    const number = numberOf(ip);
    return !unroutableV4.some(({ network, mask }) => (number & mask) === network);
  }
  return family === 6 && globalV6.check(ip, 'ipv6') && !unroutableV6.check(ip, 'ipv6');
}

/** The 32 bits of an IPv4 address. */
function numberOf(ip: string): number {
  let number = 0;
  for (const octet of ip.split('.')) number = (number << 8) | Number(octet);
  return number;
}
