/**
 * Which addresses the internet routes, as IANA's registries of special-purpose addresses say it: range by range, on the
 * bits of `reference/ip.ts`. Where a registry gives parts of a range out after all (Teredo's neighbours in 2001::/23), the
 * range counts as a whole, as it does for the program.
 */
import { ipBits } from './ip.js';

/** Not globally reachable, or multicast. */
const RESERVED = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24'],
  ...['192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24'],
  ...['224.0.0.0/4', '240.0.0.0/4', '2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'],
];
/** IPv4 addresses, mapped; and all of IPv6 that is given out as global unicast (RFC 4291). */
const GIVEN_OUT = ['0.0.0.0/0', '2000::/3'];

interface Range {
  readonly first: bigint;
  readonly last: bigint;
}

function rangeOf(text: string): Range {
  const [network, prefix] = text.split('/');
  const width = network.includes(':') ? 128 : 32;
  const first = ipBits(network)!;
  return { first, last: first + 2n ** BigInt(width - Number(prefix)) - 1n };
}

const reserved = RESERVED.map(rangeOf);
const givenOut = GIVEN_OUT.map(rangeOf);

/** @param bits as `ipBits` gives them */
export function isRoutableBits(bits: bigint): boolean {
  const isIn = ({ first, last }: Range) => first <= bits && bits <= last;
  return givenOut.some(isIn) && !reserved.some(isIn);
}

/** The first and the last address of each range, and those beside them. */
export const edges: readonly bigint[] = [...givenOut, ...reserved].flatMap(({ first, last }) => [
  first - 1n,
  first,
  last,
  last + 1n,
]);
