/** How simulated nodes are set up. */
import { resolveSettings } from '../../src/main/config/resolve.js';
import type { NodeOptions, Settings } from '../../src/main/config/settings.js';

/** Small nodes that do in seconds what real ones do in minutes. */
export const small: NodeOptions = {
  chainId: 'sim',
  dataDir: '/simulated',
  admin: 'off',
  workers: 1,
  maxPeers: 20,
  maxInbound: 14,
  maxOutbound: 8,
  minOutbound: 4,
  ringSize: '4KiB',
  outboundRing: '64KiB',
  gossipCache: '64KiB',
  memoryBudget: '8MiB',
  sendQueue: '256KiB',
  dialTimeout: '2s',
  handshakeTimeout: '3s',
  writeTimeout: '3s',
  readTimeout: '6s',
  pingInterval: '4s',
  feelerInterval: '5s',
  pexInterval: '10s',
  shutdownTimeout: '2s',
};

export function settingsOf(options: NodeOptions): Settings {
  return resolveSettings({ library: options });
}
