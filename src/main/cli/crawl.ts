/**
 * Owns the command `crawl`: asks seeds for peers, with no node of our own. Main thread.
 */
import type { Command } from 'commander';
import type { PeerError } from '../../shared/errors.js';
import { count } from '../amounts.js';
import { duration, peerAddress } from '../config/kinds.js';
import { type CrawlResult, crawlSeed } from '../discovery/seed-crawler.js';
import { harmless } from '../harmless-text.js';
import { formatAddress, formatHostPort, type HostPort, type PeerAddress, withoutAddress } from '../net/address.js';
import { systemNetwork } from '../net/system-network.js';
import { systemTimers } from '../timers.js';
import { configFlag, optionValue, parseFlag } from './config-flags.js';
import { ExitCode, hexCode } from './exit.js';
import { outputColumns } from './show.js';
import { type Column, tableText } from './table.js';

const TIMEOUT_MS_MAX = 3_600_000;

interface CrawlFlags {
  readonly timeout: string;
  readonly nonStrictAddresses?: true;
  readonly json?: true;
}

/** A seed that was asked, and what came of it. */
export interface Crawled {
  readonly seed: HostPort;
  readonly result: CrawlResult;
}

interface Found {
  readonly seed: string;
  readonly id: string;
  readonly address: string;
}

const columns: readonly Column<Found>[] = [
  { head: 'seed', cell: ({ seed }) => seed, goes: 1 },
  { head: 'id', cell: ({ id }) => id },
  { head: 'address', cell: ({ address }) => address },
];

/** What seeds told, as a table for people, and a line about each seed. */
export function crawlText(crawled: readonly Crawled[], columnsMax: number): string {
  const found = crawled.flatMap(({ seed, result }) =>
    result.entries.map(({ id, ip, port }) => ({
      seed: formatHostPort(seed),
      id,
      address: formatAddress(ip, port),
    })),
  );
  const table = found.length === 0 ? '' : `${tableText(columns, found, columnsMax)}\n`;
  return table + crawled.map(summaryLine).join('');
}

function summaryLine({ seed, result: { entries, skipped, address, error } }: Crawled): string {
  const from = address === '' || address === seed.host ? '' : ` (${address})`;
  const counts = `${count(entries.length, 'peer')}, ${skipped} skipped`;
  return `${harmless(`${formatHostPort(seed)}${from}: ${counts}${error === null ? '' : failureOf(error)}`)}\n`;
}

/** The message begins with the address, which stands in the line already. */
function failureOf({ message, code, codeName }: PeerError): string {
  return `; failed: ${withoutAddress(message)} (${hexCode(code)} ${codeName})`;
}

function crawlJson(crawled: readonly Crawled[]): string {
  const seeds = crawled.map(({ seed, result: { entries, skipped, address, error } }) => ({
    seed: formatHostPort(seed),
    address,
    peers: entries.map(({ id, ip, port }) => ({ id, address: ip, port })),
    skipped,
    error: error === null ? null : { code: error.code, name: error.codeName, message: error.message },
  }));
  return JSON.stringify({ seeds });
}

async function crawl(addresses: readonly string[], flags: CrawlFlags): Promise<void> {
  const seeds = addresses.map((address) => parseFlag('address', peerAddress(), address, 'argument'));
  const timeoutMs = parseFlag('timeout', duration(1, TIMEOUT_MS_MAX), flags.timeout);
  const strict = !optionValue('nonStrictAddresses', flags.nonStrictAddresses);
  const ask = async (seed: PeerAddress): Promise<Crawled> => {
    // Nobody can have an empty ID, so nothing in a list is our own.
    const result = await crawlSeed({
      ...seed,
      strict,
      own: { id: '', addresses: [] },
      timeoutMs,
      network: systemNetwork,
      timers: systemTimers,
    });
    return { seed, result };
  };
  const crawled = await Promise.all(seeds.map(ask));
  process.stdout.write(flags.json ? `${crawlJson(crawled)}\n` : crawlText(crawled, outputColumns()));
  if (crawled.every(({ result }) => result.error !== null)) process.exitCode = ExitCode.Failed;
}

export function registerCrawl(program: Command): void {
  program
    .command('crawl')
    .description('asks seeds for peers; fails if no seed answers')
    .argument('<address...>', 'HOST:PORT of each seed')
    .addOption(configFlag('nonStrictAddresses'))
    .option('--timeout <TIME>', 'longest wait for an answer from one address of a seed', '10s')
    .option('--json', 'print the result as JSON')
    .action(crawl);
}
