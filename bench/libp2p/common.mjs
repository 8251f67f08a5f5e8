/**
 * What both programs share: how a js-libp2p node is made, and how a program answers the harness.
 *
 * The settings are those of a user who wants throughput: nothing is logged, no limit of the connection manager is near,
 * its monitor opens no streams of its own, and the yamux window is the one that served best. All else is js-libp2p's
 * default (TCP_NODELAY is set, and Node's own ciphers do the work of Noise).
 */
import { noise } from '@libp2p/noise';
import { plaintext } from '@libp2p/plaintext';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { createLibp2p } from 'libp2p';

export const PROTOCOL = '/bench/1.0.0';

const MANY = 10_000;
/**
 * With 16 connections, a message costs the server least with this: more with the default of 256 KiB, and up to twice as
 * much with 16 MiB. Both sides must have the same, because yamux does not announce it here.
 */
const WINDOW_BYTES = 512 * 1024;
const ENCRYPTERS = { noise, plaintext };

// js-libp2p needs it (yamux, to measure the round trip), and Node 20 does not have it.
Promise.withResolvers ??= function withResolvers() {
  const deferred = {};
  deferred.promise = new this((resolve, reject) => Object.assign(deferred, { resolve, reject }));
  return deferred;
};

/** The options that the harness gave this program. */
export const options = JSON.parse(process.argv[2]);

/** A started node. @param listen multiaddrs to listen at */
export function createNode(listen = []) {
  return createLibp2p({
    addresses: { listen },
    transports: [tcp()],
    connectionEncrypters: [ENCRYPTERS[options.security]()],
    streamMuxers: [
      yamux({ streamOptions: { initialStreamWindowSize: WINDOW_BYTES, maxStreamWindowSize: WINDOW_BYTES } }),
    ],
    connectionManager: {
      maxConnections: MANY,
      maxIncomingPendingConnections: MANY,
      inboundConnectionThreshold: MANY,
    },
    connectionMonitor: { enabled: false },
  });
}

/** Tells the harness that this program is ready, answers what it asks (`bench/channel.ts`), and ends with it. */
export function serve({ port = 0, address, received = () => 0 } = {}) {
  process.on('message', ({ id, name }) => {
    const { user, system } = process.cpuUsage();
    const usage = { cpuUs: user + system, rssBytes: process.memoryUsage.rss() };
    const answers = { usage, address, received: received() };
    process.send(name in answers ? { id, value: answers[name] } : { id, error: `no answer to '${name}'` });
  });
  process.on('disconnect', () => process.exit(0));
  process.send({ kind: 'ready', port, address });
}
