/**
 * Owns the page's calls to the node. Addresses are relative to the page, so that it also works behind a proxy that puts
 * it into a folder. With an admin token the browser itself adds what it was told. Browser.
 */
import type { AddressInfo, BanInfo, DoctorReport, HistoryEntry, PeerInfo } from '../../api.js';

/** A dial may take its time-out and a handshake's. */
const DIAL_TIMEOUT_MS = 30_000;
const TIMEOUT_MS = 10_000;
const NO_ANSWER = 'the node does not answer';

/** A call that came to nothing. */
export class CallError extends Error {
  override readonly name = 'CallError';
  /** Of the answer; 0 when there was none. */
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

interface ErrorAnswer {
  readonly message?: unknown;
}

async function call<T>(method: string, path: string, body?: unknown, timeoutMs = TIMEOUT_MS): Promise<T> {
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      cache: 'no-store',
      signal: AbortSignal.timeout(timeoutMs),
      ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
  } catch {
    throw new CallError(0, NO_ANSWER);
  }
  const answer: unknown = await response.json().catch(() => null);
  if (response.ok) {
    // Every answer is an object; this one broke off.
    if (answer === null) throw new CallError(0, NO_ANSWER);
    return answer as T;
  }
  const { message } = (answer ?? {}) as ErrorAnswer;
  throw new CallError(response.status, typeof message === 'string' ? message : `the node answers ${response.status}`);
}

/** One step of a path. @throws CallError for what no URL can name: browsers resolve it, even when it is escaped */
function step(text: string): string {
  if (text === '.' || text === '..') throw new CallError(0, `no address can name '${text}'; ban it instead`);
  return encodeURIComponent(text);
}

export interface BanRequest {
  readonly target: string;
  readonly for?: string;
  readonly reason?: string;
}

/** Every call throws CallError, whose message is for people. */
export const nodeClient = {
  isAlive: () =>
    call('GET', 'health').then(
      () => true,
      (error: CallError) => error.status !== 0,
    ),
  peers: async () => (await call<{ peers: PeerInfo[] }>('GET', 'peers')).peers,
  addresses: async () => (await call<{ addresses: AddressInfo[] }>('GET', 'addresses')).addresses,
  bans: async () => (await call<{ bans: BanInfo[] }>('GET', 'bans')).bans,
  history: async (limit: number) => (await call<{ entries: HistoryEntry[] }>('GET', `history?limit=${limit}`)).entries,
  doctor: () => call<DoctorReport>('GET', 'doctor', undefined, DIAL_TIMEOUT_MS),
  dial: (address: string) => call<PeerInfo>('POST', 'peers', { address }, DIAL_TIMEOUT_MS),
  disconnect: async (id: string) => call('DELETE', `peers/${step(id)}`),
  ban: (request: BanRequest) => call<BanInfo>('POST', 'bans', request),
  unban: async (target: string) => call('DELETE', `bans/${step(target)}`),
};
