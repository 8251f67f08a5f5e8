/** Listeners that behave as a test says, closed after it: seeds that fail, nodes that are none. */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach } from 'vitest';

const open: { server: Server; sockets: Set<Socket> }[] = [];

afterEach(async () => {
  for (const { server, sockets } of open.splice(0)) {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
});

/** Listens on a free port of an address. @returns its `host:port` */
export async function listenAs(answer: (socket: Socket) => void, host = '127.0.0.1'): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    answer(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  open.push({ server, sockets });
  return `${host}:${(server.address() as AddressInfo).port}`;
}

/** A `host:port` where nothing listens. */
export async function closedPort(): Promise<string> {
  const address = await listenAs(() => undefined);
  const { server } = open.pop()!;
  await new Promise((resolve) => server.close(resolve));
  return address;
}
