/**
 * How an accepted socket comes to read straight into memory of ours. Main thread. Node offers `onread` only for sockets
 * that it connects, so the handle of the accepted socket is put into a new one. This is the one place that touches
 * a private field; where it is missing, bytes are copied from `'data'` events instead, and nothing else changes.
 */
import { Socket } from 'node:net';

/** Where the bytes of a socket go. */
export interface ReadSink {
  /** Free memory for the next read; never empty. */
  buffer(): Uint8Array;
  /** `bytes` were read into the last buffer. @returns false to stop reading until the socket is resumed */
  received(bytes: number): boolean;
}

/** `onread` option of a socket whose bytes go to `sink`. */
export function onread(sink: ReadSink) {
  return { buffer: () => sink.buffer(), callback: (bytes: number) => sink.received(bytes) };
}

/** Takes over a socket accepted with `pauseOnConnect`. The caller resumes it when it wants bytes. */
export function adoptSocket(accepted: Socket, sink: ReadSink): Socket {
  const holder = accepted as unknown as { _handle?: object | null };
  const handle = holder._handle;
  if (handle === undefined || handle === null) return readByCopy(accepted, sink);
  const options = { handle, onread: onread(sink), allowHalfOpen: true, manualStart: true };
  const socket = new Socket(options);
  // The old socket must not close the handle when it is collected.
  holder._handle = null;
  return socket;
}

/** The same contract on `'data'` events, with one copy more. */
export function readByCopy(socket: Socket, sink: ReadSink): Socket {
  socket.allowHalfOpen = true;
  socket.on('data', (data: Buffer) => {
    for (let done = 0; done < data.length; ) {
      const target = sink.buffer();
      const take = Math.min(target.length, data.length - done);
      target.set(data.subarray(done, done + take));
      done += take;
      if (sink.received(take)) continue;
      socket.pause();
      if (done < data.length) socket.unshift(data.subarray(done));
      return;
    }
  });
  return socket;
}
