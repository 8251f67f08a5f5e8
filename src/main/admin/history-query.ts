/**
 * Owns what can be asked of history, by route and by command: how many entries, and of which error code. Pure; main
 * thread.
 */
import { z } from 'zod';
import { ErrorCode } from '../../shared/errors.js';
import { integer, type Kind } from '../config/kinds.js';

/** Entries in one answer. */
export const HISTORY_LIMIT_MAX = 10_000;
/** A code is one byte on the wire. */
const CODE_MAX = 0xff;

export const historyLimit = integer(1, HISTORY_LIMIT_MAX);

/** An error code as its number, in decimal or hexadecimal, or as its name in any case. */
export const historyCode: Kind<number> = {
  schema: z.string().transform((text, context) => {
    const code = codeOf(text);
    if (code === null) context.addIssue({ code: 'custom' });
    return code ?? z.NEVER;
  }),
  allowed: `an error code: a number from 0 to ${CODE_MAX}, 0x00 to 0xFF, or a name such as HandshakeTimeout`,
  format: (code) => code,
};

const codeByName = new Map<string, number>(Object.entries(ErrorCode).map(([name, code]) => [name.toLowerCase(), code]));

function codeOf(text: string): number | null {
  const code = /^(\d{1,3}|0x[0-9a-f]{1,2})$/i.test(text) ? Number(text) : codeByName.get(text.toLowerCase());
  return code === undefined || code > CODE_MAX ? null : code;
}
