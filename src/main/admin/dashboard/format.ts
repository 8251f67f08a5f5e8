/**
 * Owns how figures read on the page: short, and of a width that hardly changes while they do. Pure; browser.
 */

/** What stands where nothing is known. */
export const NOTHING = '–';

const grouped = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

/** `1234567` as `1,234,567`. */
export function count(value: number): string {
  return grouped.format(value);
}

/** Things per second: `0.4`, `12`, `12,345`, `1.23M`. */
export function rate(perSecond: number | null): string {
  if (perSecond === null) return NOTHING;
  if (perSecond >= 1e9) return `${(perSecond / 1e9).toFixed(2)}G`;
  if (perSecond >= 1e6) return `${(perSecond / 1e6).toFixed(2)}M`;
  return perSecond > 0 && perSecond < 9.95 ? perSecond.toFixed(1) : count(perSecond);
}

const sizeUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** `1234567` as `1.2 MiB`. */
export function bytes(value: number | null): string {
  if (value === null) return NOTHING;
  let scaled = value;
  let unit = 0;
  // What would round to 1024 of a unit is 1 of the next.
  while (scaled >= 1023.95 && unit < sizeUnits.length - 1) {
    scaled /= 1024;
    unit++;
  }
  return `${scaled.toFixed(unit === 0 ? 0 : 1)} ${sizeUnits[unit]}`;
}

/** `0.37` as `0.4 ms`, `1234` as `1.2 s`. */
export function milliseconds(ms: number | null): string {
  if (ms === null) return NOTHING;
  if (ms >= 9950) return `${(ms / 1000).toFixed(0)} s`;
  if (ms >= 999.5) return `${(ms / 1000).toFixed(1)} s`;
  return `${ms.toFixed(ms < 9.95 ? 1 : 0)} ms`;
}

/** A span in its two largest units: `59s`, `3m 20s`, `4h 0m`, `12d 3h`. Never negative. */
export function span(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${whole % 60}s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)}h ${Math.floor(whole / 60) % 60}m`;
  return `${Math.floor(whole / 86_400)}d ${Math.floor(whole / 3600) % 24}h`;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}

/** Local time of day, `09:05:07`; without seconds if asked. */
export function timeOfDay(timeMs: number, withSeconds = true): string {
  const date = new Date(timeMs);
  const minutes = `${twoDigits(date.getHours())}:${twoDigits(date.getMinutes())}`;
  return withSeconds ? `${minutes}:${twoDigits(date.getSeconds())}` : minutes;
}

/** Local date and time, `2026-01-31 09:05`; a text that is no time comes back as it is. */
export function dateAndTime(iso: string): string {
  const ms = Date.parse(iso);
  if (Number.isNaN(ms)) return iso;
  const date = new Date(ms);
  const day = `${date.getFullYear()}-${twoDigits(date.getMonth() + 1)}-${twoDigits(date.getDate())}`;
  return `${day} ${timeOfDay(ms, false)}`;
}

/** An error code as documents write it: `0x06`. */
export function codeText(code: number): string {
  return `0x${code.toString(16).padStart(2, '0').toUpperCase()}`;
}

/** An error code with its name: `PeerLimitReached (0x06)`. */
export function causeText({ name, code }: { readonly name: string; readonly code: number }): string {
  return `${name} (${codeText(code)})`;
}

/** `1 peer`, `2 peers`. */
export function counted(number: number, noun: string, plural = `${noun}s`): string {
  return `${count(number)} ${number === 1 ? noun : plural}`;
}
