/**
 * Owns how a dial is asked for by the application or the operator. Pure; main thread.
 */
import { ConfigError } from '../shared/errors.js';
import { type PeerAddress, requirePeerAddress } from './net/address.js';

/** Whom to dial. @throws ConfigError `address` */
export function dialAddress(text: string): PeerAddress {
  try {
    return requirePeerAddress(text);
  } catch (error) {
    throw new ConfigError('address', (error as Error).message);
  }
}
