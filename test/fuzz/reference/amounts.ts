/** Durations and sizes as the README says that they read: in whole numbers of any length, so that nothing is rounded. */

const UNIT_MS = { ms: 1n, s: 1000n, m: 60_000n, h: 3_600_000n, d: 86_400_000n };
const UNIT_BYTES = { '': 1n, B: 1n, KiB: 2n ** 10n, MiB: 2n ** 20n, GiB: 2n ** 30n };

/** Whole milliseconds, or null for what is no duration. At most 12 digits, and 6 behind the point. */
export function durationMs(text: string): number | null {
  for (const [unit, ms] of Object.entries(UNIT_MS)) {
    const amount = text.endsWith(unit) ? text.slice(0, text.length - unit.length) : '';
    if (!/^\d{1,12}(\.\d{1,6})?$/.test(amount)) continue;
    const [whole, fraction = ''] = amount.split('.');
    const millionths = BigInt(whole + fraction.padEnd(6, '0')) * ms;
    return millionths % 1_000_000n === 0n ? exact(millionths / 1_000_000n) : null;
  }
  return null;
}

/** Bytes, or null for what is no size. At most 15 digits; without a unit they are bytes. */
export function sizeBytes(text: string): number | null {
  for (const [unit, bytes] of Object.entries(UNIT_BYTES)) {
    const digits = text.endsWith(unit) ? text.slice(0, text.length - unit.length) : '';
    if (/^\d{1,15}$/.test(digits)) return exact(BigInt(digits) * bytes);
  }
  return null;
}

/** Null for more than a number holds. */
function exact(count: bigint): number | null {
  return count <= Number.MAX_SAFE_INTEGER ? Number(count) : null;
}
