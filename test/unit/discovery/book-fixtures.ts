/** An address book and addresses, for tests of it. */
import { AddressBook, type AddressBookParts, type KnownAddress } from '../../../src/main/discovery/address-book.js';

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;
export const START_MS = 1_000 * DAY_MS;

/** Numbers that look random and repeat with the seed. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 2 ** 32;
  };
}

export function newBook(parts: Partial<AddressBookParts> = {}): AddressBook {
  return new AddressBook({
    secret: Buffer.alloc(32, 7),
    strict: true,
    ownId: 'us',
    privateIds: new Set(['private']),
    persistentKeys: new Set(),
    persistentIds: new Set(),
    random: randomOf(42),
    ...parts,
  });
}

export function address(ip: string, id = `id-${ip}`, port = 26656): KnownAddress {
  return { id, ip, port };
}

export function from(ip: string) {
  return { source: 'pex', fromIp: ip, fromPort: 26656 } as const;
}
