/**
 * Owns the merging of configuration: flags over library options over environment over file over preset over defaults,
 * then validation one by one and together. Pure but for `thisHost`; main thread.
 */
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { ConfigError } from '../../shared/errors.js';
import { formatDuration } from './duration.js';
import { isLoopbackHost } from './loopback.js';
import { nearestName } from './nearest.js';
import {
  environmentName,
  flagName,
  isOptionKey,
  type OptionKey,
  optionKeys,
  optionOf,
  optionsSchema,
  type Parsed,
} from './options.js';
import { type PresetName, presetNames, presets } from './presets.js';
import { defaultSeeds, MAINNET } from './seeds.js';
import type { NodeOptions, OptionNamesAgree, Settings } from './settings.js';
import { oneLine, wrongSecret, wrongValue } from './wrong-value.js';

// Fails to compile when NodeOptions and the table differ.
true satisfies OptionNamesAgree;

/** Raw values by key, as one source gave them. Undefined and null mean that it says nothing. */
export type RawValues = Readonly<Record<string, unknown>>;

/** Where values come from; a source earlier in this list wins. */
export interface Sources {
  /** Flags of a command, by key. */
  readonly flags?: RawValues;
  /** Options of `createNode`. */
  readonly library?: NodeOptions;
  /** The environment; only variables of the table are read. An empty variable is a value, not absence. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Parsed configuration file. Relative paths in it start from its own directory. */
  readonly file?: { readonly path: string; readonly values: RawValues };
}

/** What the machine and process add to defaults. */
export interface Host {
  readonly cwd: string;
  readonly homeDir: string;
  readonly cores: number;
  readonly stdoutIsTerminal: boolean;
}

/** This process on this machine. */
export function thisHost(): Host {
  return {
    cwd: process.cwd(),
    homeDir: os.homedir(),
    cores: os.availableParallelism(),
    stdoutIsTerminal: process.stdout.isTTY === true,
  };
}

interface Given {
  readonly raw: unknown;
  /** Where it was said, for messages: `--listen`, `PAW_LISTEN`, a file's path. */
  readonly source: string;
  /** Where relative paths start. */
  readonly baseDir: string;
}

type GivenValues = Map<OptionKey, Given>;

/**
 * Merges the sources over preset and defaults, and validates the whole.
 * @throws ConfigError whose one-line message names the key, the value and what is allowed
 */
export function resolveSettings(sources: Sources, host: Host = thisHost()): Settings {
  const given = collect(sources, host);
  const preset = presetOf(given);
  const parsed = parseAll(given, preset);
  checkTogether(parsed, given);
  return complete(parsed, given, host);
}

/** The highest source of each key that some source gives. Lower sources are put first, so higher ones overwrite. */
function collect(sources: Sources, host: Host): GivenValues {
  const given: GivenValues = new Map();
  const put = (key: OptionKey, raw: unknown, source: string, baseDir: string): void => {
    if (raw !== undefined && raw !== null) given.set(key, { raw, source, baseDir });
  };
  if (sources.file !== undefined) {
    const { path: filePath, values } = sources.file;
    for (const [key, raw] of knownEntries(canonicalKeys(values), filePath))
      put(key, raw, filePath, path.dirname(filePath));
  }
  for (const key of optionKeys) put(key, sources.env?.[environmentName(key)], environmentName(key), host.cwd);
  const { types: _types, logger: _logger, ...library } = sources.library ?? {};
  for (const [key, raw] of knownEntries(library, 'options')) put(key, inMilliseconds(key, raw), 'options', host.cwd);
  for (const [key, raw] of knownEntries(sources.flags ?? {}, 'flags')) put(key, raw, flagName(key), host.cwd);
  return given;
}

function* knownEntries(values: RawValues, source: string): Generator<[OptionKey, unknown]> {
  for (const [key, raw] of Object.entries(values)) {
    if (!isOptionKey(key)) {
      const nearest = nearestName(key, optionKeys);
      throw new ConfigError(key, `${oneLine(key)} is not an option (${source}): the nearest known is ${nearest}`);
    }
    yield [key, raw];
  }
}

/** The file may spell a key `chain-id` or `chain_id`; the table knows it as `chainId`. */
function canonicalKeys(values: RawValues): RawValues {
  // Without a prototype, where a key `__proto__` would vanish.
  const canonical: Record<string, unknown> = Object.create(null);
  for (const [spelled, raw] of Object.entries(values)) {
    const camel = spelled.replace(/[-_]([a-z])/g, (_, letter: string) => letter.toUpperCase());
    const key = isOptionKey(camel) ? camel : spelled;
    if (Object.hasOwn(canonical, key))
      throw new ConfigError(key, `${key} stands twice in the file, also as ${spelled}`);
    canonical[key] = raw;
  }
  return canonical;
}

/** The library may give durations in milliseconds; text is required elsewhere, where a bare number tells no unit. */
function inMilliseconds(key: OptionKey, raw: unknown): unknown {
  return optionOf(key).kind.milliseconds && typeof raw === 'number' ? `${raw}ms` : raw;
}

function presetOf(given: GivenValues): PresetName {
  const named = given.get('preset');
  if (named === undefined) return 'default';
  if (!presetNames.includes(named.raw as PresetName)) throw refused('preset', given);
  return named.raw as PresetName;
}

function parseAll(given: GivenValues, preset: PresetName): Parsed {
  const raw: Record<string, unknown> = {};
  for (const key of optionKeys) raw[key] = given.has(key) ? given.get(key)?.raw : optionOf(key).fallback;
  for (const [key, value] of Object.entries(presets[preset])) if (!given.has(key as OptionKey)) raw[key] = value;
  const result = optionsSchema.safeParse(raw);
  if (!result.success) throw refused(result.error.issues[0]?.path[0] as OptionKey, given);
  return bendLimits(result.data, given);
}

/** Who lowers one limit alone gets those that hang on it cut to fit, not an error about what they never set. */
function bendLimits(parsed: Parsed, given: GivenValues): Parsed {
  const bend = (key: 'maxInbound' | 'maxOutbound' | 'minOutbound' | 'crawlGrace', most: number): number =>
    given.has(key) ? parsed[key] : Math.min(parsed[key], most);
  const maxOutbound = bend('maxOutbound', parsed.maxPeers);
  return {
    ...parsed,
    maxInbound: bend('maxInbound', parsed.maxPeers),
    maxOutbound,
    minOutbound: bend('minOutbound', maxOutbound),
    crawlGrace: bend('crawlGrace', Math.ceil(parsed.handshakeTimeout / 2)),
  };
}

function checkTogether(parsed: Parsed, given: GivenValues): void {
  for (const key of ['maxInbound', 'maxOutbound'] as const) {
    if (parsed[key] > parsed.maxPeers) throw refused(key, given, `at most maxPeers, which is ${parsed.maxPeers}`);
  }
  if (parsed.minOutbound > parsed.maxOutbound) {
    throw refused('minOutbound', given, `at most maxOutbound, which is ${parsed.maxOutbound}`);
  }
  if (parsed.externalAddress?.port === 0) {
    throw refused('externalAddress', given, 'HOST:PORT with a port from 1 to 65535');
  }
  if (parsed.crawlGrace >= parsed.handshakeTimeout) {
    const timeout = formatDuration(parsed.handshakeTimeout);
    throw refused('crawlGrace', given, `shorter than handshakeTimeout, which is ${timeout}`);
  }
  if (parsed.readTimeout * 2 <= parsed.pingInterval) {
    const interval = formatDuration(parsed.pingInterval);
    throw refused('readTimeout', given, `longer than half of pingInterval, which is ${interval}`);
  }
  if (parsed.admin !== 'off' && !isLoopbackHost(parsed.admin.host) && parsed.adminToken === null) {
    throw refused('admin', given, `'off' or a loopback address, or come with ${flagName('adminToken')}`);
  }
}

function refused(key: OptionKey, given: GivenValues, allowed = optionOf(key).kind.allowed): ConfigError {
  const { secret, fallback } = optionOf(key);
  const { raw, source } = given.get(key) ?? { raw: fallback, source: 'default' };
  return secret ? wrongSecret(key, source, allowed) : wrongValue(key, raw, source, allowed);
}

function complete(parsed: Parsed, given: GivenValues, host: Host): Settings {
  const baseOf = (key: OptionKey): string => given.get(key)?.baseDir ?? host.cwd;
  return {
    preset: parsed.preset,
    chainId: parsed.chainId,
    nodeId: parsed.nodeId,
    dataDir: absolutePath(parsed.dataDir, baseOf('dataDir'), host.homeDir),
    listen: parsed.listen,
    admin: parsed.admin === 'off' ? null : parsed.admin,
    adminToken: parsed.adminToken,
    externalAddress: parsed.externalAddress,
    seeds: parsed.seeds ?? (parsed.chainId === MAINNET ? defaultSeeds : []),
    persistentPeers: parsed.persistentPeers,
    privatePeerIds: parsed.privatePeerIds,
    unconditionalPeerIds: parsed.unconditionalPeerIds,
    maxPeers: parsed.maxPeers,
    maxInbound: parsed.maxInbound,
    maxOutbound: parsed.maxOutbound,
    minOutbound: parsed.minOutbound,
    maxPerSubnet: parsed.maxPerSubnet,
    pex: parsed.pex,
    pexIntervalMs: parsed.pexInterval,
    seedMode: parsed.seedMode,
    feelerIntervalMs: parsed.feelerInterval,
    strictAddresses: !parsed.nonStrictAddresses,
    crawlGraceMs: parsed.crawlGrace,
    relay: parsed.relay,
    gossipCacheBytes: parsed.gossipCache,
    receiveRateBytes: parsed.receiveRate,
    sendRateBytes: parsed.sendRate,
    receiveRateMessages: parsed.receiveMessages,
    sendRateMessages: parsed.sendMessages,
    workers: parsed.workers === 'auto' ? Math.min(4, Math.max(1, host.cores - 1)) : parsed.workers,
    workerTimeoutMs: parsed.workerTimeout,
    workerHeapBytes: parsed.workerHeap,
    handlers: moduleUrls(parsed, given, baseOf('handlers'), host.homeDir),
    dialTimeoutMs: parsed.dialTimeout,
    handshakeTimeoutMs: parsed.handshakeTimeout,
    readTimeoutMs: parsed.readTimeout,
    writeTimeoutMs: parsed.writeTimeout,
    pingIntervalMs: parsed.pingInterval,
    inactivityTimeoutMs: parsed.inactivityTimeout,
    frameTimeoutMs: parsed.frameTimeout,
    shutdownTimeoutMs: parsed.shutdownTimeout,
    backoffJitter: parsed.backoffJitter,
    sendQueueBytes: parsed.sendQueue,
    memoryBudgetBytes: parsed.memoryBudget,
    ringBytes: parsed.ringSize,
    outboundRingBytes: parsed.outboundRing,
    logLevel: parsed.logLevel,
    logFormat: parsed.logFormat ?? (parsed.logFile === null && host.stdoutIsTerminal ? 'pretty' : 'json'),
    logFile: parsed.logFile === null ? null : absolutePath(parsed.logFile, baseOf('logFile'), host.homeDir),
  };
}

function absolutePath(text: string, baseDir: string, homeDir: string): string {
  const isOfHome = text === '~' || text.startsWith('~/');
  return isOfHome ? path.resolve(homeDir, `.${text.slice(1)}`) : path.resolve(baseDir, text);
}

/** @throws ConfigError for one file twice, and for a name that no URL can hold, since it would become another file's */
function moduleUrls({ handlers }: Parsed, given: GivenValues, baseDir: string, homeDir: string): string[] {
  const paths = handlers.map((module) =>
    absolutePath(/^file:/i.test(module) ? fileURLToPath(module) : module, baseDir, homeDir),
  );
  const urls = paths.map((one) => pathToFileURL(one).href);
  const areKept = urls.every((url, i) => fileURLToPath(url) === paths[i]);
  if (!areKept || new Set(urls).size < urls.length) throw refused('handlers', given);
  return urls;
}
