/**
 * One connection as a PAW peer without a node around it: for the commands `send` and `tap`, and for tests. Main thread.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
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
/** Frames kept for whoever iterates. */
const MAX_WAITING_FRAMES = 1024;

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
}

/**
 * Dials and shakes hands.
 * @throws PeerError with the code of the refusal, IdentityMismatch, NetworkError or HandshakeTimeout
 */
export function connectPeer(options: ConnectPeerOptions): Promise<PeerClient> {
  const { host, port, chainId, nodeId, timeoutMs } = options;
  const socket = connect({ host, port, noDelay: true });
  const address = formatAddress(host, port);
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0);
    const fail = (code: number, reason: string): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(new PeerError(code, `${address}: ${reason}`));
    };
    const timer = setTimeout(() => {
      if (socket.connecting) fail(ErrorCode.NetworkError, 'connection timed out');
      else fail(ErrorCode.HandshakeTimeout, 'handshake timed out');
    }, timeoutMs);
    socket.on('error', (error: NodeJS.ErrnoException) => fail(ErrorCode.NetworkError, error.code ?? error.message));
    socket.on('end', () => fail(ErrorCode.NetworkError, 'closed by peer during handshake'));
    const onData = (data: Buffer): void => {
      received = Buffer.concat([received, data]);
      if (received.length < HANDSHAKE_BYTES) return;
      const bytes = received.subarray(0, HANDSHAKE_BYTES);
      const checked = checkAsInitiator({ bytes, chainId, dialledId: options.dialledId ?? null });
      if (checked.kind === 'incomplete') return;
      if (checked.kind !== 'accept') {
        fail(checked.code, checked.kind === 'refused' ? `refused: ${checked.reason}` : checked.reason);
        return;
      }
      clearTimeout(timer);
      for (const event of ['data', 'end', 'error']) socket.removeAllListeners(event);
      resolve(new PeerClient(socket, address, checked.nodeId, received.subarray(HANDSHAKE_BYTES)));
    };
    socket.on('data', onData);
    socket.write(encodeHandshake(chainId, nodeId));
  });
}

/** A connection that has shaken hands. Iterate over it for the frames that arrive; it answers pings by itself. */
export class PeerClient implements AsyncIterable<ReceivedFrame> {
  readonly remoteId: string;
  readonly #socket: Socket;
  readonly #address: string;
  readonly #decoder = new StreamDecoder();
  readonly #frames: ReceivedFrame[] = [];
  readonly #pings = new Map<string, { sentMs: number; resolve(rttMs: number): void; reject(error: Error): void }>();
  #wake: (() => void) | null = null;
  #end: PeerError | null = null;
  #closing = false;

  /** @internal Use `connectPeer`. */
  constructor(socket: Socket, address: string, remoteId: string, first: Uint8Array) {
    this.remoteId = remoteId;
    this.#socket = socket;
    this.#address = address;
    socket.on('data', (data) => this.#read(data));
    socket.on('error', (error: NodeJS.ErrnoException) =>
      this.#finish(ErrorCode.NetworkError, error.code ?? error.message),
    );
    socket.on('close', () => this.#finish(ErrorCode.NetworkError, 'closed by peer'));
    if (first.length > 0) this.#read(first);
  }

  /** Sends a message. Settles when the socket takes more. @throws PeerError if the connection has ended */
  async send(type: string, payload: Uint8Array): Promise<void> {
    if (this.#end !== null) throw this.#end;
    if (this.#socket.write(encodeFrame(type, payload))) return;
    await Promise.race([once(this.#socket, 'drain'), once(this.#socket, 'close')]);
    if (this.#end !== null) throw this.#end;
  }

  /** Round-trip time of a ping in milliseconds: everything sent before it has been read by then. */
  ping(): Promise<number> {
    const nonce = randomBytes(PING_NONCE_BYTES);
    return new Promise((resolve, reject) => {
      this.#pings.set(nonce.toString('hex'), { sentMs: performance.now(), resolve, reject });
      this.send(ControlType.ping, nonce).catch(reject);
    });
  }

  /** Frames as they arrive, but ping and pong. Ends when the connection is closed by `close`, throws when it breaks. */
  async *[Symbol.asyncIterator](): AsyncGenerator<ReceivedFrame, void, undefined> {
    for (;;) {
      const frame = this.#frames.shift();
      if (frame !== undefined) {
        yield frame;
        continue;
      }
      if (this.#closing) return;
      if (this.#end !== null) throw this.#end;
      this.#socket.resume();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Says goodbye and closes. */
  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    if (this.#end === null) {
      this.#socket.end(encodeFrame(ControlType.disconnect, encodeDisconnect(ErrorCode.GoingAway, '')));
      // Whatever the peer still sends is read and forgotten, so that its side can close.
      this.#socket.removeAllListeners('data');
      this.#socket.resume();
      this.#socket.setTimeout(CLOSE_MS, () => this.#socket.destroy());
    }
    this.#finish(ErrorCode.GoingAway, 'closed');
  }

  #read(data: Uint8Array): void {
    for (const found of this.#decoder.push(data)) {
      if (found.kind === 'close') {
        this.#finish(found.code, 'a frame over 10 MB arrived');
        this.#socket.destroy();
      } else if (found.kind === 'frame') this.#take(found.type, found.payload);
    }
  }

  #take(type: string, payload: Buffer): void {
    if (type === ControlType.ping) {
      this.#socket.write(encodeFrame(ControlType.pong, payload.subarray(0, MAX_PONG_BYTES)));
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
    // Read no faster than frames are taken.
    if (this.#frames.length >= MAX_WAITING_FRAMES) this.#socket.pause();
    this.#wakeUp();
  }

  #finish(code: number, reason: string): void {
    if (this.#end !== null) return;
    this.#end = new PeerError(code, `${this.#address}: ${reason}`);
    for (const ping of this.#pings.values()) ping.reject(this.#end);
    this.#pings.clear();
    this.#wakeUp();
  }

  #wakeUp(): void {
    this.#wake?.();
    this.#wake = null;
  }
}
