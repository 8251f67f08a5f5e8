/**
 * Owns how settings print as a configuration file. Pure; main thread.
 */
import { stringify } from 'smol-toml';
import { fallbackText, type OptionKey, optionKeys, optionOf, type Parsed } from './options.js';
import type { Settings } from './settings.js';

/** Settings as values of the options they came from, which know how they print. */
function asParsed(settings: Settings): Parsed {
  return {
    preset: settings.preset,
    chainId: settings.chainId,
    nodeId: settings.nodeId,
    dataDir: settings.dataDir,
    listen: settings.listen,
    admin: settings.admin ?? 'off',
    adminToken: settings.adminToken,
    externalAddress: settings.externalAddress,
    seeds: settings.seeds,
    persistentPeers: settings.persistentPeers,
    privatePeerIds: settings.privatePeerIds,
    unconditionalPeerIds: settings.unconditionalPeerIds,
    maxPeers: settings.maxPeers,
    maxInbound: settings.maxInbound,
    maxOutbound: settings.maxOutbound,
    minOutbound: settings.minOutbound,
    maxPerSubnet: settings.maxPerSubnet,
    pex: settings.pex,
    pexInterval: settings.pexIntervalMs,
    seedMode: settings.seedMode,
    feelerInterval: settings.feelerIntervalMs,
    nonStrictAddresses: !settings.strictAddresses,
    crawlGrace: settings.crawlGraceMs,
    relay: settings.relay,
    gossipCache: settings.gossipCacheBytes,
    receiveRate: settings.receiveRateBytes,
    sendRate: settings.sendRateBytes,
    receiveMessages: settings.receiveRateMessages,
    sendMessages: settings.sendRateMessages,
    workers: settings.workers,
    handlers: settings.handlers,
    dialTimeout: settings.dialTimeoutMs,
    handshakeTimeout: settings.handshakeTimeoutMs,
    readTimeout: settings.readTimeoutMs,
    writeTimeout: settings.writeTimeoutMs,
    pingInterval: settings.pingIntervalMs,
    inactivityTimeout: settings.inactivityTimeoutMs,
    frameTimeout: settings.frameTimeoutMs,
    shutdownTimeout: settings.shutdownTimeoutMs,
    backoffJitter: settings.backoffJitter,
    sendQueue: settings.sendQueueBytes,
    memoryBudget: settings.memoryBudgetBytes,
    ringSize: settings.ringBytes,
    outboundRing: settings.outboundRingBytes,
    logLevel: settings.logLevel,
    logFormat: settings.logFormat,
    logFile: settings.logFile,
  };
}

function line(key: OptionKey, value: unknown): string {
  const { kind, secret } = optionOf(key);
  const printable = kind.format(value);
  if (printable === null) return `# ${key}: ${fallbackText(key)}`;
  if (secret) return `# ${key}: set, not shown`;
  return stringify({ [key]: printable }).trimEnd();
}

/** Settings by key, as they would stand in a file; null for what is not set. A secret shows only that it is set. */
export function settingsByKey(settings: Settings): Record<OptionKey, unknown> {
  const parsed = asParsed(settings);
  const shown = (key: OptionKey) => {
    const { kind, secret } = optionOf(key);
    const printable = kind.format(parsed[key]);
    return secret && printable !== null ? 'set, not shown' : printable;
  };
  return Object.fromEntries(optionKeys.map((key) => [key, shown(key)])) as Record<OptionKey, unknown>;
}

/**
 * The effective configuration as TOML, every option on its own line. Read back as a file it gives the same settings;
 * only a secret is not printed.
 */
export function printSettings(settings: Settings): string {
  const parsed = asParsed(settings);
  return `${optionKeys.map((key) => line(key, parsed[key])).join('\n')}\n`;
}
