/**
 * Where others reach this node: what it listens on, and what the operator says. Main thread.
 */
import type { Logger } from 'pino';
import { canonicalIp, isRoutable } from '../../shared/wire/routability.js';
import type { Settings } from '../config/settings.js';
import { formatHostPort, type HostPort, parseHostPort } from '../net/address.js';
import type { Network } from '../net/network.js';

/** Looks names up. */
type Resolver = Pick<Network, 'resolve'>;

export class OwnAddress {
  /** Where we listen, the host maybe a wildcard. */
  readonly listen: HostPort;
  /** The IP address and port that the operator says we are reached at; null if none was said or it is of no use. */
  readonly external: HostPort | null;

  /** @param bound `host:port` that is listened on */
  constructor(bound: string, external: HostPort | null) {
    this.listen = parseHostPort(bound) as HostPort;
    this.external = external;
  }

  /** Addresses that are ours and belong into no book. */
  get all(): readonly HostPort[] {
    return this.external === null ? [this.listen] : [this.listen, this.external];
  }
}

/** The operator's external address with an IP address for its host. Warns about one that nobody can be told. */
export async function resolveExternal(
  settings: Pick<Settings, 'externalAddress' | 'strictAddresses'>,
  network: Resolver,
  log: Logger,
): Promise<HostPort | null> {
  const { externalAddress, strictAddresses } = settings;
  if (externalAddress === null) return null;
  const ip = await firstAddressOf(externalAddress.host, network);
  if (ip !== null && (!strictAddresses || isRoutable(ip))) return { host: ip, port: externalAddress.port };
  const why = ip === null ? 'its name is not known' : `${ip} is not an address that the internet routes`;
  log.warn({ externalAddress: formatHostPort(externalAddress) }, `not announced to peers: ${why}`);
  return null;
}

/** Any address of the machine. */
export function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

/** The first IP address of a host; null if its name is not known. */
export async function firstAddressOf(host: string, network: Resolver): Promise<string | null> {
  try {
    const [first] = await network.resolve(host);
    return canonicalIp(first);
  } catch {
    return null;
  }
}
