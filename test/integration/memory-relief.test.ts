import { expect, it } from 'vitest';
import { handlerModule, portOf, startNode, until } from './support/nodes.js';
import { frame, RawPeer } from './support/raw-peer.js';

it('last frames that find no memory are let go of five seconds after the close, however it came, and are told of', async () => {
  const node = await startNode({
    handlers: [handlerModule('never.mjs')],
    workers: 1,
    maxPeers: 10,
    ringSize: '64KiB',
    outboundRing: '64KiB',
    gossipCache: '64KiB',
    memoryBudget: '16MiB',
  });
  const flood = await RawPeer.join(portOf(node), 'flood');
  const message = frame('never', Buffer.alloc(16_000));
  // Until it is held back for want of memory.
  const used = () => node.stats().memory.used;
  for (let before = -1; before !== used(); ) {
    before = used();
    flood.socket.write(Buffer.concat(Array.from({ length: 1000 }, () => message)));
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  const leavers = await Promise.all(['ends', 'resets'].map((id) => RawPeer.join(portOf(node), id, '127.0.0.2')));
  for (const leaver of leavers) leaver.socket.write(message);
  await until(() => leavers.every(({ socket }) => socket.writableLength === 0), 'the messages to be on their way');
  await until(() => node.peers().filter(({ bytesReceived }) => bytesReceived > 16_000).length === 3, 'them to arrive');
  // They have starved for two seconds by then, which does not count.
  await until(() => node.peers().length === 2, 'the flooder to be cut off');
  const closedMs = performance.now();
  leavers[0]!.socket.end();
  leavers[1]!.socket.resetAndDestroy();
  const dropped = () => node.stats().messages.droppedByCode.ResourceExhausted;
  await until(() => dropped() > 0, 'the first to be counted', 15_000);
  expect(performance.now() - closedMs).toBeGreaterThan(4500);
  await until(() => dropped() === 2, 'both to be counted');
  const told = node.history({ code: 0x49 }).filter(({ kind }) => kind === 'dropped');
  expect(told.map(({ peerId }) => peerId).sort()).toEqual(['ends', 'resets']);
});
