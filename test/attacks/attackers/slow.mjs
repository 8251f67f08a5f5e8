/** Peers that take their time: to send, or to read. */
import { frame, frameHead, join, readFrames } from '../support/wire.mjs';
import { end, gone, pause } from './crowd.mjs';

const LARGEST_FRAME = 10 * 1024 * 1024;

/** Each begins the largest frame there is, sends a part of it at once and then a little now and then. */
export async function tricklers({ port, hostOf, count, atOnceBytes }, { over, inPlace }) {
  const sockets = await Promise.all(Array.from({ length: count }, (_, at) => join(port, `slow-${at}`, hostOf(at))));
  const type = 'mirror';
  const head = frameHead(type, LARGEST_FRAME - 2 - type.length);
  const atOnce = Buffer.alloc(atOnceBytes, 'x');
  for (const socket of sockets) {
    socket.resume();
    socket.write(head);
    socket.write(atOnce);
  }
  inPlace();
  const some = Buffer.alloc(1024, 'x');
  let sent = 0;
  while (!over.aborted) {
    for (const socket of sockets)
      if (!socket.destroyed && socket.writableLength === 0) sent += socket.write(some) ? 1 : 0;
    await pause(50);
  }
  const left = sockets.filter(({ destroyed }) => destroyed).length;
  for (const socket of sockets) socket.destroy();
  return { peers: count, trickled: sent, left };
}

/** Shake hands, say now and then that they are there, and never read. */
export async function neverReaders({ port, hostOf, count }, { over, inPlace }) {
  const sockets = await Promise.all(Array.from({ length: count }, (_, at) => join(port, `deaf-${at}`, hostOf(at))));
  inPlace();
  while (!over.aborted) {
    for (const socket of sockets) socket.write(frame('hm'));
    await Promise.race([pause(500), end(over)]);
  }
  for (const socket of sockets) socket.destroy();
  return { peers: count };
}

/** Each sends all that it has, to be given back, and reads only then. */
export async function sendersFirst({ port, hostOf, count, messages, messageBytes }, { over, inPlace }) {
  const sockets = await Promise.all(Array.from({ length: count }, (_, at) => join(port, `full-${at}`, hostOf(at))));
  inPlace();
  const chunk = frame('mirror', Buffer.alloc(messageBytes, 'm'));
  const one = async (socket) => {
    for (let sent = 0; sent < messages; sent++) {
      if (socket.destroyed) throw new Error('closed before all was sent');
      if (socket.write(chunk)) continue;
      await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), gone(socket)]);
    }
    let read = 0;
    let isAnswered = false;
    readFrames(socket, (type, payload) => {
      if (type === 'mirrored') read++;
      else if (type === 'pong' && payload.toString() === 'all sent') isAnswered = true;
    });
    // Behind all of it: when this is answered, all before it has been read. A pong too has no room in a full queue.
    while (!isAnswered && !socket.destroyed) {
      socket.write(frame('ping', Buffer.from('all sent')));
      await pause(20);
    }
    return read;
  };
  const read = await Promise.all(sockets.map(one));
  await end(over);
  for (const socket of sockets) socket.destroy();
  const readers = read.filter((messages) => messages > 0).length;
  return { peers: count, sent: count * messages, readers, read: read.reduce((sum, each) => sum + each, 0) };
}

/** Join and answer nothing any more, no ping and no close, as if their line had been cut. */
export async function vanished({ port, hostOf, count }, { over, inPlace }) {
  const sockets = await Promise.all(Array.from({ length: count }, (_, at) => join(port, `gone-${at}`, hostOf(at))));
  for (const socket of sockets) socket.pause();
  inPlace();
  await end(over);
  for (const socket of sockets) socket.destroy();
  return { peers: count };
}

/** Close their own side and go on reading, for as long as they are let. */
export async function halfClosed({ port, hostOf, count }, { over, inPlace }) {
  const sockets = await Promise.all(Array.from({ length: count }, (_, at) => join(port, `half-${at}`, hostOf(at))));
  let ended = 0;
  for (const socket of sockets) {
    socket.resume();
    socket.on('end', () => ended++);
    // In the middle of a frame: what is missing never comes.
    socket.end(frame('mirror', Buffer.alloc(1000)).subarray(0, 500));
  }
  inPlace();
  await end(over);
  for (const socket of sockets) socket.destroy();
  return { peers: count, ended };
}
