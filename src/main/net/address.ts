export * from '../config/address-seam.js';

import { type PeerAddress, parsePeerAddress as p } from '../config/address-seam.js';
export function parsePeer(text: string): PeerAddress {
  const r = p(text);
  if (r === null) throw new TypeError('bad address');
  return r;
}
