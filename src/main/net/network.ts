/**
 * What a node asks of the network that it lives on: to listen, to connect, to look up a name. Main thread. A node runs on
 * the system's (`system-network.ts`); the simulation has one of its own.
 */
import type { ReadSink } from './adopt-socket.js';

/** The part of `net.Socket` that the node uses, with the same meaning. Bytes that come go to the `ReadSink` it was made with. */
export interface PeerSocket {
  readonly destroyed: boolean;
  /** Bytes that were written and the kernel has not taken. */
  readonly writableLength: number;
  readonly localAddress?: string | undefined;
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  on(event: 'connect' | 'end' | 'close', listener: () => void): unknown;
  on(event: 'error', listener: (error: NodeJS.ErrnoException) => void): unknown;
  once(event: 'connect' | 'close', listener: () => void): unknown;
  setNoDelay(noDelay: boolean): unknown;
  pause(): unknown;
  resume(): unknown;
  cork(): void;
  uncork(): void;
  /** `taken` is called once the kernel has taken these bytes and all before them. */
  write(bytes: Uint8Array, taken?: () => void): boolean;
  end(): unknown;
  destroy(): unknown;
}

/** Makes the socket of an accepted connection. Whoever asked for it resumes it when it wants bytes. */
export type AdoptPeer = (sink: ReadSink) => PeerSocket;

/** Takes connections. */
export interface Listener {
  /** `host:port` that is listened on, with the real port. */
  readonly address: string;
  /** @throws NodeError ERR_PAW_LISTEN, naming the address */
  listen(host: string, port: number): Promise<void>;
  /** Stops accepting. Connections stay. */
  close(): void;
}

export interface Network {
  /**
   * A listener whose connections are handed over unread. `onError` gets what goes wrong while it listens, `onNoFiles` is
   * told of each connection that was closed at once, because file descriptors are short.
   */
  listener(onConnection: (adopt: AdoptPeer) => void, onError: (error: Error) => void, onNoFiles: () => void): Listener;
  /** Opens a connection, half-open allowed. `connect` tells that it is there, `error` and `close` that it is not to be had. */
  connect(to: { readonly host: string; readonly port: number }, sink: ReadSink): PeerSocket;
  /** All IP addresses of a host, in the order of preference; an address is its own. Rejects for a name that has none. */
  resolve(host: string): Promise<readonly string[]>;
}
