/** Who is not who they say, and what is no handshake at all. */
import { randomBytes } from 'node:crypto';
import { dial, greeting, handshake } from '../support/wire.mjs';
import { crowd, gone } from './crowd.mjs';

/** Show the ID of somebody who is connected, or the node's own. */
export async function thieves({ port, hostOf, count, ids }, { over, inPlace }) {
  const answers = {};
  inPlace();
  const goes = await crowd(count, over, async (number, go) => {
    const socket = await dial(port, hostOf(number + go * count));
    socket.write(handshake(ids[go % ids.length]));
    const answer = await greeting(socket);
    const told = answer === null ? 'closed' : answer[0] === 1 ? 'let in' : answer[1];
    answers[told] = (answers[told] ?? 0) + 1;
    socket.destroy();
    await gone(socket);
  });
  return { ...goes, answers };
}

/** Noise instead of a handshake, some of it with the right beginning. */
export async function strangers({ port, hostOf, count }, { over, inPlace }) {
  inPlace();
  return crowd(count, over, async (number, go) => {
    const socket = await dial(port, hostOf(number + go * count));
    socket.on('end', () => socket.end());
    socket.resume();
    const bytes = randomBytes(1 + Math.floor(Math.random() * 4096));
    if (go % 2 === 0) bytes[0] = 1;
    socket.write(bytes);
    if (go % 3 === 0) socket.end();
    setTimeout(() => socket.destroy(), 200).unref();
    await gone(socket);
  });
}
