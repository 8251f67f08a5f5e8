/**
 * What of a handler's fields goes to the log: never bytes, whatever their name, nor what bears the name of a payload, and
 * no more than a line should hold. Pure; worker thread, so that nothing else leaves it.
 */
import { errorTrace } from '../shared/error-trace.js';

const DEPTH_MAX = 4;
const ENTRIES_MAX = 32;
const TEXT_MAX = 1024;
/** `value` is the decoded payload of a message, and is left out of a message only: see `isMessage`. */
const neverLogged = /^(payload.*|.*(token|secret|password|authorization))$/i;

/** Fields as they may be logged; what can't be is left out or told by its kind and size. */
export function logFields(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return shownRecord(fields, 0);
}

/** A line's message, cut to what a line should hold. */
export function logText(text: unknown): string {
  return cut(String(text));
}

function cut(text: string): string {
  return text.length <= TEXT_MAX ? text : `${text.slice(0, TEXT_MAX)}…`;
}

function shown(value: unknown, depth: number): unknown {
  switch (typeof value) {
    case 'string':
      return cut(value);
    case 'number':
    case 'boolean':
    case 'undefined':
      return value;
    case 'bigint':
      return cut(String(value));
    case 'object':
      return value === null ? null : shownObject(value, depth + 1);
    default:
      return `a ${typeof value}`;
  }
}

function shownObject(value: object, depth: number): unknown {
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer || value instanceof SharedArrayBuffer) {
    return `${value.byteLength} bytes`;
  }
  if (value instanceof Error) return errorTrace(value);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'an invalid date' : value.toISOString();
  if (value instanceof Map || value instanceof Set) return `${value.size} entries`;
  if (depth > DEPTH_MAX) return '…';
  if (!Array.isArray(value)) return shownRecord(value as Record<string, unknown>, depth);
  const items = value.slice(0, ENTRIES_MAX).map((item) => shown(item, depth));
  return value.length > ENTRIES_MAX ? [...items, `and ${value.length - ENTRIES_MAX} more`] : items;
}

function shownRecord(record: Readonly<Record<string, unknown>>, depth: number): Record<string, unknown> {
  const isOfMessage = isMessage(record);
  const keys = Object.keys(record).filter((key) => !neverLogged.test(key) && !(isOfMessage && key === 'value'));
  return Object.fromEntries(keys.slice(0, ENTRIES_MAX).map((key) => [key, shown(record[key], depth)]));
}

/** A message as handlers get it, with its decoded payload. */
function isMessage(record: object): boolean {
  return 'payload' in record && 'payloadBytes' in record;
}
