/**
 * How an accepted connection comes to be read straight into memory of ours. Main thread. Node offers `onread` only for
 * sockets that it connects, so a socket of our own is made for the handle of the connection: for the handle that the
 * listener hands over, before Node makes a socket of it, or where that is hidden, for the one of the accepted socket. This
 * is the one place that touches private fields; where both are missing, bytes are copied from `'data'` events instead, and
 * nothing else changes.
 */
import { type Server, Socket } from 'node:net';

/** Where the bytes of a socket go. Its memory outlives the socket: nobody else may hold it for Node. */
export interface ReadSink {
  /** Free memory for the next read; never empty. */
  buffer(): Uint8Array;
  /** `bytes` were read into the last buffer. @returns false to stop reading until the socket is resumed */
  received(bytes: number): boolean;
}

/** The socket that was read last, and where its bytes go. */
let lastRead: Socket | null = null;
let lastSink: ReadSink | null = null;

/** `onread` option of a socket whose bytes go to `sink`. */
export function onread(sink: ReadSink) {
  return {
    buffer: () => sink.buffer(),
    callback(this: Socket, bytes: number) {
      lastRead = this;
      lastSink = sink;
      return sink.received(bytes);
    },
  };
}

/** Nothing of a sink is kept: its socket is closed, or Node has its next buffer. */
export function doneReading(sink: ReadSink): void {
  if (lastSink !== sink) return;
  lastRead = null;
  lastSink = null;
}

/**
 * Node learns of the next buffer from what its callback of a read returns: nothing, if a tick that ran behind it threw. A
 * program that lives on then would have the kernel read into the last buffer again, over bytes that wait there, and us
 * believe that they are in the next. So it is told again, before anything is read: the exception may be that of a tick
 * behind the last read. If it is not, this changes nothing but a few bytes that Node keeps until the socket closes, once
 * for each read at most.
 */
process.on('uncaughtExceptionMonitor', () => {
  const handle = (lastRead as unknown as { _handle?: ReadHandle | null } | null)?._handle;
  if (lastSink === null) return;
  if (handle) handle.useUserBuffer?.(lastSink.buffer());
  doneReading(lastSink);
});

interface ReadHandle {
  useUserBuffer?(buffer: Uint8Array): void;
}

/** Makes the socket of an accepted connection. Whoever asked for it resumes it when it wants bytes. */
export type Adopt = (sink: ReadSink) => Socket;

interface ListeningHandle {
  onconnection?: (this: ListeningHandle, status: number, accepted: object | undefined) => void;
}

/**
 * Has the connections of a listening server handed over by their handles: one socket less for each.
 * @returns false where Node hides how that is done; then they come as `'connection'` events only
 */
export function takeHandles(server: Server, onConnection: (adopt: Adopt) => void): boolean {
  const listening = (server as unknown as { _handle?: ListeningHandle | null })._handle;
  const original = listening?.onconnection;
  if (listening === undefined || listening === null || typeof original !== 'function') return false;
  listening.onconnection = (status, accepted) => {
    // What could not be accepted is Node's to tell.
    if (status !== 0 || accepted === undefined) original.call(listening, status, accepted);
    else onConnection((sink) => socketOf(accepted, sink));
  };
  return true;
}

/** Takes over a socket accepted with `pauseOnConnect`. */
export function adoptSocket(accepted: Socket, sink: ReadSink): Socket {
  const holder = accepted as unknown as { _handle?: object | null };
  const handle = holder._handle;
  if (handle === undefined || handle === null) return readByCopy(accepted, sink);
  const socket = socketOf(handle, sink);
  // The old socket must not close the handle when it is collected.
  holder._handle = null;
  return socket;
}

/**
 * What `Socket` adds to the options that it is given, whatever they say. Where it finds them there already, their shape
 * stays the same and V8 makes a socket many times as fast (`bench/micro.ts`).
 */
export const settledOptions = { emitClose: false, autoDestroy: true, decodeStrings: false } as const;

function socketOf(handle: object, sink: ReadSink): Socket {
  const options = { handle, onread: onread(sink), allowHalfOpen: true, manualStart: true, ...settledOptions };
  return new Socket(options);
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
