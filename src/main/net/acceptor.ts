/** Listens for peers and hands accepted connections on, unread. Main thread. */
import { createServer, type Server } from 'node:net';
import { NodeError } from '../../shared/errors.js';
import { readFileDescriptors } from '../doctor/file-descriptors.js';
import { formatAddress } from './address.js';
import { type Adopt, adoptSocket, takeHandles } from './adopt-socket.js';
import { DescriptorReserve } from './descriptor-reserve.js';
import type { Listener } from './network.js';

/** Connections that the kernel keeps for us while the main thread is busy. */
const BACKLOG = 1024;
/** Takes no byte of a connection that is closed at once. */
const nobody = { buffer: () => new Uint8Array(1), received: () => false };

export class Acceptor implements Listener {
  readonly #server: Server;
  readonly #onConnection: (adopt: Adopt) => void;
  readonly #onError: (error: Error) => void;
  readonly #onNoFiles: () => void;
  readonly #reserve = new DescriptorReserve(readFileDescriptors, () => performance.now());
  #address = '';

  /** @param onNoFiles told of each connection that is closed unread, because file descriptors are short */
  constructor(
    onConnection: (adopt: Adopt) => void,
    onError: (error: Error) => void,
    onNoFiles: () => void = () => undefined,
  ) {
    // Paused, so that no byte is read before the socket reads into memory of ours.
    this.#server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, (accepted) =>
      this.#take((sink) => adoptSocket(accepted, sink)),
    );
    this.#onConnection = onConnection;
    this.#onError = onError;
    this.#onNoFiles = onNoFiles;
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
    await this.#reserve.look();
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
    server.on('error', (error: NodeJS.ErrnoException) => this.#failed(error));
    takeHandles(server, (adopt) => this.#take(adopt));
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

  #take(adopt: Adopt): void {
    if (this.#reserve.takes()) {
      this.#onConnection(adopt);
      return;
    }
    const socket = adopt(nobody);
    socket.on('error', () => undefined);
    socket.destroy();
    this.#onNoFiles();
  }

  /** None was left even to accept with: the reserve has gone to something else. */
  #failed(error: NodeJS.ErrnoException): void {
    if (error.code === 'EMFILE' || error.code === 'ENFILE') this.#onNoFiles();
    else this.#onError(error);
  }

  /** Stops accepting. Connections stay. */
  close(): void {
    this.#server.close();
  }
}
