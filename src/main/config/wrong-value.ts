/**
 * Owns the one line that a wrong value is told with. Pure; main thread.
 */
import { ConfigError } from '../../shared/errors.js';

/** What a message shows of a value at most. */
const SHOWN_CHARS_MAX = 120;
const SHOWN_DEPTH_MAX = 3;

/** The error for a wrong value of `key`: names the key, the value, where it was said and what is allowed. */
export function wrongValue(key: string, raw: unknown, source: string, allowed: string): ConfigError {
  return new ConfigError(key, `${key} is ${show(raw)} (${source}): must be ${allowed}`);
}

/** As {@link wrongValue}, without the value. */
export function wrongSecret(key: string, source: string, allowed: string): ConfigError {
  return new ConfigError(key, `${key} is not valid (${source}): must be ${allowed}`);
}

/** A raw value on one line of bounded length. @param depth of lists around it: a list of the library may hold itself */
function show(raw: unknown, depth = 0): string {
  if (typeof raw === 'string') return `'${oneLine(raw)}'`;
  if (Array.isArray(raw)) {
    if (depth === SHOWN_DEPTH_MAX) return 'a list';
    // Each item takes a character and a comma at least: no more of them are shown.
    const items = raw.slice(0, SHOWN_CHARS_MAX).map((item) => show(item, depth + 1));
    return `[${oneLine(items.join(', '))}]`;
  }
  if (typeof raw === 'object' && raw !== null && !(raw instanceof URL) && !(raw instanceof Date)) return 'a table';
  return oneLine(String(raw));
}

/** Text with control characters escaped, cut when long. */
export function oneLine(text: string): string {
  const safe = text.replace(/\p{Cc}|\u2028|\u2029/gu, (char) => {
    const code = char.charCodeAt(0).toString(16).padStart(4, '0');
    return char === '\n' ? '\\n' : `\\u${code}`;
  });
  return safe.length > SHOWN_CHARS_MAX ? `${safe.slice(0, SHOWN_CHARS_MAX - 3)}...` : safe;
}
