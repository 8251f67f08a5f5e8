/** Listens for peers and hands accepted connections on, unread. Main thread. */
import { createServer, type Server } from 'node:net';
import { NodeError } from '../../shared/errors.js';
import { formatAddress } from './address.js';
import { type Adopt, adoptSocket, takeHandles } from './adopt-socket.js';
import type { Listener } from './network.js';

/** Connections that the kernel keeps for us while the main thread is busy. */
const BACKLOG = 1024;

export class Acceptor implements Listener {
  readonly #server: Server;
  readonly #onConnection: (adopt: Adopt) => void;
  readonly #onError: (error: Error) => void;
  #address = '';

  constructor(onConnection: (adopt: Adopt) => void, onError: (error: Error) => void) {
    // Paused, so that no byte is read before the socket reads into memory of ours.
    this.#server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, (accepted) =>
      onConnection((sink) => adoptSocket(accepted, sink)),
    );
    this.#onConnection = onConnection;
    this.#onError = onError;
  }

  /** `host:port` that is listened on, with the real port. */
  get address(): string {
    return this.#address;
  }

  /**
   * Listens on an address; `::` takes IPv4 as well, and is `0.0.0.0` on a machine without IPv6.
   * @throws NodeError ERR_PAW_LISTEN, naming the address
   */
  async listen(host: string, port: number): Promise<void> {
    const server = this.#server;
    try {
      await this.#tryListen(host, port);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      const hasNoIpv6 = code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL';
      if (host === '::' && hasNoIpv6) {
        await this.listen('0.0.0.0', port);
        return;
      }
      const why = code === 'EADDRINUSE' ? 'address in use' : (code ?? message);
      throw new NodeError('ERR_PAW_LISTEN', `can't listen on ${formatAddress(host, port)}: ${why}`, { cause: error });
    }
    server.on('error', this.#onError);
    takeHandles(server, this.#onConnection);
    const bound = server.address();
    if (bound === null || typeof bound === 'string') throw new Error('listening on no TCP address');
    this.#address = formatAddress(bound.address, bound.port);
  }

  #tryListen(host: string, port: number): Promise<void> {
    const server = this.#server;
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host, port, backlog: BACKLOG }, () => {
        server.off('error', reject);
        resolve();
      });
    });
  }

  /** Stops accepting. Connections stay. */
  close(): void {
    this.#server.close();
  }
}
