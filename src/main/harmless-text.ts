/**
 * Owns how text that strangers chose is made harmless before people see it: on a terminal, in the log, in history. Pure;
 * main thread.
 */

const plainText = /^[ -~]*$/;

/** Text without control and format characters: nothing in it moves the cursor, colours, breaks the line or turns it around. */
export function harmless(text: string): string {
  // Which most is: asking costs a tenth of replacing.
  return plainText.test(text) ? text : text.replace(/\p{C}|\p{Zl}|\p{Zp}/gu, '\uFFFD');
}
