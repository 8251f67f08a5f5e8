/** Texts that are right, and texts that are nearly right: a character too many, too few, or another one. */
import fc from 'fast-check';
import { longForm } from '../reference/ip.js';
import { edges } from '../reference/routable.js';

/** What texts of all kinds here are made of, and what does not belong into any. */
const strange = fc.constantFrom(...'0159aFmsKB.:/%@[]-+, \0\n\u0085\u2028ü٣', '\ud800');

/** Mostly as they are. */
export function withSlips(right: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const at = fc.nat(40);
  const slipped = fc
    .tuple(right, at, fc.nat(1), fc.oneof(fc.constant(''), strange))
    .map(([text, where, left, piece]) => {
      const from = Math.min(where, text.length);
      return text.slice(0, from) + piece + text.slice(from + left);
    });
  return fc.oneof({ weight: 4, arbitrary: right }, { weight: 1, arbitrary: slipped });
}

function dotted(bits: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => (bits >> shift) & 0xffn).join('.');
}

/** IPv4 where it is, and both ways to write it mapped; IPv6 in full. */
const edge = fc
  .constantFrom(...edges.filter((bits) => bits >= 0n && bits < 2n ** 128n))
  .chain((bits) =>
    bits >> 32n === 0xffffn
      ? fc.constantFrom(dotted(bits), `::ffff:${dotted(bits)}`, longForm(bits))
      : fc.constant(longForm(bits)),
  );

/** IP addresses, many of them where a range that nobody routes begins or ends. */
export const ip = fc.oneof(fc.ipV4(), fc.ipV6(), edge);

const digits = fc.oneof(fc.nat(400).map(String), fc.constantFrom('0', '007', '1000', '65536', '999999999999'));
const fraction = fc.oneof(
  { weight: 3, arbitrary: fc.constant('') },
  { weight: 1, arbitrary: fc.constantFrom('.5', '.25', '.001', '.500000', '.0000001') },
);

export const duration = withSlips(
  fc.tuple(digits, fraction, fc.constantFrom('ms', 's', 'm', 'h', 'd')).map((parts) => parts.join('')),
);
export const size = withSlips(
  fc
    .tuple(
      fc.oneof(
        digits,
        fc.nat(40).map((power) => String(2 ** power)),
      ),
      fc.constantFrom('', 'B', 'KiB', 'MiB', 'GiB'),
    )
    .map((parts) => parts.join('')),
);
