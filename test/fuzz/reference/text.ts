/** What the program must take for text: written for clearness, with what the runtime has. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Bytes as text, or null if they are no UTF-8. */
export function textOf(bytes: Uint8Array): string | null {
  try {
    return utf8.decode(Uint8Array.from(bytes));
  } catch {
    return null;
  }
}

/** As {@link textOf}, and null also for no text at all, more than `maxBytes` or a control character (rulings 1). */
export function nameOf(bytes: Uint8Array, maxBytes: number): string | null {
  const text = bytes.length >= 1 && bytes.length <= maxBytes ? textOf(bytes) : null;
  return text === null || /\p{Cc}/u.test(text) ? null : text;
}
