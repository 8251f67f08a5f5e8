/**
 * Asks a seed for peers (specification 2.1, rulings 3): connect, one byte, read the list, close. Main thread. Never
 * rejects: whatever a seed does, there is a result that says so.
 */
import { ErrorCode, PeerError } from '../../shared/errors.js';
import { CRAWL_REQUEST } from '../../shared/limits.js';
import {
  decodePeerList,
  type OwnAddress,
  PeerListCollector,
  type PeerListEntry,
  type PeerListFault,
} from '../../shared/wire/peer-list.js';
import { formatAddress } from '../net/address.js';
import type { Network } from '../net/network.js';
import type { Timers } from '../timers.js';

/** Most addresses of one name that are asked, one after the other. */
const MAX_ADDRESSES = 8;
const PIECE_BYTES = 16 * 1024;

/** A seed to ask, and how. */
export interface CrawlRequest {
  /** A name or an IP address. */
  readonly host: string;
  readonly port: number;
  /** Whether addresses that the internet doesn't route are useless. */
  readonly strict: boolean;
  readonly own: OwnAddress;
  /** For each address of the seed, from the connection to the end of its answer. */
  readonly timeoutMs: number;
  /** Gives the crawl up. */
  readonly signal?: AbortSignal;
  readonly network: Network;
  readonly timers: Timers;
}

/**
 * Why a seed gave no whole answer: its name has no address, nothing listens there, nothing gets there, it says nothing in
 * time, it closes, it answers what is no peer list, or we gave up.
 */
export type CrawlFault = 'name' | 'refused' | 'unreachable' | 'silent' | 'closed' | 'answer' | 'given-up';

/** What a seed told. With an error, `entries` are those that came before it. */
export interface CrawlResult {
  readonly entries: readonly PeerListEntry[];
  /** Entries that were well formed and useless. */
  readonly skipped: number;
  /** The IP address that answered, or that was asked last; empty if the name has none. */
  readonly address: string;
  /** The first few entries that are about ourselves. */
  readonly own: readonly PeerListEntry[];
  /** Null as long as `error` is. */
  readonly fault: CrawlFault | null;
  /** InvalidMessageFormat for a wrong answer, NetworkError for none. */
  readonly error: PeerError | null;
}

/** Asks a seed for peers: all its addresses in turn, until one gives any. */
export async function crawlSeed(request: CrawlRequest): Promise<CrawlResult> {
  const seed = formatAddress(request.host, request.port);
  let addresses: readonly string[];
  try {
    addresses = await untilAborted(request.network.resolve(request.host), request.signal);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return failure('', 'name', `${seed}: the name is not known (${code ?? message})`);
  }
  let last = failure('', 'name', `${seed}: the name has no address`);
  for (const address of addresses.slice(0, MAX_ADDRESSES)) {
    if (request.signal?.aborted) break;
    last = await crawlAddress(address, request);
    if (last.error === null || last.entries.length > 0) break;
  }
  return last;
}

/** A resolver that hangs must not hold up whoever wants to stop. */
function untilAborted(names: Promise<readonly string[]>, signal: AbortSignal | undefined): Promise<readonly string[]> {
  if (signal === undefined) return names;
  return new Promise((resolve, reject) => {
    const onAbort = () => resolve([]);
    signal.addEventListener('abort', onAbort, { once: true });
    names.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

function failure(address: string, fault: CrawlFault, message: string): CrawlResult {
  const error = new PeerError(ErrorCode.NetworkError, message);
  return { entries: [], skipped: 0, own: [], address, fault, error };
}

function crawlAddress(address: string, request: CrawlRequest): Promise<CrawlResult> {
  const { port, strict, own, timeoutMs, signal, network, timers } = request;
  const where = formatAddress(address, port);
  return new Promise((resolve) => {
    const answer = new PeerListCollector();
    const piece = Buffer.allocUnsafe(PIECE_BYTES);
    const received = (bytes: number): boolean => {
      if (answer.add(Buffer.from(piece.subarray(0, bytes)))) decode();
      return true;
    };
    const socket = network.connect({ host: address, port }, { buffer: () => piece, received });
    const timer = timers.after(timeoutMs, () => end('silent', 'no whole answer in time'));
    const onAbort = () => end('given-up', 'given up');
    signal?.addEventListener('abort', onAbort, { once: true });

    const settle = (result: CrawlResult): void => {
      timer.cancel();
      signal?.removeEventListener('abort', onAbort);
      socket.destroy();
      resolve(result);
    };
    const decode = (): void => {
      const { error, ...list } = decodePeerList({ bytes: answer.bytes, strict, own });
      if (error === null) settle({ ...list, address, fault: null, error });
      else settle({ ...list, address, fault: 'answer', error: faulty(where, error) });
    };
    const end = (fault: CrawlFault, why: string): void => {
      if (answer.length === 0) settle(failure(address, fault, `${where}: ${why}`));
      else decode();
    };

    socket.on('connect', () => {
      // Our end closes at once: that tells a crawl from a handshake without a wait (rulings 3).
      socket.write(Buffer.of(CRAWL_REQUEST));
      socket.end();
    });
    socket.on('error', (error) => end(faultOf(error), error.code ?? error.message));
    const onEnd = () => end('closed', 'closed without an answer, as seeds do that were asked too often');
    socket.on('end', onEnd);
    socket.on('close', onEnd);
  });
}

function faultOf({ code }: NodeJS.ErrnoException): CrawlFault {
  if (code === 'ECONNREFUSED') return 'refused';
  if (code === 'ETIMEDOUT') return 'silent';
  return code === 'ECONNRESET' || code === 'EPIPE' ? 'closed' : 'unreachable';
}

function faulty(where: string, fault: PeerListFault): PeerError {
  const what = {
    count: 'more than 1000 peers promised',
    idLen: 'an ID longer than 128 bytes',
    ipLen: 'an address longer than 64 bytes',
    truncated: 'fewer peers than promised',
  }[fault];
  return new PeerError(ErrorCode.InvalidMessageFormat, `${where}: ${what}`);
}
