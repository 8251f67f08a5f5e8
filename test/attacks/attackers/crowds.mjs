/** Attackers that come in numbers, and never become peers. */
import { dial, frame, greeting, handshake, join } from '../support/wire.mjs';
import { crowd, end, gone, pause } from './crowd.mjs';

/** Begin a handshake and add a byte to it now and then; who is thrown out comes again. */
export async function slowLoris({ port, hostOf, count }, { over, inPlace }) {
  let begun = 0;
  return crowd(count, over, async (number) => {
    const socket = await dial(port, hostOf(number));
    socket.resume();
    socket.write(Buffer.of(1, 2));
    if (++begun === count) inPlace();
    while (!over.aborted && !socket.destroyed) {
      socket.write('x');
      await Promise.race([pause(500), gone(socket)]);
    }
    socket.destroy();
  });
}

/** Send the one byte that asks for peers, and close at once. */
export async function crawls({ port, hostOf, count, hosts }, { over, inPlace }) {
  inPlace();
  return crowd(count, over, async (number, go) => {
    const socket = await dial(port, hostOf((number + go) % hosts));
    socket.end(Buffer.of(1));
    socket.resume();
    await gone(socket);
  });
}

/** Connect and go, one as soon as the other. */
export async function connects({ port, hostOf, count, hosts }, { over, inPlace }) {
  inPlace();
  return crowd(count, over, async (number, go) => {
    const socket = await dial(port, hostOf((number + go) % hosts));
    // A reset leaves nothing behind on this side: an end would use up the attacker's ports.
    socket.resetAndDestroy();
    await gone(socket);
  });
}

/** Shake hands under a new name each time, and go. */
export async function handshakes({ port, hostOf, count, hosts }, { over, inPlace }) {
  inPlace();
  return crowd(count, over, async (number, go) => {
    const socket = await dial(port, hostOf((number + go) % hosts));
    socket.write(handshake(`n-${number}-${go}`));
    await greeting(socket);
    socket.resetAndDestroy();
    await gone(socket);
  });
}

/** Nobody attacks: what the machine does to the figures by itself. */
export async function nobody(_target, { over, inPlace }) {
  inPlace();
  await end(over);
  return {};
}

/** Become peers, from everywhere, and say something now and then; who is made to give way comes again. */
export async function squatters({ port, hostOf, count }, { over, inPlace }) {
  let tried = 0;
  return crowd(count, over, async (number, go) => {
    if (++tried === count) inPlace();
    const socket = await join(port, `squatter-${number}-${go}`, hostOf(number));
    socket.resume();
    socket.on('end', () => socket.end());
    while (!over.aborted && !socket.destroyed) {
      socket.write(frame('seq', Buffer.alloc(4)));
      await Promise.race([pause(200), gone(socket)]);
    }
    socket.destroy();
  });
}
