import { type AddressInfo, createServer, type Socket } from 'node:net';
import { expect, it } from 'vitest';
import { SelfDials } from '../../../src/main/doctor/self-dial.js';

it('a dial of an own address waits as long as the settings of now say', async () => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => sockets.push(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  let timeoutMs = 60_000;
  const dials = new SelfDials({ chainId: 'x', nodeId: 'me', timeoutMs: () => timeoutMs });
  timeoutMs = 30;
  const { port } = server.address() as AddressInfo;
  const dial = await dials.dial({ host: '127.0.0.1', port }, new AbortController().signal);
  expect(dial).toMatchObject({ kind: 'failed' });
  for (const socket of sockets) socket.destroy();
  server.close();
});
