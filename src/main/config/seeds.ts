/**
 * Owns the default seeds (specification 2.2), which belong to one chain alone (rulings 9). Main thread.
 */
import { type PeerAddress, requirePeerAddress } from '../net/address.js';

export const MAINNET = 'paw-mainnet';

/** In the order in which they are asked: names first, then fixed addresses for when names fail, then regions. */
export const defaultSeeds: readonly PeerAddress[] = [
  'seed1.paw.network:26656',
  'seed2.paw.network:26656',
  'seed3.paw.network:26656',
  '35.184.142.101:26656',
  '34.89.156.233:26656',
  '35.201.123.45:26656',
  'seed-us-west.paw.network:26656',
  'seed-eu-central.paw.network:26656',
  'seed-asia-east.paw.network:26656',
].map(requirePeerAddress);
