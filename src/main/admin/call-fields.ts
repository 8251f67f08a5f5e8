/**
 * Owns how the fields of a call (a JSON body, a query) are validated, and how what is wrong with one is told: by its
 * name, in the words of the configuration's errors. Pure; main thread.
 */
import { z } from 'zod';
import { ConfigError } from '../../shared/errors.js';
import type { Kind } from '../config/kinds.js';
import { oneLine } from '../config/wrong-value.js';

/** What of a value a message shows at most; `oneLine` cuts again, but looks at everything first. */
const SHOWN_CHARS_MAX = 200;

/** One field. A kind of configuration value is one. */
export type Field<T> = Pick<Kind<T>, 'schema' | 'allowed'>;
type Fields = Readonly<Record<string, Field<unknown>>>;
type ValueOf<F> = F extends Field<infer T> ? T : never;
type Values<Needed extends Fields, Optional extends Fields> = {
  readonly [K in keyof Needed]: ValueOf<Needed[K]>;
} & { readonly [K in keyof Optional]?: ValueOf<Optional[K]> | undefined };

/**
 * Makes a reader of a call's body or query, which takes nothing but these fields. The reader throws ConfigError that
 * names the field.
 */
export function callFields<const Needed extends Fields, const Optional extends Fields>(
  where: 'body' | 'query',
  needed: Needed,
  optional: Optional,
): (raw: unknown) => Values<Needed, Optional> {
  const fields: Fields = { ...needed, ...optional };
  const schema = z.strictObject(
    Object.fromEntries(
      Object.entries(fields).map(([name, field]) => [name, name in needed ? field.schema : field.schema.optional()]),
    ),
  );
  return (raw) => {
    if (!isRecord(raw)) throw new ConfigError(where, `${where} is ${shown(raw)}: must be a JSON object`);
    const result = schema.safeParse(raw);
    if (result.success) return result.data as Values<Needed, Optional>;
    throw faultOf(result.error.issues[0], where, raw, fields);
  };
}

/** For calls that have neither query nor body. An empty object says as much as no body. */
export const noQuery = callFields('query', {}, {});
const emptyBody = callFields('body', {}, {});
export const noBody = (raw: unknown): void => void emptyBody(raw ?? {});

function isRecord(raw: unknown): raw is Readonly<Record<string, unknown>> {
  return typeof raw === 'object' && raw !== null && !Array.isArray(raw);
}

function faultOf(issue: z.core.$ZodIssue, where: string, raw: Readonly<Record<string, unknown>>, fields: Fields) {
  if (issue.code === 'unrecognized_keys') {
    const name = oneLine(issue.keys[0].slice(0, SHOWN_CHARS_MAX));
    const known = Object.keys(fields).join(', ') || 'none';
    return new ConfigError(name, `${name} is unknown (${where}): the fields are ${known}`);
  }
  const name = String(issue.path[0]);
  const is = Object.hasOwn(raw, name) ? `is ${shown(raw[name])}` : 'is missing';
  return new ConfigError(name, `${name} ${is} (${where}): must be ${fields[name].allowed}`);
}

/** A value on one line of bounded length. */
function shown(raw: unknown): string {
  if (raw === undefined) return 'missing';
  if (typeof raw === 'string') return `'${oneLine(raw.slice(0, SHOWN_CHARS_MAX))}'`;
  if (Array.isArray(raw)) return 'a list';
  return typeof raw === 'object' && raw !== null ? 'an object' : String(raw);
}
