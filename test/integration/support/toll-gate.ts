/**
 * Stands before a node and passes connections on, or not: a network that can be cut in two. Reads who dials from the
 * handshake (specification 1.2); the node behind it says that the gate is its external address.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';

const HANDSHAKE_BYTES = 65;
const ID_AT = 33;

export class TollGate {
  readonly #server: Server;
  readonly #pairs = new Map<Socket, { to: Socket | null; from: string | null }>();
  /** Whether a node of this ID gets through; a crawl comes as null. */
  lets: (from: string | null) => boolean = () => true;
  /** Port of the node behind. */
  target = 0;

  private constructor() {
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
  }

  static async open(): Promise<TollGate> {
    const gate = new TollGate();
    await new Promise<void>((resolve) => gate.#server.listen(0, '127.0.0.1', resolve));
    return gate;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as { port: number }).port}`;
  }

  /** Cuts what no longer gets through. */
  enforce(): void {
    for (const [socket, { to, from }] of this.#pairs) {
      if (this.lets(from)) continue;
      socket.destroy();
      to?.destroy();
    }
  }

  async close(): Promise<void> {
    for (const [socket, { to }] of this.#pairs) {
      socket.destroy();
      to?.destroy();
    }
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(socket: Socket): void {
    const pair: { to: Socket | null; from: string | null } = { to: null, from: null };
    this.#pairs.set(socket, pair);
    const drop = () => {
      this.#pairs.delete(socket);
      socket.destroy();
      pair.to?.destroy();
    };
    socket.on('error', drop).on('close', drop);
    let head = Buffer.alloc(0);
    const begin = () => {
      socket.off('data', read).off('end', begin);
      if (head.length >= HANDSHAKE_BYTES) pair.from = head.toString('utf8', ID_AT, HANDSHAKE_BYTES).replace(/\0+$/, '');
      if (!this.lets(pair.from)) {
        drop();
        return;
      }
      const to = connect({ port: this.target, host: '127.0.0.1', allowHalfOpen: true });
      pair.to = to;
      to.on('error', drop).on('close', drop);
      to.write(head);
      if (socket.readableEnded) to.end();
      else socket.pipe(to);
      to.pipe(socket);
    };
    const read = (piece: Buffer) => {
      head = Buffer.concat([head, piece]);
      if (head.length >= HANDSHAKE_BYTES) begin();
    };
    socket.on('data', read).on('end', begin);
  }
}
