/** The network of the machine: TCP and the system's resolver. Main thread. */
import { lookup } from 'node:dns/promises';
import { connect, isIP } from 'node:net';
import { Acceptor } from './acceptor.js';
import { onread, settledOptions } from './adopt-socket.js';
import type { Network } from './network.js';

export const systemNetwork: Network = {
  listener: (onConnection, onError, onNoFiles) => new Acceptor(onConnection, onError, onNoFiles),
  connect: ({ host, port }, sink) =>
    connect({ host, port, onread: onread(sink), allowHalfOpen: true, ...settledOptions }),
  async resolve(host) {
    if (isIP(host) !== 0) return [host];
    const found = await lookup(host, { all: true });
    return found.map(({ address }) => address);
  },
};
