/** How an address of the book is shown to users. Pure; main thread. */
import type { AddressInfo } from '../api.js';
import type { AddressRecord } from './address-book.js';

export function addressInfo(record: AddressRecord): AddressInfo {
  const { id, ip, port, source, bucket, firstSeenMs, lastSeenMs, attempts } = record;
  const iso = (ms: number) => new Date(ms).toISOString();
  return { id, address: ip, port, source, bucket, firstSeen: iso(firstSeenMs), lastSeen: iso(lastSeenMs), attempts };
}
