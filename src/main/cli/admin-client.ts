/**
 * Owns how commands talk to a running node: its admin HTTP, and what its refusals mean to whoever typed the command.
 * Main thread.
 */
import { request } from 'node:http';
import { text as readText } from 'node:stream/consumers';
import type { Command } from 'commander';
import { ConfigError, NodeError, PeerError } from '../../shared/errors.js';
import { formatHostPort, type HostPort } from '../net/address.js';
import { configFlag, optionValue } from './config-flags.js';

const ANSWER_TIMEOUT_MS = 5000;

/** Flags of {@link addAdminFlags}, as commander gives them. */
export interface AdminFlags {
  readonly admin?: string;
  readonly adminToken?: string;
  readonly json?: true;
}

export function addAdminFlags(command: Command, route: string): Command {
  return command
    .addOption(configFlag('admin', 'HOST:PORT'))
    .addOption(configFlag('adminToken'))
    .option('--json', `print JSON, as ${route} answers`);
}

export interface AdminCall {
  readonly method?: 'GET' | 'POST' | 'DELETE';
  /** With segments escaped by `encodeURIComponent`. */
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly timeoutMs?: number;
}

/** What a node that did as it was told answered: the text as it came, and what it says. */
export interface AdminAnswer {
  readonly text: string;
  readonly value: unknown;
}

/** A node's admin HTTP. */
export class AdminClient {
  readonly #host: HostPort;
  readonly #token: string | null;

  /** @throws ConfigError for a wrong address or token */
  constructor(flags: AdminFlags) {
    const admin = optionValue('admin', flags.admin);
    if (admin === 'off') throw new ConfigError('admin', "admin is 'off': must be the HOST:PORT of a running node");
    this.#host = admin;
    this.#token = optionValue('adminToken', flags.adminToken);
  }

  /**
   * @throws ConfigError for what the node says is wrong about the call, naming it; PeerError with the code of a peer's
   * or connection's failure; NodeError for any other refusal, and when nothing that is a node answers
   */
  async call(call: AdminCall): Promise<AdminAnswer> {
    const where = formatHostPort(this.#host);
    const { status, text } = await this.#exchange(call).catch((error: Error) => {
      throw unreachable(where, error);
    });
    if (status < 200 || status > 299) throw refusal(where, status, text);
    try {
      return { text, value: JSON.parse(text) };
    } catch (cause) {
      throw noNode(where, cause);
    }
  }

  /**
   * The list that a route answers with, by its name in the answer.
   * @throws as {@link call}
   */
  async list<T>(path: string, name: string): Promise<{ readonly text: string; readonly items: readonly T[] }> {
    const { text, value } = await this.call({ path });
    const items = (value as Readonly<Record<string, unknown>> | null)?.[name];
    if (!Array.isArray(items)) throw noNode(formatHostPort(this.#host));
    return { text, items };
  }

  /** Not `fetch`: it takes a segment `..` for the folder above, however it is escaped, and a peer may be called that. */
  #exchange({ method = 'GET', path, body, timeoutMs = ANSWER_TIMEOUT_MS }: AdminCall) {
    const headers: Record<string, string> = {};
    if (this.#token !== null) headers.authorization = `Bearer ${this.#token}`;
    if (body !== undefined) headers['content-type'] = 'application/json';
    const { host, port } = this.#host;
    const signal = AbortSignal.timeout(timeoutMs);
    return new Promise<{ status: number; text: string }>((resolve, reject) => {
      const outgoing = request({ host, port, method, path, headers, signal, agent: false }, (response) => {
        readText(response).then((text) => resolve({ status: response.statusCode ?? 0, text }), reject);
      });
      outgoing.on('error', reject).end(body === undefined ? undefined : JSON.stringify(body));
    });
  }
}

/**
 * What a call that was not answered says of the node: nobody listens there any more, or it is not known (no answer in
 * time, a connection cut, half an answer). Null: it did answer, or something else is wrong.
 */
export function silence(error: unknown): 'nobody listens' | 'unknown' | null {
  if (!(error instanceof NodeError) || !(error.cause instanceof Error)) return null;
  return (error.cause as NodeJS.ErrnoException).code === 'ECONNREFUSED' ? 'nobody listens' : 'unknown';
}

function noNode(where: string, cause?: unknown): NodeError {
  const message = `what answers on ${where} is not a PAW node: name its address with --admin`;
  return new NodeError('ERR_PAW_NOT_CONNECTED', message, { cause });
}

function unreachable(where: string, error: NodeJS.ErrnoException): NodeError {
  // An answer that is no HTTP: a port that belongs to something else, such as the one for peers.
  if (error.code?.startsWith('HPE_')) return noNode(where, error);
  const why = error.name === 'AbortError' ? 'no answer in time' : (error.code ?? error.message);
  const message = `no node answers on ${where} (${why}): start one, or name its address with --admin`;
  return new NodeError('ERR_PAW_NOT_CONNECTED', message, { cause: error });
}

/** What `{error, message, field?, code?}` means here; anything else did not come from a node. */
function refusal(where: string, status: number, text: string): Error {
  const { message, field, code } = refusalOf(text);
  if (typeof message !== 'string') {
    return new NodeError('ERR_PAW_NOT_CONNECTED', `the node on ${where} refuses: HTTP status ${status}`);
  }
  if (status === 400 && typeof field === 'string') return new ConfigError(field, message);
  if (typeof code === 'number') return new PeerError(code, message);
  return new NodeError('ERR_PAW_NOT_CONNECTED', `the node on ${where} refuses: ${message}`);
}

function refusalOf(text: string): { readonly message?: unknown; readonly field?: unknown; readonly code?: unknown } {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}
