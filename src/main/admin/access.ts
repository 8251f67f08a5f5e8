/**
 * Owns who may call the admin HTTP: the bearer token, and without one the guards against DNS rebinding and against
 * pages of other sites. Pure; main thread.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';

/** Why a call is refused, as the answer tells it. */
export interface Refusal {
  readonly status: 401 | 403;
  readonly error: 'unauthorized' | 'forbidden_host' | 'forbidden_origin';
  readonly message: string;
}

/** The headers that decide. */
export interface AccessHeaders {
  readonly authorization?: string | undefined;
  readonly host?: string | undefined;
  readonly origin?: string | undefined;
}

/** Decides over a call; null lets it through. With a token every call must bear it. */
export function checkAccess(token: string | null, method: string, headers: AccessHeaders): Refusal | null {
  const { authorization, host, origin } = headers;
  if (token === null) {
    if (!isSafeHost(host)) return forbiddenHost;
    // No page can read an answer, since there is no CORS. It could make changes all the same.
    return readingMethods.includes(method) || isOwnOrigin(origin, host) ? null : forbiddenOrigin;
  }
  const given = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
  return given !== undefined && sameSecret(given, token) ? null : unauthorized;
}

/**
 * Whether a page of another site can make a browser send such a call without asking first (a "simple request" of the
 * Fetch standard). A POST that is not declared as JSON is one; DELETE and the like never are.
 */
export function isSimplePost(method: string, contentType: string | undefined): boolean {
  return method === 'POST' && contentType?.split(';', 1)[0]?.trim().toLowerCase() !== 'application/json';
}

const readingMethods = ['GET', 'HEAD', 'OPTIONS'];

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
  message: 'without an admin token a page of another site (Origin) may change nothing',
};

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

/** Browsers send Origin with every call that is no GET or HEAD; programs send none. */
function isOwnOrigin(origin: string | undefined, host: string | undefined): boolean {
  if (origin === undefined) return true;
  return host !== undefined && /^https?:\/\/(.+)$/i.exec(origin)?.[1]?.toLowerCase() === host.toLowerCase();
}
