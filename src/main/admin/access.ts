/**
 * Owns who may call the admin HTTP: the token, and the guards against pages of other sites and DNS rebinding. Pure; main
 * thread.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';

/** Why a call is refused, as the answer tells it. */
export interface Refusal {
  readonly status: 401 | 403;
  readonly error: 'unauthorized' | 'forbidden_host' | 'forbidden_origin';
  readonly message: string;
}

/** What of a call decides. */
export interface Caller {
  readonly method: string;
  /** As it came, with its query. */
  readonly url: string;
  readonly headers: {
    readonly authorization?: string | undefined;
    readonly host?: string | undefined;
    readonly origin?: string | undefined;
    readonly 'sec-fetch-site'?: string | string[] | undefined;
    readonly 'sec-fetch-mode'?: string | string[] | undefined;
    readonly 'sec-fetch-dest'?: string | string[] | undefined;
  };
}

/** How a caller may show the token: programs as Bearer, browsers as the password of Basic. */
export const challenges = ['Bearer', 'Basic realm="paw-p2p"'];

/**
 * Decides over a call; null lets it through. With a token every call must bear it. Pages of other sites are refused
 * first, since a browser adds a password that it knows by itself.
 */
export function checkAccess(token: string | null, { method, url, headers }: Caller): Refusal | null {
  const { authorization, host, origin } = headers;
  if (token === null && !isSafeHost(host)) return forbiddenHost;
  if (!isOwnOrigin(origin, host, headers['sec-fetch-site'])) return forbiddenOrigin;
  if (!isOwnSite(headers['sec-fetch-site']) && !isLinkToDashboard(method, url, headers)) return forbiddenOrigin;
  if (token === null) return null;
  const given = secretOf(authorization);
  return given !== null && sameSecret(given, token) ? null : unauthorized;
}

/**
 * Whether a page of another site can make a browser send such a call without asking first (a "simple request" of the
 * Fetch standard). A POST that is not declared as JSON is one; DELETE and the like never are. A program's POST without a
 * body has nothing to declare: browsers say with every POST whose page sends it.
 */
export function isSimplePost(method: string, headers: IncomingHttpHeaders): boolean {
  if (method !== 'POST') return false;
  const type = headers['content-type'];
  if (type === undefined && hasNoBody(headers) && !isFromBrowser(headers)) return false;
  return type?.split(';', 1)[0]?.trim().toLowerCase() !== 'application/json';
}

function hasNoBody({ 'transfer-encoding': encoding, 'content-length': length }: IncomingHttpHeaders): boolean {
  return encoding === undefined && (length === undefined || length === '0');
}

function isFromBrowser({ origin, 'sec-fetch-site': site }: IncomingHttpHeaders): boolean {
  return origin !== undefined || site !== undefined;
}

const unauthorized: Refusal = {
  status: 401,
  error: 'unauthorized',
  message: 'this address needs the admin token as Authorization: Bearer TOKEN',
};
const forbiddenHost: Refusal = {
  status: 403,
  error: 'forbidden_host',
  message: 'without an admin token the Host must be an IP address or localhost',
};
const forbiddenOrigin: Refusal = {
  status: 403,
  error: 'forbidden_origin',
  message: 'a page of another site (Origin, Sec-Fetch-Site) may call nothing here',
};

/** The secret that an Authorization header bears; null if it bears none. Any user name will do. */
function secretOf(authorization = ''): string | null {
  const [, scheme, value] = /^(Bearer|Basic) +(\S+)$/i.exec(authorization) ?? [];
  if (scheme === undefined) return null;
  if (scheme.toLowerCase() === 'bearer') return value;
  const pair = Buffer.from(value, 'base64').toString();
  const colon = pair.indexOf(':');
  return colon < 0 ? null : pair.slice(colon + 1);
}

/** Hashed first, so that neither content nor length shows in the time taken. */
function sameSecret(given: string, expected: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}

/**
 * A page whose name an attacker points at 127.0.0.1 sends that name as Host. An address or `localhost` can't be
 * pointed elsewhere. A call without Host (HTTP/1.0) comes from no browser.
 */
function isSafeHost(host: string | undefined): boolean {
  if (host === undefined) return true;
  const name = host.replace(/:\d{1,5}$/, '').replace(/^\[(.*)\]$/, '$1');
  return name.toLowerCase() === 'localhost' || isIP(name) !== 0;
}

/** Browsers send Origin with every call that changes something, and with some that read; programs send none. */
function isOwnOrigin(origin: string | undefined, host: string | undefined, site: unknown): boolean {
  if (origin === undefined) return true;
  if (host === undefined) return false;
  const own = `://${host.toLowerCase()}`;
  // Behind a proxy that speaks TLS our page is https. Then the browser itself must say that it is ours.
  return origin.toLowerCase() === `http${own}` || (site === 'same-origin' && origin.toLowerCase() === `https${own}`);
}

/** No page can write this header. Browsers send it to loopback and over TLS; `none` is an address typed by a person. */
function isOwnSite(site: unknown): boolean {
  return site === undefined || site === 'same-origin' || site === 'none';
}

/** A link on another site may open the dashboard in a window of its own, whose content that site can't read. */
function isLinkToDashboard(method: string, url: string, headers: Caller['headers']): boolean {
  return (
    method === 'GET' &&
    url === '/' &&
    headers['sec-fetch-mode'] === 'navigate' &&
    headers['sec-fetch-dest'] === 'document'
  );
}
