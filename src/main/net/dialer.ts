/** Opens connections to addresses, as many at once as the dial queue allows. Main thread. */
import { NodeError, PeerError } from '../../shared/errors.js';
import type { PeerInfo } from '../api.js';
import type { PersistentPeer } from '../peers/persistent-peers.js';
import { formatAddress, type PeerAddress } from './address.js';
import type { Connection } from './connection.js';
import { DialQueue } from './dial-queue.js';
import type { Network, PeerSocket } from './network.js';

/** One dial: where to, and who wants to know how it ends. */
export interface Dial {
  readonly address: PeerAddress;
  /** The persistent peer that it is for, or null. */
  readonly persistent: PersistentPeer | null;
  /** Only looks whether the address is alive. */
  readonly feeler: boolean;
  resolve(peer: PeerInfo): void;
  reject(error: PeerError | NodeError): void;
}

export interface DialerEvents {
  /** Makes the connection object of a dial that begins. */
  open(dial: Dial): Connection;
  /** The TCP connection is there. One that is not to be had ends in the connection's `closed`. */
  opened(connection: Connection): void;
  attach(connection: Connection, socket: PeerSocket): void;
  dropped(dial: Dial): void;
}

export class Dialer {
  readonly #queue = new DialQueue<Dial>();
  readonly #network: Network;
  readonly #events: DialerEvents;
  readonly #dials = new Map<Connection, Dial>();
  #stopped = false;

  constructor(network: Network, events: DialerEvents) {
    this.#network = network;
    this.#events = events;
  }

  /** Dials that wait. */
  get queued(): number {
    return this.#queue.length;
  }

  /** Whether a dial for a persistent peer would be taken now. */
  get takesPersistent(): boolean {
    return this.#queue.takesPersistent;
  }

  /** Queues a dial; a full queue drops it (rulings 8). */
  dial(dial: Dial): void {
    if (this.#stopped) {
      dial.reject(new NodeError('ERR_PAW_CLOSED', 'the node is closing'));
      return;
    }
    if (!this.#queue.add(dial)) {
      this.#events.dropped(dial);
      dial.reject(new NodeError('ERR_PAW_DIAL_QUEUE_FULL', 'the dial queue is full'));
      return;
    }
    this.#startNext();
  }

  /** The dial that a connection comes from, while it is under way. */
  of(connection: Connection): Dial | undefined {
    return this.#dials.get(connection);
  }

  /**
   * Our dial of this node ID at this address that would become a second connection beside one from there; undefined for
   * none. One elsewhere does not count: a liar may have told us that address and leave us hanging there so that we refuse
   * the node itself, or borrow the ID so that we give up a dial of its owner. Nor does one to a name that has led nowhere
   * yet: the two connections then stand side by side until the dial is through.
   */
  underWayTo(id: string, ip: string): Connection | undefined {
    for (const [connection, { address, feeler }] of this.#dials) {
      if (address.id !== id || feeler) continue;
      const where = connection.ip === '' ? address.host : connection.ip;
      if (where === ip) return connection;
    }
    return undefined;
  }

  /** The handshake is through, or the dial has failed; another may begin. */
  done(connection: Connection): Dial | undefined {
    const dial = this.#dials.get(connection);
    if (dial === undefined) return undefined;
    this.#dials.delete(connection);
    this.#queue.done(dial);
    this.#startNext();
    return dial;
  }

  stop(): void {
    this.#stopped = true;
    for (const dial of this.#queue.clear()) dial.reject(new NodeError('ERR_PAW_CLOSED', 'the node is closing'));
  }

  #startNext(): void {
    for (let dial = this.#queue.next(); dial !== undefined; dial = this.#queue.next()) this.#start(dial);
  }

  #start(dial: Dial): void {
    const connection = this.#events.open(dial);
    const { host, port } = dial.address;
    connection.host = host;
    connection.port = port;
    connection.address = formatAddress(host, port);
    this.#dials.set(connection, dial);
    const socket = this.#network.connect({ host, port }, connection);
    this.#events.attach(connection, socket);
    socket.once('connect', () => {
      if (connection.state === 'Connecting') this.#events.opened(connection);
    });
  }
}

/** How a dial that failed is told. */
export function dialError(connection: Connection): PeerError {
  const cause = connection.finalCause;
  return new PeerError(cause.code, `${connection.address}: ${cause.reason}`, { foundId: connection.foundId });
}
