/**
 * A peer of the soak: shakes hands, sends messages that are numbered, reads everything and checks it against the ledger,
 * answers pings. In the load's process.
 */
import { connect, type Socket } from 'node:net';
import { StreamDecoder } from '../../src/main/net/stream-decoder.js';
import { HANDSHAKE_BYTES } from '../../src/shared/limits.js';
import { encodeDisconnect } from '../../src/shared/wire/disconnect.js';
import { encodeFrame } from '../../src/shared/wire/frame.js';
import { encodeHandshake } from '../../src/shared/wire/handshake.js';
import { ControlType } from '../../src/shared/wire/message-type.js';
import { CHAIN_ID } from '../channel.js';
import type { Ledger, Receiver } from './ledger.js';
import { readStamp, type SoakType, stampedPayload } from './stamp.js';

/** Different addresses of this host, so that ports do not run out while closed connections age. */
const HOSTS = 200;
const ECHO_MS_MOST = 60_000;
const GOING_AWAY = 0;
let nextHost = 0;

/** An address of this host, another one each time. */
export function someHost(): string {
  return `127.0.0.${1 + (nextHost++ % HOSTS)}`;
}

/** What went wrong that no message can show. */
export interface Faults {
  /** Messages that are not what anybody sent. */
  damaged: number;
  /** Connections that the node ended, or refused, unasked. */
  dropped: number;
  /** Echoes that did not come, and that came again or out of order. */
  echoesLost: number;
  echoesDoubled: number;
}

export interface SoakPeerParts {
  readonly port: number;
  readonly id: string;
  readonly ledger: Ledger;
  readonly receiver: Receiver;
  readonly faults: Faults;
}

const soakTypes = new Set<string>(['tx', 'vote', 'block', 'echo'] satisfies SoakType[]);

function isSoakType(type: string): type is SoakType {
  return soakTypes.has(type);
}

export class SoakPeer {
  readonly origin: number;
  readonly id: string;
  readonly #parts: SoakPeerParts;
  readonly #socket: Socket;
  readonly #decoder = new StreamDecoder();
  #handshakeLeft = HANDSHAKE_BYTES;
  #isJoined = false;
  #isLeaving = false;
  #isClosedInLedger = false;
  #echoesSent = 0;
  #echoesBack = 0;
  /** Messages sent before each echo that is under way: they have arrived when it comes back. */
  readonly #sentBeforeEcho: number[] = [];
  #confirmed = 0;
  readonly #awaitsEchoes: (() => void)[] = [];
  #settled: () => void = () => undefined;
  /** Settles when the handshake is done, or the connection has ended before that. */
  readonly joined: Promise<boolean>;
  readonly closed: Promise<void>;

  constructor(parts: SoakPeerParts) {
    const { port, id, ledger, receiver } = parts;
    this.#parts = parts;
    this.id = id;
    this.origin = ledger.openOrigin();
    ledger.exempt(receiver, this.origin);
    this.#socket = connect({ host: '127.0.0.1', port, localAddress: someHost(), noDelay: true });
    this.#socket.on('error', () => undefined);
    this.#socket.on('data', (chunk) => this.#read(chunk));
    // Not `once`, which throws what the socket's error was: a peer that is cut off is counted, whatever the error.
    this.closed = new Promise<void>((resolve) => this.#socket.once('close', () => resolve())).then(() =>
      this.#isClosed(),
    );
    this.joined = new Promise((resolve) => {
      this.#settled = () => resolve(this.#isJoined);
    });
    this.#socket.write(encodeHandshake(CHAIN_ID, id));
  }

  /** Messages whose arrival an echo has shown. */
  get confirmed(): number {
    return this.#confirmed;
  }

  get isOpen(): boolean {
    return this.#isJoined && !this.#isLeaving;
  }

  /** A message that the node passes on to all others. */
  tell(type: Exclude<SoakType, 'echo'>): void {
    const stamp = { origin: this.origin, number: this.#parts.ledger.send(this.origin) };
    this.#socket.write(encodeFrame(type, stampedPayload(type, stamp)));
  }

  /** A message that the node sends back. */
  echo(): void {
    this.#sentBeforeEcho.push(this.#parts.ledger.sentBy(this.origin));
    const stamp = { origin: this.origin, number: this.#echoesSent++ };
    this.#socket.write(encodeFrame('echo', stampedPayload('echo', stamp)));
  }

  /** Sends no more messages, and waits until all have arrived at the node. */
  async conclude(): Promise<void> {
    this.echo();
    await this.#echoed();
    this.#closeSent();
  }

  /** Waits for all echoes, says goodbye and closes: nothing of it may be lost. */
  async leave(): Promise<void> {
    await this.#echoed();
    this.#isLeaving = true;
    this.#socket.write(encodeFrame(ControlType.disconnect, encodeDisconnect(GOING_AWAY, 'bye')));
    this.#closeSent();
    this.#socket.end();
    await this.closed;
  }

  /** Says goodbye behind its last messages and waits for nothing. */
  async leaveAtOnce(): Promise<void> {
    this.#isLeaving = true;
    this.#socket.write(encodeFrame(ControlType.disconnect, encodeDisconnect(GOING_AWAY, 'bye')));
    this.#closeSent();
    this.#socket.end();
    await this.closed;
  }

  /** Closes its side behind its last messages: they were sent, so they arrive. */
  async finish(): Promise<void> {
    this.#isLeaving = true;
    this.#closeSent();
    this.#socket.end();
    await this.closed;
  }

  /** Closes its side in the middle of a frame. */
  async cut(): Promise<void> {
    this.#isLeaving = true;
    this.#closeSent();
    const frame = encodeFrame('tx', Buffer.alloc(1000, 0x5a));
    this.#socket.end(frame.subarray(0, frame.length / 2));
    await this.closed;
  }

  /** Resets the connection: what the node has not read yet is gone, what an echo has confirmed is not. */
  async reset(): Promise<void> {
    this.#isLeaving = true;
    this.#close(this.#confirmed);
    this.#socket.resetAndDestroy();
    await this.closed;
  }

  #closeSent(): void {
    if (!this.#isClosedInLedger) this.#close(this.#parts.ledger.sentBy(this.origin));
  }

  #close(must: number): void {
    if (this.#isClosedInLedger) return;
    this.#isClosedInLedger = true;
    this.#parts.ledger.close(this.origin, must);
  }

  async #echoed(): Promise<void> {
    if (this.#echoesBack < this.#echoesSent) {
      const echoed = new Promise<void>((resolve) => this.#awaitsEchoes.push(resolve));
      // One that never comes is counted; nobody waits for it for ever.
      const tooLate = setTimeout(() => this.#waitNoMore(), ECHO_MS_MOST);
      await Promise.race([this.closed, echoed]);
      clearTimeout(tooLate);
    }
    this.#parts.faults.echoesLost += this.#echoesSent - this.#echoesBack;
  }

  #waitNoMore(): void {
    for (const isDone of this.#awaitsEchoes.splice(0)) isDone();
  }

  #isClosed(): void {
    this.#settled();
    if (this.#isLeaving) return;
    this.#isLeaving = true;
    this.#parts.faults.dropped++;
    this.#close(this.#confirmed);
  }

  #read(chunk: Buffer): void {
    let data = chunk;
    if (this.#handshakeLeft > 0) {
      // A refusal: the connection ends with it.
      if (this.#handshakeLeft === HANDSHAKE_BYTES && data[0] === 0) this.#handshakeLeft = Number.POSITIVE_INFINITY;
      const taken = Math.min(this.#handshakeLeft, data.length);
      this.#handshakeLeft -= taken;
      if (this.#handshakeLeft > 0) return;
      this.#isJoined = true;
      this.#settled();
      data = data.subarray(taken);
    }
    for (const found of this.#decoder.push(data)) {
      if (found.kind === 'frame') this.#take(found.type, found.payload);
      else this.#parts.faults.damaged++;
    }
  }

  #take(type: string, payload: Buffer): void {
    if (isSoakType(type)) {
      this.#takeStamped(type, payload);
      return;
    }
    if (type === ControlType.ping && !this.#isLeaving) this.#socket.write(encodeFrame(ControlType.pong, payload));
  }

  #takeStamped(type: SoakType, payload: Buffer): void {
    const { ledger, receiver, faults } = this.#parts;
    const stamp = readStamp(type, payload);
    if (stamp === null) faults.damaged++;
    else if (type !== 'echo') ledger.arrived(receiver, stamp.origin, stamp.number);
    else if (stamp.origin !== this.origin) faults.damaged++;
    else if (stamp.number < this.#echoesBack) faults.echoesDoubled++;
    else {
      const missed = stamp.number - this.#echoesBack;
      faults.echoesLost += missed;
      this.#echoesBack = stamp.number + 1;
      this.#sentBeforeEcho.splice(0, missed);
      this.#confirmed = this.#sentBeforeEcho.shift() ?? this.#confirmed;
      if (this.#echoesBack === this.#echoesSent) this.#waitNoMore();
    }
  }
}
