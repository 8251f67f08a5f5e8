/**
 * Which addresses to dial next. Pure but for the book's and the caller's randomness; main thread. At most one outbound
 * peer, dials under way included, per netgroup, so that nobody who owns one neighbourhood can surround us. And as long as
 * there are others to dial, at most half of them were told by one netgroup: whoever meets us first, before anybody else
 * has told us of anybody, could else fill all places at once (docs/simulation.md). A node that has nobody left to dial
 * feels whether its inbound peers are reached where they are said to be: it could else tell newcomers of nobody.
 */

import type { Direction } from '../api.js';
import type { AddressBook, AddressRecord, KnownAddress } from '../discovery/address-book.js';
import { isLocal, netGroupOf } from './net-group.js';

/**
 * `outbound` and `anchor` keep up the minimum, `feeler` only looks whether an address is alive, `extra` is a lasting
 * connection beyond the minimum, which mixes the network.
 */
export type DialPurpose = 'outbound' | 'anchor' | 'feeler' | 'extra';

/** Dials that one look begins at most. */
const DIALS_PER_LOOK = 8;
/** An inbound peer that was felt is not felt again for so long, whether or not `tried` had a place for it. */
const FELT_MS = 3_600_000;

export interface ConnectedPeer extends KnownAddress {
  readonly direction: Direction;
  /** Something has come behind its handshake: it has ours. */
  readonly isHeard: boolean;
}

/** A dial that has not ended. */
export interface UnderWay {
  readonly address: KnownAddress;
  readonly purpose: DialPurpose;
}

export interface SelectionInput {
  readonly book: Pick<AddressBook, 'candidate' | 'toTest' | 'tellerOf'>;
  readonly connected: readonly ConnectedPeer[];
  /** Dials that have not ended, whatever they are for. */
  readonly dialling: readonly UnderWay[];
  /** Outbound peers and dials that are to become such. */
  readonly outbound: number;
  readonly minOutbound: number;
  readonly maxOutbound: number;
  /** Outbound peers of the last run that were not tried yet. */
  readonly anchors: readonly KnownAddress[];
  /** Neither banned nor otherwise not to be dialled. */
  isWanted(who: { readonly ip: string; readonly id: string | null }): boolean;
  /** Wall milliseconds. */
  readonly nowMs: number;
  /** What may be done beside keeping up the minimum, now that its time has come. */
  readonly beside: 'feeler' | 'extra' | null;
  /** Whether a node that has nobody left to dial feels its inbound peers. */
  readonly feelsInbound: boolean;
}

export interface PlannedDial {
  readonly address: KnownAddress;
  readonly purpose: DialPurpose;
}

export interface Selection {
  readonly dials: readonly PlannedDial[];
  /** Outbound peers are missing and the book has nobody to dial. */
  readonly starved: boolean;
}

export function selectDials(input: SelectionInput): Selection {
  const { book, connected, dialling, minOutbound, maxOutbound, anchors, isWanted, nowMs } = input;
  const involved = [...connected, ...dialling.map(({ address }) => address)];
  const taken = new Set(involved.map(({ id }) => id));
  const places = new Set(involved.map(({ ip, port }) => `${ip}:${port}`));
  // Who is only felt takes no place.
  const outbound = [
    ...connected.filter(({ direction }) => direction === 'outbound'),
    ...dialling.filter(({ purpose }) => purpose !== 'feeler').map(({ address }) => address),
  ];
  const groups = new Set(outbound.map(groupOf));
  const isFree = (address: KnownAddress) =>
    !taken.has(address.id) && !places.has(`${address.ip}:${address.port}`) && isWanted(address);
  const dials: PlannedDial[] = [];
  const plan = (address: KnownAddress, purpose: DialPurpose): void => {
    dials.push({ address, purpose });
    taken.add(address.id);
    places.add(`${address.ip}:${address.port}`);
    groups.add(groupOf(address));
  };
  const missing = () => minOutbound - input.outbound - dials.length;
  const told = new Tally(outbound.map((one) => book.tellerOf(one)));
  const mostOfOne = Math.ceil(minOutbound / 2);
  const find = (want: 'any' | 'new' | 'tried') => {
    const ask = (isUsable: (address: AddressRecord) => boolean) =>
      book.candidate({ nowMs, want, excludeGroups: groups, isUsable });
    return ask((one) => isFree(one) && told.count(one.sourceGroup) < mostOfOne) ?? ask(isFree);
  };

  for (const anchor of anchors) {
    if (missing() > 0 && dials.length < DIALS_PER_LOOK && isFree(anchor) && !groups.has(groupOf(anchor))) {
      plan(anchor, 'anchor');
    }
  }
  let isExhausted = false;
  while (missing() > 0 && dials.length < DIALS_PER_LOOK && !isExhausted) {
    const address = find('any');
    if (address === null) isExhausted = true;
    else {
      plan(address, 'outbound');
      told.add(address.sourceGroup);
    }
  }
  const isFull = missing() <= 0;
  if (isFull && input.beside === 'feeler') {
    const address = book.toTest(nowMs, isFree) ?? find('new');
    if (address !== null) plan(address, 'feeler');
  } else if (isFull && input.beside === 'extra' && input.outbound < maxOutbound) {
    const address = find('any');
    if (address !== null) plan(address, 'extra');
  }
  const starved = isExhausted && missing() > 0;
  // One at a time: those who don't answer must not keep others from being dialled.
  if (starved && input.feelsInbound && !dialling.some(({ purpose }) => purpose === 'feeler')) {
    const address = unfelt(input);
    if (address !== null) plan(address, 'feeler');
  }
  return { dials, starved };
}

/**
 * Where an inbound peer is said to listen, by itself or others, and we have not been. Who shares its address with others
 * is left out, since whichever of them answered would say the same; but a local network is known to be one.
 */
function unfelt({ book, connected, dialling, isWanted, nowMs }: SelectionInput): KnownAddress | null {
  const at = new Tally(connected.map(({ ip }) => ip));
  const isAlone = ({ ip }: KnownAddress) => at.count(ip) === 1 || isLocal(ip);
  const inbound = connected.filter((peer) => peer.direction === 'inbound' && peer.isHeard && isAlone(peer));
  const ipOf = new Map(inbound.map(({ id, ip }) => [id, ip]));
  const underWay = new Set(dialling.map(({ address }) => address.id));
  const isUsable = (one: AddressRecord) =>
    ipOf.get(one.id) === one.ip && nowMs - one.lastSuccessMs >= FELT_MS && !underWay.has(one.id) && isWanted(one);
  // In whatever netgroup: nobody becomes a peer by it who isn't one.
  return book.candidate({ nowMs, want: 'new', excludeGroups: new Set(), isUsable });
}

/** How often each was named. */
class Tally {
  readonly #counts = new Map<string | null, number>();

  constructor(names: readonly (string | null)[]) {
    for (const name of names) this.add(name);
  }

  add(name: string | null): void {
    this.#counts.set(name, this.count(name) + 1);
  }

  count(name: string | null): number {
    return this.#counts.get(name) ?? 0;
  }
}

function groupOf({ ip, port }: KnownAddress): string {
  return netGroupOf(ip, port);
}
