/** IP addresses as RFC 4291 and RFC 791 write them, down to their bits. */

/** @returns the 128 bits of an IPv6 address, or of an IPv4 address mapped into IPv6; null for what is none */
export function ipBits(text: string): bigint | null {
  const v4 = v4Bits(text);
  if (v4 !== null) return 0xffff_0000_0000n | v4;
  const halves = text.split('::');
  if (halves.length > 2 || !text.includes(':')) return null;
  const groups = halves.map((half) => (half === '' ? [] : half.split(':')));
  const last = groups.at(-1)!.pop();
  const lastV4 = last === undefined ? null : v4Bits(last);
  const lastGroups = last === undefined ? [] : lastV4 === null ? [last] : [lastV4 >> 16n, lastV4 & 0xffffn];
  const all = [groups[0], halves.length === 2 ? [...groups[1], ...lastGroups] : lastGroups] as const;
  const count = all[0].length + all[1].length;
  // `::` stands for one group at least.
  if (halves.length === 2 ? count > 7 : count !== 8) return null;
  const zeros = Array<string>(8 - count).fill('0');
  let bits = 0n;
  for (const group of [...all[0], ...zeros, ...all[1]]) {
    if (typeof group === 'string' && !/^[0-9a-f]{1,4}$/i.test(group)) return null;
    bits = (bits << 16n) | (typeof group === 'bigint' ? group : BigInt(`0x${group}`));
  }
  return bits;
}

function v4Bits(text: string): bigint | null {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)) return null;
  return parts.reduce((bits, part) => (bits << 8n) | BigInt(part), 0n);
}

/** Eight groups without a short form: another way to write the same address. */
export function longForm(bits: bigint): string {
  return Array.from({ length: 8 }, (_, i) => ((bits >> BigInt(112 - 16 * i)) & 0xffffn).toString(16)).join(':');
}
