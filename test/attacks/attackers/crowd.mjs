/** How many attackers do the same, each again and again, until they are told to stop. */

/**
 * @param attacker gets its number; what it throws, because a connection fails, ends that one go and is counted
 * @returns how often they went at it
 */
export async function crowd(count, over, attacker) {
  const done = { goes: 0, failed: 0 };
  const one = async (number) => {
    while (!over.aborted) {
      try {
        await attacker(number, done.goes);
      } catch {
        done.failed++;
        // A closed door is knocked at a hundred times a second by each, not as fast as the machine can fail.
        await pause(10);
      }
      done.goes++;
    }
  };
  await Promise.all(Array.from({ length: count }, (_, number) => one(number)));
  return done;
}

export function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** What waits for an end or a socket, so that each is listened to once only. */
const waits = new WeakMap();

function once(source, isOver, listen) {
  const known = waits.get(source);
  if (known !== undefined) return known;
  const wait = new Promise((resolve) => {
    if (isOver) resolve();
    else listen(resolve);
  });
  waits.set(source, wait);
  return wait;
}

/** Settles when they are told to stop. */
export function end(over) {
  return once(over, over.aborted, (resolve) => over.addEventListener('abort', resolve));
}

/** Settles when a socket is gone. */
export function gone(socket) {
  return once(socket, socket.destroyed, (resolve) => socket.once('close', resolve));
}

/** Writes again and again, as fast as the other side takes it, until the end or the socket's. @returns how many bytes */
export async function pour(socket, over, next) {
  let bytes = 0;
  while (!over.aborted && !socket.destroyed) {
    const chunk = next();
    bytes += chunk.length;
    if (socket.write(chunk)) await new Promise((resolve) => setImmediate(resolve));
    else await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), gone(socket), end(over)]);
  }
  return bytes;
}
