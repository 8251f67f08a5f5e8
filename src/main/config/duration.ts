/**
 * Owns how durations read and print in configuration: `500ms`, `5s`, `1.5m`, `1h`, `7d`. Pure; main thread.
 */

const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
type DurationUnit = keyof typeof unitMs;

const shape = /^(\d{1,12})(?:\.(\d{1,6}))?(ms|s|m|h|d)$/;

/**
 * Milliseconds of a duration text, or null if it is none. Whole milliseconds only: `1.5s` is 1500, `1.5ms` is null.
 * A bare number is null: a unit is part of the text.
 */
export function parseDuration(text: string): number | null {
  const match = shape.exec(text);
  if (match === null) return null;
  const [, whole, fraction = '', unit] = match;
  const ofUnit = unitMs[unit as DurationUnit];
  // In integers, because 1.005 * 1000 is not 1005 in floating point; apart, because together they may be too long for one.
  const fractionMs = (Number(fraction || '0') * ofUnit) / 10 ** fraction.length;
  const ms = Number(whole) * ofUnit + fractionMs;
  return Number.isInteger(fractionMs) && Number.isSafeInteger(ms) ? ms : null;
}

/** The shortest text that {@link parseDuration} reads back as `ms`, a whole number from 0. */
export function formatDuration(ms: number): string {
  for (const unit of ['h', 'm', 's'] as const) {
    if (ms >= unitMs[unit] && ms % unitMs[unit] === 0) return `${ms / unitMs[unit]}${unit}`;
  }
  return `${ms}ms`;
}
