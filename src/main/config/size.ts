/**
 * Owns how sizes read and print in configuration: `64KiB`, `512MiB`, `1GiB`, or plain bytes. Pure; main thread.
 */

const unitBytes = { '': 1, B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const;
type SizeUnit = keyof typeof unitBytes;

const shape = /^(\d{1,15})(KiB|MiB|GiB|B|)$/;

/** Bytes of a size text, or null if it is none. Units are powers of 1024; `64KB` and `64k` are null. */
export function parseSize(text: string): number | null {
  const match = shape.exec(text);
  if (match === null) return null;
  const bytes = Number(match[1]) * unitBytes[match[2] as SizeUnit];
  return Number.isSafeInteger(bytes) ? bytes : null;
}

/** The shortest text that {@link parseSize} reads back as `bytes`, a whole number from 0. */
export function formatSize(bytes: number): string {
  for (const unit of ['GiB', 'MiB', 'KiB'] as const) {
    if (bytes >= unitBytes[unit] && bytes % unitBytes[unit] === 0) return `${bytes / unitBytes[unit]}${unit}`;
  }
  return `${bytes}`;
}
