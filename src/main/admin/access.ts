/**
 * Owns who may call the admin HTTP: the bearer token, and without one the guard against DNS rebinding. Pure; main
 * thread.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';

/** Why a call is refused, as the answer tells it. */
export interface Refusal {
  readonly status: 401 | 403;
  readonly error: 'unauthorized' | 'forbidden_host';
  readonly message: string;
}

/** The headers that decide. */
export interface AccessHeaders {
  readonly authorization?: string | undefined;
  readonly host?: string | undefined;
}

/** Decides over a call; null lets it through. With a token every call must bear it. */
export function checkAccess(token: string | null, { authorization, host }: AccessHeaders): Refusal | null {
  if (token === null) return isSafeHost(host) ? null : forbidden;
  const given = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
  return given !== undefined && sameSecret(given, token) ? null : unauthorized;
}

const unauthorized: Refusal = {
  status: 401,
  error: 'unauthorized',
  message: 'this address needs the admin token as Authorization: Bearer TOKEN',
};
const forbidden: Refusal = {
  status: 403,
  error: 'forbidden_host',
  message: 'without an admin token the Host must be an IP address or localhost',
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
