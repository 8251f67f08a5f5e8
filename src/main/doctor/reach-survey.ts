/**
 * Finds out where this node is reached: who has come in, where its own addresses lead, and which others tell for it. Main
 * thread. What a dial came to is kept for a moment; of what others tell only that is dialled which several say.
 */
import { networkInterfaces } from 'node:os';
import type { Clock } from '../../shared/clock.js';
import { canonicalIp, isRoutable } from '../../shared/wire/routability.js';
import type { Settings } from '../config/settings.js';
import type { Hearsay } from '../discovery/hearsay.js';
import { firstAddressOf, isWildcard, type OwnAddress } from '../discovery/own-address.js';
import { formatHostPort, type HostPort } from '../net/address.js';
import type { Connection } from '../net/connection.js';
import type { Network } from '../net/network.js';
import type { DialledAddress, InboundFacts, ReachFacts } from './facts.js';
import { within } from './patience.js';
import type { SelfDial, SelfDials } from './self-dial.js';

/** Whoever watches asks every second: other nodes must not be dialled that often. */
const DIAL_KEPT_MS = 10_000;
/** Addresses that others tell for us: shown, and those that are dialled because several tell them. */
const TOLD_SHOWN = 3;
const VOICES_TO_DIAL = 2;

export interface ReachSurveyParts {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly network: Pick<Network, 'resolve'>;
  readonly hearsay: Hearsay;
  readonly selfDials: SelfDials;
  ownAddress(): OwnAddress;
  connected(): Iterable<Connection>;
}

export class ReachSurvey {
  readonly #parts: ReachSurveyParts;
  readonly #inbound = { outside: { count: 0, lastMs: 0 }, inside: { count: 0, lastMs: 0 } };
  readonly #dials = new Map<string, { readonly dial: SelfDial; readonly atMs: number }>();

  constructor(parts: ReachSurveyParts) {
    this.#parts = parts;
  }

  /** An inbound peer is connected. */
  cameIn({ ip }: Connection): void {
    const kept = this.#inbound[this.#whence(ip)];
    kept.count++;
    kept.lastMs = this.#parts.clock.wallMs();
  }

  /** Never rejects. @param signal gives dials up */
  async look(signal: AbortSignal): Promise<ReachFacts> {
    const { hearsay, clock } = this.#parts;
    const { listen: bound } = this.#parts.ownAddress();
    const listen = isWildcard(bound.host) ? { host: '127.0.0.1', port: bound.port } : bound;
    const machine = machineIps();
    const [external, here, told] = await Promise.all([
      this.#external(signal),
      this.#dialled(listen, signal),
      Promise.all(
        hearsay
          .addresses(clock.nowMs())
          .filter((address) => !this.#isOwn(address, machine))
          .slice(0, TOLD_SHOWN)
          .map(async ({ voices, ...address }) => {
            const dialled = voices >= VOICES_TO_DIAL ? await this.#dialled(address, signal) : undialled(address);
            return { ...dialled, voices };
          }),
      ),
    ]);
    return {
      listenHost: bound.host,
      listenPort: bound.port,
      listen: here,
      external,
      told,
      hasPublicIp: machine === null || machine.some(isRoutable),
      outside: this.#inboundFrom('outside'),
      inside: this.#inboundFrom('inside'),
    };
  }

  async #external(signal: AbortSignal): Promise<ReachFacts['external']> {
    const { externalAddress, strictAddresses } = this.#parts.settings;
    if (externalAddress === null) return null;
    const ip = await within(firstAddressOf(externalAddress.host, this.#parts.network), null);
    const fault = ip === null ? 'unknown-name' : strictAddresses && !isRoutable(ip) ? 'not-routable' : null;
    const at = { host: ip ?? '', port: externalAddress.port };
    const { dial } = fault === null ? await this.#dialled(at, signal) : undialled(at);
    const toldIp = this.#parts.ownAddress().external?.host ?? null;
    return { address: formatHostPort(externalAddress), dial, fault, toldIp, ip };
  }

  /** Dials an address unless that was done a moment ago. */
  async #dialled(address: HostPort, signal: AbortSignal): Promise<DialledAddress> {
    const { selfDials, clock } = this.#parts;
    const name = formatHostPort(address);
    for (const [known, { atMs }] of this.#dials) {
      if (clock.nowMs() - atMs >= DIAL_KEPT_MS) this.#dials.delete(known);
    }
    const kept = this.#dials.get(name);
    if (kept !== undefined) return { address: name, dial: kept.dial };
    const dial = await selfDials.dial(address, signal);
    this.#dials.set(name, { dial, atMs: clock.nowMs() });
    return { address: name, dial };
  }

  /** Whether we know an address as ours: then that others tell it says nothing new. */
  #isOwn({ host, port }: HostPort, machine: readonly string[] | null): boolean {
    const { all, listen } = this.#parts.ownAddress();
    if (all.some((own) => own.host === host && own.port === port)) return true;
    return isWildcard(listen.host) && listen.port === port && (machine ?? []).includes(host);
  }

  #whence(ip: string): 'outside' | 'inside' {
    return !this.#parts.settings.strictAddresses || isRoutable(ip) ? 'outside' : 'inside';
  }

  #inboundFrom(whence: 'outside' | 'inside'): InboundFacts {
    const { count, lastMs } = this.#inbound[whence];
    let now = 0;
    for (const { direction, ip } of this.#parts.connected()) {
      if (direction === 'inbound' && this.#whence(ip) === whence) now++;
    }
    return { now, count, lastMs: count === 0 ? null : lastMs };
  }
}

function undialled(address: HostPort): DialledAddress {
  return { address: formatHostPort(address), dial: null };
}

/** Null where the system does not tell, as when no file descriptor is left to ask with. */
function machineIps(): string[] | null {
  try {
    return Object.values(networkInterfaces()).flatMap((all) =>
      (all ?? []).map((one) => canonicalIp(one.address) ?? ''),
    );
  } catch {
    return null;
  }
}
