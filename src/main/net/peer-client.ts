/**
 * One connection as a PAW peer without a node around it: for the commands `send` and `tap`, and for tests. Main thread.
 */
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { ErrorCode, PeerError } from '../../shared/errors.js';
import { HANDSHAKE_BYTES, MAX_PONG_BYTES, PING_NONCE_BYTES } from '../../shared/limits.js';
import { decodeDisconnect, encodeDisconnect } from '../../shared/wire/disconnect.js';
import { encodeFrame } from '../../shared/wire/frame.js';
import { checkAsInitiator, encodeHandshake } from '../../shared/wire/handshake.js';
import { ControlType } from '../../shared/wire/message-type.js';
import { formatAddress } from './address.js';
import { type ReceivedFrame, StreamDecoder } from './stream-decoder.js';

/** How long a peer may take to close its side after we have closed ours. */
const CLOSE_MS = 1000;
/** Frames kept for whoever iterates, and bytes of their payloads, before no more is read. */
const MAX_WAITING_FRAMES = 1024;
const MAX_WAITING_BYTES = 16 * 1024 * 1024;
/** A peer that sends pings and reads no pongs gets none while so much waits for it. */
const MAX_UNSENT_BYTES_FOR_PONG = 1024 * 1024;

export interface ConnectPeerOptions {
  readonly host: string;
  readonly port: number;
  readonly chainId: string;
  /** ID to show. */
  readonly nodeId: string;
  /** ID that the peer must have. */
  readonly dialledId?: string;
  /** For connection and handshake together. */
  readonly timeoutMs: number;
  /** Gives up the attempt. A connection that stands is ended by `close`. */
  readonly signal?: AbortSignal;
}

/**
 * Dials and shakes hands (specification 1.2, rulings 2).
 * @throws PeerError with the code of the refusal, of what we reject (IdentityMismatch and others), NetworkError or
 * HandshakeTimeout; ConfigError for IDs that don't fit; the signal's reason where that gives up
 */
export async function connectPeer(options: ConnectPeerOptions): Promise<PeerClient> {
  const { host, port, chainId, nodeId, signal } = options;
  signal?.throwIfAborted();
  const hello = encodeHandshake(chainId, nodeId);
  const socket = connect({ host, port, noDelay: true });
  socket.write(hello);
  return shakeHands(socket, options);
}

/** Waits for the answer to our handshake. The client takes the socket over in the same turn, so no byte is missed. */
function shakeHands(socket: Socket, options: ConnectPeerOptions): Promise<PeerClient> {
  const { chainId, dialledId = null, timeoutMs, signal } = options;
  const address = formatAddress(options.host, options.port);
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0);
    const settle = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      socket.off('data', onData).off('end', onEnd).off('error', onError);
    };
    const fail = (error: unknown): void => {
      settle();
      // The cause is known: what the socket still has to say adds nothing.
      socket.on('error', () => undefined);
      if (socket.writableEnded) socket.destroySoon();
      else socket.destroy();
      reject(error);
    };
    const failWith = (code: number, reason: string): void => fail(new PeerError(code, `${address}: ${reason}`));
    const onAbort = (): void => fail(signal?.reason);
    const onError = (error: NodeJS.ErrnoException): void => failWith(ErrorCode.NetworkError, nameOf(error));
    const onEnd = (): void => failWith(ErrorCode.NetworkError, 'closed by peer during handshake');
    const onLate = (): void => {
      if (socket.connecting) failWith(ErrorCode.NetworkError, 'connection timed out');
      else failWith(ErrorCode.HandshakeTimeout, 'handshake timed out');
    };
    const onData = (data: Buffer): void => {
      received = Buffer.concat([received, data]);
      const checked = checkAsInitiator({ bytes: received.subarray(0, HANDSHAKE_BYTES), chainId, dialledId });
      if (checked.kind === 'incomplete') return;
      if (checked.kind === 'accept') {
        settle();
        resolve(new PeerClient(socket, address, checked.nodeId, received.subarray(HANDSHAKE_BYTES)));
        return;
      }
      // To the peer the connection stands: it is told why it ends. Bytes of its own are left unread.
      if (checked.kind === 'reject') socket.end(disconnectFrame(checked.code, checked.reason));
      failWith(checked.code, checked.kind === 'refused' ? `refused: ${checked.reason}` : checked.reason);
    };
    const timer = setTimeout(onLate, timeoutMs);
    signal?.addEventListener('abort', onAbort);
    socket.on('data', onData).on('end', onEnd).on('error', onError);
  });
}

function disconnectFrame(code: number, reason: string): Buffer {
  return encodeFrame(ControlType.disconnect, encodeDisconnect(code, reason));
}

function nameOf(error: NodeJS.ErrnoException): string {
  return error.code ?? error.message;
}

interface WaitingPing {
  readonly sentMs: number;
  resolve(rttMs: number): void;
  reject(error: Error): void;
}

/**
 * A connection that has shaken hands. Iterate over it for the frames that arrive; it answers pings by itself. Whoever
 * doesn't iterate gets no pong either once {@link MAX_WAITING_FRAMES} wait, since nothing more is read then.
 */
export class PeerClient implements AsyncIterable<ReceivedFrame> {
  /** Node ID that the peer showed. Version 1 of the protocol does not prove it. */
  readonly remoteId: string;
  readonly #socket: Socket;
  readonly #address: string;
  readonly #decoder = new StreamDecoder();
  readonly #frames: ReceivedFrame[] = [];
  #waitingBytes = 0;
  #framesDropped = 0;
  readonly #pings = new Map<string, WaitingPing>();
  /** Senders that wait for the socket to take more. */
  #blocked: (() => void)[] = [];
  #wake: (() => void) | null = null;
  /** Why nothing more can be sent; null as long as it can. */
  #end: PeerError | null = null;
  /** Settles when the socket is closed; null until we close it. */
  #closed: Promise<void> | null = null;
  readonly #onData = (data: Buffer): void => this.#read(data);

  /** @internal Use `connectPeer`. */
  constructor(socket: Socket, address: string, remoteId: string, first: Uint8Array) {
    this.remoteId = remoteId;
    this.#socket = socket;
    this.#address = address;
    socket.on('data', this.#onData);
    socket.on('drain', () => this.#unblock());
    socket.on('error', (error: NodeJS.ErrnoException) => this.#finish(ErrorCode.NetworkError, nameOf(error)));
    socket.on('close', () => this.#finish(ErrorCode.NetworkError, 'closed by peer'));
    if (first.length > 0) this.#read(first);
  }

  /** Malformed frames that were dropped (InvalidMessageFormat); the connection stays (rulings 1). */
  get framesDropped(): number {
    return this.#framesDropped;
  }

  /**
   * Sends a message. Settles when the socket takes more.
   * @throws PeerError if the connection has ended or ends meanwhile; TypeError for a wrong type, RangeError over 10 MB
   */
  async send(type: string, payload: Uint8Array): Promise<void> {
    if (this.#end !== null) throw this.#end;
    if (this.#socket.write(encodeFrame(type, payload))) return;
    await new Promise<void>((resolve) => this.#blocked.push(resolve));
    if (this.#end !== null) throw this.#end;
  }

  /**
   * Round-trip time of a ping in milliseconds: everything sent before it has been read by then.
   * @throws PeerError if the connection has ended or ends before the pong
   */
  ping(): Promise<number> {
    const nonce = randomBytes(PING_NONCE_BYTES);
    return new Promise((resolve, reject) => {
      if (this.#end === null) this.#pings.set(nonce.toString('hex'), { sentMs: performance.now(), resolve, reject });
      this.send(ControlType.ping, nonce).catch(reject);
    });
  }

  /** Frames as they arrive, but ping and pong. Ends when the connection is closed by `close`, throws when it breaks. */
  async *[Symbol.asyncIterator](): AsyncGenerator<ReceivedFrame, void, undefined> {
    for (;;) {
      const frame = this.#frames.shift();
      if (frame !== undefined) {
        this.#waitingBytes -= frame.payload.length;
        yield frame;
        continue;
      }
      if (this.#closed !== null) return;
      if (this.#end !== null) throw this.#end;
      this.#socket.resume();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Says goodbye (`disconnect` with GoingAway) and closes. Settles when the socket is closed, after a second at most. */
  close(): Promise<void> {
    if (this.#closed !== null) return this.#closed;
    const closed = this.#leave(ErrorCode.GoingAway, '');
    this.#closed = closed;
    this.#finish(ErrorCode.GoingAway, 'closed');
    this.#wakeUp();
    // Whatever the peer still sends is read and forgotten, so that its side can close.
    this.#socket.resume();
    return closed;
  }

  /** Announces why, unless the peer has ended it, and closes our side. Nothing more is decoded. */
  #leave(code: number, reason: string): Promise<void> {
    const socket = this.#socket;
    socket.off('data', this.#onData);
    if (this.#end === null) socket.write(disconnectFrame(code, reason));
    socket.end();
    if (socket.closed) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => socket.destroy(), CLOSE_MS);
      socket.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #read(data: Uint8Array): void {
    for (const found of this.#decoder.push(data)) {
      if (found.kind === 'frame') this.#take(found.type, found.payload);
      else if (found.kind === 'drop') this.#framesDropped++;
      else {
        const reason = 'a frame over 10 MB arrived';
        void this.#leave(found.code, reason);
        // Nothing more is read from such a peer (rulings 1).
        this.#socket.pause();
        this.#finish(found.code, reason);
      }
    }
  }

  #take(type: string, payload: Buffer): void {
    if (type === ControlType.ping) {
      this.#pong(payload);
      return;
    }
    if (type === ControlType.pong) {
      const key = payload.toString('hex');
      const ping = this.#pings.get(key);
      this.#pings.delete(key);
      ping?.resolve(performance.now() - ping.sentMs);
      return;
    }
    if (type === ControlType.disconnect) {
      const { code, reason } = decodeDisconnect(payload);
      this.#finish(code, `disconnected by peer${reason === '' ? '' : `: ${reason}`}`);
    }
    this.#frames.push({ type, payload });
    this.#waitingBytes += payload.length;
    // Read no faster than frames are taken.
    if (this.#frames.length >= MAX_WAITING_FRAMES || this.#waitingBytes >= MAX_WAITING_BYTES) this.#socket.pause();
    this.#wakeUp();
  }

  #pong(payload: Buffer): void {
    if (this.#end !== null || this.#socket.writableLength > MAX_UNSENT_BYTES_FOR_PONG) return;
    this.#socket.write(encodeFrame(ControlType.pong, payload.subarray(0, MAX_PONG_BYTES)));
  }

  #finish(code: number, reason: string): void {
    if (this.#end !== null) return;
    this.#end = new PeerError(code, `${this.#address}: ${reason}`);
    for (const ping of this.#pings.values()) ping.reject(this.#end);
    this.#pings.clear();
    this.#unblock();
    this.#wakeUp();
  }

  #unblock(): void {
    const blocked = this.#blocked;
    this.#blocked = [];
    for (const resolve of blocked) resolve();
  }

  #wakeUp(): void {
    this.#wake?.();
    this.#wake = null;
  }
}
