/** Connections that are reset, at every moment that there is in the life of one. */
import { dial, frame, frameHead, greeting, handshake, join } from '../support/wire.mjs';
import { crowd, gone, pause } from './crowd.mjs';

/** What has been done before the reset. Each gets port, name and host, and gives its socket. */
const moments = {
  accepted: ({ port, from }) => dial(port, from),
  firstByte: async ({ port, from }) => written(await dial(port, from), Buffer.of(1)),
  halfHandshake: async ({ port, id, from }) => written(await dial(port, from), handshake(id).subarray(0, 30)),
  handshakeSent: async ({ port, id, from }) => written(await dial(port, from), handshake(id)),
  handshakeAndMore: async ({ port, id, from }) =>
    written(await dial(port, from), Buffer.concat([handshake(id), frame('seq', Buffer.alloc(4))])),
  connected: ({ port, id, from }) => join(port, id, from),
  midFrame: async ({ port, id, from }) => written(await join(port, id, from), frameHead('mirror', 100_000)),
  midLargeFrame: async ({ port, id, from }) =>
    written(await join(port, id, from), Buffer.concat([frameHead('mirror', 9_000_000), Buffer.alloc(700_000)])),
  afterFrames: async ({ port, id, from }) =>
    written(await join(port, id, from), Buffer.concat(Array(50).fill(frame('mirror', Buffer.alloc(1000))))),
  whileWrittenTo: async ({ port, id, from }) => {
    const socket = written(
      await join(port, id, from),
      Buffer.concat(Array(64).fill(frame('mirror', Buffer.alloc(65_536)))),
    );
    await new Promise((resolve) => socket.once('readable', resolve));
    return socket;
  },
  goodbyeSaid: async ({ port, id, from }) => written(await join(port, id, from), frame('disconnect', Buffer.of(0))),
  halfClosed: async ({ port, id, from }) => {
    const socket = await join(port, id, from);
    socket.end(frame('seq', Buffer.alloc(4)));
    return socket;
  },
  refused: async ({ port, id, from }) => {
    const socket = written(await dial(port, from), handshake(id, 'another-chain'));
    await greeting(socket);
    return socket;
  },
  beingRefused: async ({ port, id, from }) => written(await dial(port, from), handshake(id, 'another-chain')),
  beingLeft: async ({ port, id, from }) => {
    // More than the largest frame: the node says why, closes its side and waits for ours.
    const socket = written(await join(port, id, from), Buffer.of(0x7f, 0xff, 0xff, 0xff));
    await Promise.race([new Promise((resolve) => socket.once('readable', resolve)), pause(100)]);
    return socket;
  },
  crawlAsked: async ({ port, from }) => {
    const socket = await dial(port, from);
    socket.end(Buffer.of(1));
    return socket;
  },
};

function written(socket, bytes) {
  socket.write(bytes);
  return socket;
}

/** All moments in turn. What is written is on its way when the reset comes, or is not: both happen. */
export async function resets({ port, hostOf, count }, { over, inPlace }) {
  const names = Object.keys(moments);
  const reached = new Set();
  inPlace();
  const goes = await crowd(count, over, async (number, go) => {
    const moment = names[go % names.length];
    const socket = await moments[moment]({ port, id: `reset-${number}-${go}`, from: hostOf(number + go * 7) });
    if (go % 2 === 0) await pause(go % 5);
    reached.add(moment);
    socket.resetAndDestroy();
    await gone(socket);
  });
  return { ...goes, moments: reached.size, of: names.length };
}
