/**
 * Owns the one table of options. Flags, environment variables, the file's keys, validation, `--print-config` and the
 * table in the README all derive from it. Main thread.
 */
import { z } from 'zod';
import {
  chainIdText,
  choice,
  duration,
  flag,
  fraction,
  hostPort,
  hostPortOrOff,
  integer,
  type Kind,
  moduleList,
  nodeIdList,
  nodeIdText,
  optional,
  orAuto,
  orOff,
  pathText,
  peerList,
  powerOfTwoSize,
  relayList,
  size,
  token,
  workerCount,
} from './kinds.js';
import { type PresetName, presetNames, presets } from './presets.js';

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;
const hourMs = 3_600_000;

/** Raw value of a default, as it could stand in the file. */
type RawDefault = string | number | boolean | readonly string[] | null;

/** One option. Its key in the table is its key in the file and in the library's options. */
export interface Option<T> {
  readonly kind: Kind<T>;
  /** Raw, of the preset `default` where a preset sets it. */
  readonly fallback: RawDefault;
  /** Placeholder of the flag's value in help, empty for a flag without one; null when there is no flag. */
  readonly flagValue: string | null;
  /** The flag may be given several times, each time with one value. */
  readonly repeatable?: true;
  /** The flag says no, as `--no-pex`; what it does, since `doc` says what goes without it. */
  readonly negated?: string;
  /** Never printed, neither in errors nor by `--print-config`. */
  readonly secret?: true;
  /** A running node takes a new value up when its configuration is reloaded. */
  readonly live?: true;
  /** What the default is, where the raw value does not tell. */
  readonly fallbackText?: string;
  readonly doc: string;
}

function option<T>(
  kind: Kind<T>,
  fallback: RawDefault,
  flagValue: string | null,
  doc: string,
  more: Partial<Option<T>> = {},
): Option<T> {
  return { kind, fallback, flagValue, doc, ...more };
}

const timeout = duration(1, 24 * hourMs);

/** Most peers that slots are laid out for. */
const MAX_PEERS = 10_000;
const MAX_WORKERS = 64;

export const options = {
  preset: option(choice(presetNames), 'default', 'NAME', 'set of limits to start from', { live: true }),
  chainId: option(chainIdText(), 'paw-mainnet', 'ID', 'chain ID; peers of another chain are refused'),
  nodeId: option(optional(nodeIdText()), null, 'ID', 'node ID to use instead of that of the node key', {
    fallbackText: 'from the node key',
  }),
  dataDir: option(pathText(), '~/.paw/p2p', 'DIR', 'directory of the node key and the store; one node at a time'),
  listen: option(
    hostPort(),
    '[::]:26656',
    'HOST:PORT',
    'address for peers, [::] for IPv6 and IPv4; port 0 lets the system choose',
  ),
  admin: option(hostPortOrOff(), '127.0.0.1:26660', 'HOST:PORT|off', 'address of the admin HTTP'),
  adminToken: option(optional(token()), null, 'TOKEN', 'bearer token of the admin HTTP; required off loopback', {
    secret: true,
    fallbackText: 'none',
    live: true,
  }),
  externalAddress: option(
    optional(hostPort()),
    null,
    'HOST:PORT',
    'address where peers reach us, if it is not the one we listen on; announced to peers',
    { fallbackText: 'the address we listen on' },
  ),
  seeds: option(optional(peerList()), null, 'A,B,…', 'nodes to ask for peers, as HOST:PORT', {
    fallbackText: 'nine built-in seeds for paw-mainnet, none for other chains',
    live: true,
  }),
  persistentPeers: option(peerList(), [], 'ID@H:P,…', 'peers to stay connected to, best named by ID and IP address', {
    live: true,
  }),
  privatePeerIds: option(nodeIdList(), [], 'ID,…', 'node IDs whose addresses are never passed on', { live: true }),
  unconditionalPeerIds: option(nodeIdList(), [], 'ID,…', 'node IDs that do not count against the limits', {
    live: true,
  }),
  maxPeers: option(integer(1, MAX_PEERS), presets.default.maxPeers, 'N', 'maximum number of peers', { live: true }),
  maxInbound: option(
    integer(0, MAX_PEERS),
    presets.default.maxInbound,
    'N',
    'maximum number of inbound peers, at most maxPeers',
    {
      live: true,
    },
  ),
  maxOutbound: option(
    integer(0, MAX_PEERS),
    presets.default.maxOutbound,
    'N',
    'maximum number of outbound peers, at most maxPeers',
    { live: true },
  ),
  minOutbound: option(integer(0, MAX_PEERS), 10, 'N', 'number of outbound peers to maintain, at most maxOutbound', {
    live: true,
  }),
  maxPerSubnet: option(
    integer(1, MAX_PEERS),
    10,
    null,
    'maximum number of inbound peers per /24 (IPv4) or /64 (IPv6)',
    {
      live: true,
    },
  ),
  pex: option(flag(), true, '', 'whether addresses are exchanged with peers and given to crawlers', {
    negated: 'exchange no addresses with peers; answer crawls with an empty list',
  }),
  pexInterval: option(duration(5000, 24 * hourMs), '30s', null, 'how often addresses are sent to a peer', {
    live: true,
  }),
  feelerInterval: option(
    duration(100, 24 * hourMs),
    '2m',
    null,
    'how often a node with enough peers tries another address, to check it and to mix the network',
    { live: true },
  ),
  seedMode: option(flag(), false, '', 'probes addresses, hands them out, and then closes inbound connections'),
  nonStrictAddresses: option(flag(), false, '', 'accepts loopback and private addresses into the address book'),
  crawlGrace: option(
    duration(1, 10_000),
    '300ms',
    'TIME',
    'silence after the first byte that marks a crawl, not a handshake',
    { live: true },
  ),
  relay: option(
    relayList(),
    [],
    'TYPE,…',
    'message types that are passed on to other peers, once each; TYPE=N to N peers',
    { live: true },
  ),
  gossipCache: option(
    powerOfTwoSize(64 * KiB, GiB),
    '4MiB',
    null,
    'memory for messages seen in the last 5 minutes, 16 bytes each; a power of two',
  ),
  receiveRate: option(orOff(size(KiB, 64 * GiB)), 'off', null, 'bytes per second read from one peer', {
    live: true,
  }),
  sendRate: option(orOff(size(KiB, 64 * GiB)), 'off', null, 'bytes per second sent to one peer', { live: true }),
  receiveMessages: option(orOff(integer(1, 1e9)), 'off', null, 'messages per second read from one peer', {
    live: true,
  }),
  sendMessages: option(orOff(integer(1, 1e9)), 'off', null, 'messages per second sent to one peer', {
    live: true,
  }),
  workers: option(workerCount(MAX_WORKERS), 'auto', 'N|auto', 'worker threads', {
    fallbackText: 'auto: one fewer than the cores, 1 to 4',
  }),
  workerTimeout: option(
    orOff(timeout),
    '10s',
    null,
    'a worker that hangs in a message handler for this long is replaced',
    { live: true },
  ),
  workerHeap: option(
    size(16 * MiB, 64 * GiB),
    '512MiB',
    null,
    'largest JavaScript heap of one worker; a worker that needs more is replaced',
  ),
  handlers: option(moduleList(), [], 'FILE', 'module of message handlers, loaded in every worker', {
    repeatable: true,
  }),
  dialTimeout: option(timeout, '5s', 'TIME', 'time for a TCP connection to be established', { live: true }),
  handshakeTimeout: option(timeout, '10s', 'TIME', 'time for a handshake to complete', { live: true }),
  readTimeout: option(timeout, '30s', 'TIME', 'a peer that sends no byte for this long is disconnected', {
    live: true,
  }),
  writeTimeout: option(timeout, '5s', 'TIME', 'a peer that takes no waiting byte for this long is disconnected', {
    live: true,
  }),
  pingInterval: option(timeout, '30s', 'TIME', 'keep-alive; a peer that nothing was sent to for half of it is pinged', {
    live: true,
  }),
  inactivityTimeout: option(timeout, '5m', 'TIME', 'a peer with no traffic but pings for this long is disconnected', {
    live: true,
  }),
  frameTimeout: option(timeout, '60s', null, 'time a started frame has to arrive completely', { live: true }),
  shutdownTimeout: option(timeout, '4s', null, 'time for handlers and writes to finish at shutdown', { live: true }),
  backoffJitter: option(
    fraction(),
    0.2,
    null,
    'largest random fraction added to the wait between dials of one address',
    {
      live: true,
    },
  ),
  sendQueue: option(size(64 * KiB, GiB), '8MiB', null, 'bytes that may wait to be sent to one peer'),
  memoryBudget: option(
    size(8 * MiB, 64 * GiB),
    '512MiB',
    'SIZE',
    'maximum bytes of rings, partial frames, queues and caches together',
    { live: true },
  ),
  ringSize: option(
    orAuto(powerOfTwoSize(4 * KiB, 64 * MiB)),
    'auto',
    null,
    'receive ring of one connection, a power of two; takes memory only as data arrives',
    { fallbackText: 'auto: 8MiB, or what fits into half of the memory budget' },
  ),
  outboundRing: option(
    powerOfTwoSize(64 * KiB, 64 * MiB),
    '1MiB',
    null,
    'ring from one worker to the main thread, a power of two',
  ),
  logLevel: option(
    choice(['debug', 'info', 'warn', 'error', 'silent']),
    'info',
    'LEVEL',
    'lowest level that is logged',
    { live: true },
  ),
  logFormat: option(optional(choice(['pretty', 'json'])), null, 'FORMAT', 'format of log lines', {
    fallbackText: 'pretty on a terminal, else json',
  }),
  logFile: option(
    optional(pathText()),
    null,
    'FILE',
    'file that the log is appended to; SIGUSR2 reopens it, for log rotation',
    { fallbackText: 'none: standard output' },
  ),
} as const;

export type OptionKey = keyof typeof options;
export type ParsedOf<K extends OptionKey> = (typeof options)[K] extends Option<infer T> ? T : never;

/** All options, validated one by one but not yet against each other. */
export type Parsed = { readonly [K in OptionKey]: ParsedOf<K> };

export const optionKeys = Object.keys(options) as readonly OptionKey[];

/** An option by key, without the type of its value. */
export function optionOf(key: OptionKey): Option<unknown> {
  return options[key] as unknown as Option<unknown>;
}

export function isOptionKey(key: string): key is OptionKey {
  return Object.hasOwn(options, key);
}

/** `dialTimeout` as `dial-timeout`. */
export function kebabCase(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** Name of the flag, such as `--dial-timeout` or `--no-pex`. */
export function flagName(key: OptionKey): string {
  return `--${optionOf(key).negated ? 'no-' : ''}${kebabCase(key)}`;
}

/** Name of the environment variable, such as `PAW_DIAL_TIMEOUT`. */
export function environmentName(key: OptionKey): string {
  return `PAW_${kebabCase(key).replaceAll('-', '_').toUpperCase()}`;
}

/** Validates one raw value per option. */
export const optionsSchema = z.strictObject(
  Object.fromEntries(optionKeys.map((key) => [key, optionOf(key).kind.schema])),
) as unknown as z.ZodType<Parsed>;

/** What an option's default is, for help and tables. */
export function fallbackText(key: OptionKey): string {
  const { fallback, fallbackText: text } = optionOf(key);
  if (text !== undefined) return text;
  return Array.isArray(fallback) ? 'none' : String(fallback);
}

function presetText(key: OptionKey): string {
  const others = presetNames.filter((name): name is Exclude<PresetName, 'default'> => name !== 'default');
  const parts = others.flatMap((name) => {
    const value = (presets[name] as Partial<Record<string, number | string>>)[key];
    return value === undefined ? [] : [`${value} with ${name}`];
  });
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`;
}

/** The options as a Markdown table, for the README. */
export function configurationTable(): string {
  const rows = optionKeys.map((key) => {
    const { kind, flagValue, doc, live } = optionOf(key);
    const flag = flagValue === null ? '' : `\`${flagName(key)}\``;
    const cells = [
      `\`${key}\``,
      flag,
      `\`${environmentName(key)}\``,
      fallbackText(key) + presetText(key),
      kind.allowed,
      doc,
      live ? 'live' : 'restart',
    ];
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  });
  const head = [
    '| key | flag | environment | default | allowed | what it does | takes effect |',
    '| --- | --- | --- | --- | --- | --- | --- |',
  ];
  return `${[...head, ...rows].join('\n')}\n`;
}
