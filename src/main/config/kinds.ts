/**
 * Owns the kinds of configuration values: how each is validated (a zod schema over the raw value of a flag, variable,
 * file or library option), what an error says is allowed, and how a value prints. Pure; main thread.
 */
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { ID_BYTES, MAX_TYPE_BYTES } from '../../shared/limits.js';
import { MAX_FANOUT, type RelayedType } from '../../shared/policy.js';
import { isControlType, isValidTypeBytes } from '../../shared/wire/message-type.js';
import {
  canonical,
  formatHostPort,
  formatPeerAddress,
  type HostPort,
  type PeerAddress,
  parseHostPort,
  parsePeerAddress,
} from '../net/address.js';
import { formatDuration, parseDuration } from './duration.js';
import { formatSize, parseSize } from './size.js';

/** How a value stands in TOML. Null prints as a comment, since TOML has no null. */
export type Printable = string | number | boolean | readonly string[] | null;

/** One kind of value. `format` gives a raw value that `schema` reads back as the same value. */
export interface Kind<T> {
  readonly schema: z.ZodType<T>;
  readonly allowed: string;
  readonly format: (value: T) => Printable;
  /** Flags and variables hold several values, separated by commas. */
  readonly list?: true;
  /** The value is a duration in milliseconds. */
  readonly milliseconds?: true;
}

const asIs = <T extends Printable>(value: T): Printable => value;

/** Flags and variables are text, so numbers are accepted as decimal text everywhere. */
function numberFromText(raw: unknown): unknown {
  return typeof raw === 'string' && /^\d{1,15}(\.\d{1,15})?$/.test(raw) ? Number(raw) : raw;
}

function listFromText(raw: unknown): unknown {
  if (typeof raw !== 'string') return raw;
  return raw.trim() === '' ? [] : raw.split(',').map((item) => item.trim());
}

function allDifferent(values: readonly string[]): boolean {
  return new Set(values).size === values.length;
}

/** One of a few words. */
export function choice<const T extends string>(words: readonly T[]): Kind<T> {
  return { schema: z.enum(words), allowed: `one of ${words.join(', ')}`, format: asIs };
}

/** A whole number from `min` to `max`, both included. */
export function integer(min: number, max: number): Kind<number> {
  return {
    schema: z.preprocess(numberFromText, z.number().int().min(min).max(max)),
    allowed: `a whole number from ${min} to ${max}`,
    format: asIs,
  };
}

/** Yes or no. */
export function flag(): Kind<boolean> {
  return {
    schema: z.preprocess((raw) => (raw === 'true' ? true : raw === 'false' ? false : raw), z.boolean()),
    allowed: 'true or false',
    format: asIs,
  };
}

/** A kind whose value may also be `off`, which is null. */
export function orOff<T>(kind: Kind<T>): Kind<T | null> {
  return orWord('off', kind);
}

/** A kind whose value may also be `auto`, which is null. */
export function orAuto<T>(kind: Kind<T>): Kind<T | null> {
  return orWord('auto', kind);
}

function orWord<T>(word: string, kind: Kind<T>): Kind<T | null> {
  const isWord = z.literal(word).transform(() => null);
  return {
    ...kind,
    schema: z.union([isWord, z.null(), kind.schema]),
    allowed: `'${word}' or ${kind.allowed}`,
    format: (value) => (value === null ? word : kind.format(value)),
  };
}

/** A number from 0 to 1. */
export function fraction(): Kind<number> {
  return {
    schema: z.preprocess(numberFromText, z.number().min(0).max(1)),
    allowed: 'a number from 0 to 1',
    format: asIs,
  };
}

/** A duration with its unit; the value is in milliseconds. */
export function duration(minMs: number, maxMs: number): Kind<number> {
  return {
    schema: z.string().transform(parseDuration).pipe(z.number().min(minMs).max(maxMs)),
    allowed: `a duration from ${formatDuration(minMs)} to ${formatDuration(maxMs)}, such as 500ms, 5s, 5m or 1h`,
    format: formatDuration,
    milliseconds: true,
  };
}

/** A size, as text with its unit or as plain bytes; the value is in bytes. */
export function size(minBytes: number, maxBytes: number): Kind<number> {
  const text = z.union([z.string(), z.number().transform(String)]);
  return {
    schema: text.transform(parseSize).pipe(z.number().min(minBytes).max(maxBytes)),
    allowed: `a size from ${formatSize(minBytes)} to ${formatSize(maxBytes)}, such as 64KiB, 512MiB or 1GiB`,
    format: formatSize,
  };
}

/** As {@link size}, and a power of two. */
export function powerOfTwoSize(minBytes: number, maxBytes: number): Kind<number> {
  const plain = size(minBytes, maxBytes);
  return {
    schema: plain.schema.refine((bytes) => Number.isInteger(Math.log2(bytes))),
    allowed: `a power of two from ${formatSize(minBytes)} to ${formatSize(maxBytes)}, such as 64KiB or 1MiB`,
    format: formatSize,
  };
}

/** An ID that fits its 32-byte field of the handshake as it stands; nothing is truncated (rulings 2). */
export function chainIdText(): Kind<string> {
  return {
    // Zero pads the field, so a control character could not be told from padding.
    schema: z.string().refine((id) => fitsIdField(id) && !/\p{Cc}/u.test(id) && id.isWellFormed()),
    allowed: `text of 1 to ${ID_BYTES} bytes without control characters`,
    format: asIs,
  };
}

function fitsIdField(id: string): boolean {
  const bytes = Buffer.byteLength(id, 'utf8');
  return bytes >= 1 && bytes <= ID_BYTES;
}

/** A message type (rulings 1). */
export function messageTypeText(): Kind<string> {
  return {
    schema: z.string().refine(isMessageType),
    allowed: `1 to ${MAX_TYPE_BYTES} bytes of UTF-8 without control characters`,
    format: asIs,
  };
}

function isMessageType(text: string): boolean {
  const bytes = Buffer.from(text, 'utf8');
  return text.isWellFormed() && isValidTypeBytes(bytes, 0, bytes.length);
}

const relayedSchema = z.string().transform((text, context): RelayedType => {
  const split = /^(.*)=(all|[1-9]\d{0,4})$/s.exec(text);
  const type = split?.[1] ?? text;
  const fanout = split === null || split[2] === 'all' ? 'all' : Number(split[2]);
  if (!isMessageType(type) || isControlType(type) || (fanout !== 'all' && fanout > MAX_FANOUT)) return refuse(context);
  return { type, fanout };
});

/** Message types to pass on, each to all peers or, as `TYPE=N`, to N. */
export function relayList(): Kind<readonly RelayedType[]> {
  const different = (types: readonly RelayedType[]) => allDifferent(types.map(({ type }) => type));
  return {
    schema: z.preprocess(listFromText, z.array(relayedSchema).refine(different)),
    allowed: "different message types that are not the protocol's own, as TYPE or TYPE=N (to N peers)",
    format: (types) => types.map(({ type, fanout }) => (fanout === 'all' ? type : `${type}=${fanout}`)),
    list: true,
  };
}

/** Bytes in hexadecimal. */
export function hexBytes(): Kind<Buffer> {
  return {
    schema: z
      .string()
      .regex(/^(?:[0-9a-fA-F]{2})*$/)
      .transform((text) => Buffer.from(text, 'hex')),
    allowed: 'pairs of hexadecimal digits',
    format: (bytes) => bytes.toString('hex'),
  };
}

const nodeIdSchema = z.string().regex(/^[ -?A-~]{1,32}$/);
const nodeIdAllowed = `1 to ${ID_BYTES} printable ASCII characters without '@'`;

/** A node ID (rulings 2). */
export function nodeIdText(): Kind<string> {
  return { schema: nodeIdSchema, allowed: nodeIdAllowed, format: asIs };
}

/** Different node IDs. */
export function nodeIdList(): Kind<readonly string[]> {
  return {
    schema: z.preprocess(listFromText, z.array(nodeIdSchema).refine(allDifferent)),
    allowed: `different node IDs, each ${nodeIdAllowed}`,
    format: asIs,
    list: true,
  };
}

const hostPortSchema = z.string().transform((text, context): HostPort => {
  const address = parseHostPort(text);
  return address === null ? refuse(context) : canonical(address);
});

function refuse(context: z.RefinementCtx): never {
  context.addIssue({ code: 'custom' });
  return z.NEVER;
}

/** Where to listen. Port 0 lets the system choose. */
export function hostPort(): Kind<HostPort> {
  return {
    schema: hostPortSchema,
    allowed: 'HOST:PORT with a port from 0 to 65535, such as 0.0.0.0:26656 or [::]:26656',
    format: formatHostPort,
  };
}

/** Where to listen, or not at all. */
export function hostPortOrOff(): Kind<HostPort | 'off'> {
  return {
    schema: z.union([z.literal('off'), hostPortSchema]),
    allowed: "'off' or HOST:PORT with a port from 0 to 65535, such as 127.0.0.1:26660",
    format: (value) => (value === 'off' ? 'off' : formatHostPort(value)),
  };
}

const peerSchema = z.string().transform((text, context): PeerAddress => {
  const peer = parsePeerAddress(text);
  if (peer === null || peer.port === 0) return refuse(context);
  return canonical(peer);
});

/** Address of one peer to dial. */
export function peerAddress(): Kind<PeerAddress> {
  return {
    schema: peerSchema,
    allowed: 'HOST:PORT or ID@HOST:PORT with a port from 1 to 65535',
    format: formatPeerAddress,
  };
}

function differentPeers(peers: readonly PeerAddress[]): boolean {
  const ids = peers.flatMap((peer) => (peer.id === null ? [] : [peer.id]));
  return allDifferent(ids) && allDifferent(peers.map(formatHostPort));
}

/** Addresses of peers to dial, no ID and no address twice. */
export function peerList(): Kind<readonly PeerAddress[]> {
  return {
    schema: z.preprocess(listFromText, z.array(peerSchema).refine(differentPeers)),
    allowed: 'different ID@HOST:PORT or HOST:PORT, no ID and no address twice, ports from 1 to 65535',
    format: (peers) => peers.map(formatPeerAddress),
    list: true,
  };
}

/** Paths or file URLs of modules. */
export function moduleList(): Kind<readonly string[]> {
  const fileUrl = z.instanceof(URL).transform(String);
  const item = z.union([z.string(), fileUrl]).refine(isModuleFile);
  return {
    schema: z.preprocess(listFromText, z.array(item).refine(allDifferent)),
    allowed: 'different paths or file: URLs of JavaScript modules',
    format: asIs,
    list: true,
  };
}

function isModuleFile(text: string): boolean {
  if (text === '' || text.includes('\0')) return false;
  // A scheme has two letters or more here, so that a Windows drive is not one.
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(text)?.[1]?.toLowerCase();
  return scheme === undefined || (scheme === 'file' && /^file:\/\/\//i.test(text) && isUrlOfFile(text));
}

function isUrlOfFile(url: string): boolean {
  try {
    return !fileURLToPath(url).includes('\0');
  } catch {
    return false;
  }
}

/** A path of a file or directory; `~/` is the home directory. */
export function pathText(): Kind<string> {
  return {
    schema: z.string().refine((path) => path.trim() !== '' && !path.includes('\0')),
    allowed: 'a path that is not empty',
    format: asIs,
  };
}

/** A secret that can stand in an HTTP header. */
export function token(): Kind<string> {
  return {
    schema: z.string().regex(/^[!-~]{1,256}$/),
    allowed: '1 to 256 printable ASCII characters without spaces',
    format: asIs,
  };
}

/** A number of workers, or `auto`. */
export function workerCount(max: number): Kind<number | 'auto'> {
  const count = integer(1, max);
  return { schema: z.union([z.literal('auto'), count.schema]), allowed: `'auto' or ${count.allowed}`, format: asIs };
}

/** A kind whose option may be left without a value. */
export function optional<T>(kind: Kind<T>): Kind<T | null> {
  return { ...kind, schema: kind.schema.nullable(), format: (value) => (value === null ? null : kind.format(value)) };
}
