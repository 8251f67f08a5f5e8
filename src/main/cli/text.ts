/**
 * Owns how values look on a terminal. What a peer sent is made harmless first. Pure; main thread.
 */

/** Text without control characters: nothing in it moves the cursor, colours, or breaks the line. */
export function harmless(text: string): string {
  return text.replace(/\p{C}|\p{Zl}|\p{Zp}/gu, '\uFFFD');
}

const wide =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\u3000-\u303e\uff01-\uff60]/u;

/** Columns that a terminal gives to a harmless text: two to a wide character, none to a mark on another. */
export function displayWidth(text: string): number {
  if (/^[ -~]*$/.test(text)) return text.length;
  let columns = 0;
  for (const char of text) columns += /\p{M}/u.test(char) ? 0 : wide.test(char) ? 2 : 1;
  return columns;
}

/** `1 peer`, `2 peers`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

/** `1234567` as `1.2 MiB`. */
export function humanBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** `3725` as `1h 2m 5s`. */
export function humanSeconds(seconds: number): string {
  const whole = Math.floor(seconds);
  const parts = [
    [Math.floor(whole / 86_400), 'd'],
    [Math.floor(whole / 3600) % 24, 'h'],
    [Math.floor(whole / 60) % 60, 'm'],
  ] as const;
  return [...parts.flatMap(([count, unit]) => (count > 0 ? [`${count}${unit}`] : [])), `${whole % 60}s`].join(' ');
}

/** Label and value in two columns, one pair a line. */
export function alignedRows(rows: readonly (readonly [label: string, value: string])[]): string {
  const width = Math.max(...rows.map(([label]) => label.length));
  return rows.map(([label, value]) => `${label.padEnd(width)}  ${value}\n`).join('');
}
