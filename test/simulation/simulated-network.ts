/**
 * Simulated TCP. Each link delays, has a bandwidth, and cuts what is sent into pieces of any size; links can be cut, reset
 * or stop delivering (partitions), hosts can go with or without a word. What arrives is in order and whole, or the
 * connection ends: as with TCP, nothing else can happen to bytes.
 */
import type { ReadSink } from '../../src/main/net/adopt-socket.js';
import type { AdoptPeer, Listener, Network, PeerSocket } from '../../src/main/net/network.js';
import type { Schedule } from './schedule.js';
import type { Seeded } from './seeded.js';

/** What one direction of a connection may hold: unsent, and unread on the other side. */
const SEND_BUFFER_BYTES = 64 * 1024;
const RECEIVE_BUFFER_BYTES = 64 * 1024;
const LEAST_WINDOW_BYTES = 4 * 1024;
const LARGEST_PIECE_BYTES = 16 * 1024;
/** What a host that reads slowly takes of a connection, and how often. */
const SLOW_READ_BYTES = 256;
const SLOW_READ_EVERY_MS = 20;
const EPHEMERAL_PORT = 32_768;

type Listening = (adopt: AdoptPeer) => void;

/** One machine: an address, whether it is there, and what listens on it. */
export class Host {
  readonly ip: string;
  /** One that is not answers nothing at all. */
  isUp = true;
  /** How fast its processes read: as fast as they can, little by little, or not at all. */
  reads: 'fast' | 'slowly' | 'nothing' = 'fast';
  /** Which part of a partitioned network it is in. */
  side = 0;
  readonly listeners = new Map<number, Listening>();
  readonly sockets = new Set<SimulatedSocket>();
  #nextPort = EPHEMERAL_PORT;

  constructor(ip: string) {
    this.ip = ip;
  }

  freePort(): number {
    return this.#nextPort++;
  }

  /** From now on, on connections that are yet to come as well. */
  read(how: Host['reads']): void {
    this.reads = how;
    if (how !== 'nothing') for (const socket of this.sockets) socket.goOn();
  }
}

/** How the network behaves. */
export interface Conditions {
  /** One way. */
  readonly latencyMs: readonly [number, number];
  /** Of a link, either way. */
  readonly bytesPerMs: readonly [number, number];
}

interface Link {
  readonly latencyMs: number;
  readonly bytesPerMs: number;
}

export class SimulatedNetwork {
  readonly schedule: Schedule;
  readonly #chance: Seeded;
  readonly #hosts = new Map<string, Host>();
  readonly #conditions: Conditions;
  readonly #links = new Map<string, Link>();
  /** Bytes that have arrived. */
  bytes = 0;
  /** Changes what is on the way, as no TCP would: to see whether that is found. */
  tamper: (piece: Buffer) => Buffer = (piece) => piece;

  constructor(schedule: Schedule, chance: Seeded, conditions: Conditions) {
    this.schedule = schedule;
    this.#chance = chance;
    this.#conditions = conditions;
  }

  host(ip: string): Host {
    let host = this.#hosts.get(ip);
    if (host === undefined) {
      host = new Host(ip);
      this.#hosts.set(ip, host);
    }
    return host;
  }

  /** What a node on this host sees of the network. */
  of(host: Host): Network {
    return {
      listener: (onConnection) => new SimulatedListener(host, onConnection),
      connect: (to, sink) => this.#connect(host, to, sink),
      resolve: async (name) => [name],
    };
  }

  /** Puts hosts into parts that don't reach each other; nothing is lost on connections that last until `heal`. */
  partition(sides: ReadonlyMap<Host, number>): void {
    for (const [host, side] of sides) host.side = side;
  }

  heal(): void {
    for (const host of this.#hosts.values()) host.side = 0;
    for (const host of this.#hosts.values()) for (const socket of host.sockets) socket.goOn();
  }

  reaches(from: Host, to: Host): boolean {
    return from.side === to.side && from.isUp && to.isUp;
  }

  /** The process ends: its connections are reset. */
  kill(host: Host): void {
    host.listeners.clear();
    for (const socket of [...host.sockets]) socket.vanish(true);
  }

  /** The machine loses power: nobody is told anything. */
  unplug(host: Host): void {
    host.isUp = false;
    host.listeners.clear();
    for (const socket of [...host.sockets]) socket.vanish(false);
  }

  plugIn(host: Host): void {
    host.isUp = true;
  }

  /** One way between two hosts, and how long a piece takes beyond that. */
  latencyMs(from: Host, to: Host): number {
    return this.#link(from, to).latencyMs * this.#chance.between(1, 1.2);
  }

  bytesPerMs(from: Host, to: Host): number {
    return this.#link(from, to).bytesPerMs;
  }

  #link(from: Host, to: Host): Link {
    const key = from.ip < to.ip ? `${from.ip} ${to.ip}` : `${to.ip} ${from.ip}`;
    let link = this.#links.get(key);
    if (link === undefined) {
      const [low, high] = this.#conditions.bytesPerMs;
      link = {
        latencyMs: this.#chance.between(...this.#conditions.latencyMs),
        // As many of ten times less as of ten times more.
        bytesPerMs: low * (high / low) ** this.#chance.next(),
      };
      this.#links.set(key, link);
    }
    return link;
  }

  pieceBytes(most: number): number {
    // Mostly whole, now and then cut anywhere.
    return this.#chance.chance(0.2) ? 1 + this.#chance.below(most) : most;
  }

  #connect(from: Host, to: { readonly host: string; readonly port: number }, sink: ReadSink): PeerSocket {
    const target = this.host(to.host);
    const port = from.freePort();
    const near = new SimulatedSocket(this, from, { ip: from.ip, port }, { ip: to.host, port: to.port }, sink);
    const onTheWayMs = this.latencyMs(from, target);
    this.schedule.after(onTheWayMs, () => {
      if (near.destroyed || !this.reaches(from, target)) return;
      const listening = target.listeners.get(to.port);
      if (listening === undefined) {
        this.schedule.after(onTheWayMs, () => near.fail('ECONNREFUSED'));
        return;
      }
      const far = new SimulatedSocket(this, target, { ip: to.host, port: to.port }, { ip: from.ip, port }, null);
      near.pair(far);
      far.isOpen = true;
      this.schedule.after(onTheWayMs, () => near.opened());
      this.schedule.actor = target;
      listening((farSink) => {
        far.sink = farSink;
        far.pause();
        return far;
      });
    });
    return near;
  }
}

class SimulatedListener implements Listener {
  address = '';
  readonly #host: Host;
  readonly #onConnection: Listening;
  #port = 0;

  constructor(host: Host, onConnection: Listening) {
    this.#host = host;
    this.#onConnection = onConnection;
  }

  async listen(host: string, port: number): Promise<void> {
    this.#port = port;
    this.address = `${host}:${port}`;
    this.#host.listeners.set(port, this.#onConnection);
  }

  close(): void {
    if (this.#host.listeners.get(this.#port) === this.#onConnection) this.#host.listeners.delete(this.#port);
  }
}

interface End {
  readonly ip: string;
  readonly port: number;
}

// biome-ignore lint/suspicious/noExplicitAny: each event has an argument of its own.
type EventListener = (argument?: any) => void;

type Listeners = Map<string, EventListener[]>;

export class SimulatedSocket implements PeerSocket {
  destroyed = false;
  isOpen = false;
  sink: ReadSink | null;
  readonly host: Host;
  readonly localAddress: string;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly #network: SimulatedNetwork;
  readonly #listeners: Listeners = new Map();
  #peer: SimulatedSocket | null = null;
  /** Written and not taken by the kernel, with who wants to know when it is. */
  readonly #written: { bytes: Buffer; taken: (() => void) | undefined }[] = [];
  writableLength = 0;
  /** Taken by our kernel, not on the way yet. */
  readonly #sending: Buffer[] = [];
  #sendingBytes = 0;
  #onTheWayBytes = 0;
  #arrivesMs = 0;
  #ending = false;
  #finSent = false;
  /** Arrived and not read. */
  readonly #unread: Buffer[] = [];
  #unreadBytes = 0;
  #finArrived = false;
  #endTold = false;
  #paused = false;
  #reading = false;
  /** Has read a little, and rests. */
  #resting = false;

  constructor(network: SimulatedNetwork, host: Host, local: End, remote: End, sink: ReadSink | null) {
    this.#network = network;
    this.host = host;
    this.localAddress = local.ip;
    this.remoteAddress = remote.ip;
    this.remotePort = remote.port;
    this.sink = sink;
    host.sockets.add(this);
  }

  get peer(): SimulatedSocket | null {
    return this.#peer;
  }

  pair(other: SimulatedSocket): void {
    this.#peer = other;
    other.#peer = this;
  }

  on(event: string, listener: EventListener): this {
    const listeners = this.#listeners.get(event);
    if (listeners === undefined) this.#listeners.set(event, [listener]);
    else listeners.push(listener);
    return this;
  }

  once(event: string, listener: () => void): this {
    let isDone = false;
    return this.on(event, () => {
      if (isDone) return;
      isDone = true;
      listener();
    });
  }

  setNoDelay(): void {
    // No piece waits for another here.
  }

  cork(): void {
    // What is written in a turn may travel together or not; either is fine.
  }

  uncork(): void {
    // See `cork`.
  }

  opened(): void {
    if (this.destroyed) return;
    this.isOpen = true;
    this.#emit('connect');
    this.#take();
    this.#read();
  }

  /** The connection can't be had, or is over. */
  fail(code: string): void {
    if (this.destroyed) return;
    this.#emit('error', Object.assign(new Error(code), { code }));
    this.#close();
  }

  write(bytes: Uint8Array, taken?: () => void): boolean {
    if (this.destroyed || this.#ending) return false;
    this.#written.push({ bytes: Buffer.from(bytes), taken });
    this.writableLength += bytes.length;
    this.#take();
    return this.writableLength === 0;
  }

  end(): void {
    if (this.destroyed || this.#ending) return;
    this.#ending = true;
    this.#send();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#soon(() => this.#read());
  }

  /** The network or the process behind this end works again. */
  goOn(): void {
    this.#soon(() => {
      this.#read();
      this.#send();
    });
  }

  destroy(): void {
    if (this.destroyed) return;
    // A close with unread bytes is a reset.
    const resets = this.#unreadBytes > 0 || !this.isOpen;
    const peer = this.#peer;
    this.#close();
    if (peer === null) return;
    this.#tellPeer(() => {
      if (resets) peer.fail('ECONNRESET');
      else peer.#endArrived();
    });
  }

  /** A reset by the network. */
  reset(): void {
    const peer = this.#peer;
    this.fail('ECONNRESET');
    peer?.fail('ECONNRESET');
  }

  /** Its process is gone. `isTold`: the other side gets a reset; else it hears nothing any more. */
  vanish(isTold: boolean): void {
    this.destroyed = true;
    this.host.sockets.delete(this);
    this.#listeners.clear();
    const peer = this.#peer;
    if (isTold && peer !== null) this.#tellPeer(() => peer.fail('ECONNRESET'));
  }

  #tellPeer(tell: () => void): void {
    const network = this.#network;
    const peer = this.#peer!;
    const { host } = this;
    // Behind all that is on the way.
    const atMs = Math.max(this.#arrivesMs, network.schedule.nowMs + network.latencyMs(host, peer.host));
    const arrive = () => {
      if (peer.destroyed) return;
      // What can't get there is not told; keep-alive finds out.
      if (host.side === peer.host.side) tell();
    };
    network.schedule.after(atMs - network.schedule.nowMs, arrive);
  }

  #soon(run: () => void): void {
    this.#later(0, run);
  }

  #later(ms: number, run: () => void): void {
    const { schedule } = this.#network;
    schedule.after(ms, () => {
      if (this.destroyed) return;
      schedule.actor = this.host;
      run();
    });
  }

  /** The kernel takes what was written, as long as it has room. */
  #take(): void {
    if (!this.isOpen) return;
    while (this.#written.length > 0) {
      const first = this.#written[0];
      const room = SEND_BUFFER_BYTES - this.#sendingBytes;
      if (first.bytes.length > 0 && room === 0) break;
      const piece = first.bytes.subarray(0, room);
      if (piece.length > 0) {
        this.#sending.push(piece);
        this.#sendingBytes += piece.length;
        this.writableLength -= piece.length;
      }
      first.bytes = first.bytes.subarray(piece.length);
      if (first.bytes.length > 0) break;
      this.#written.shift();
      const { taken } = first;
      if (taken !== undefined) this.#soon(taken);
    }
    this.#send();
  }

  /** Puts on the way what the other side has room for. */
  #send(): void {
    const peer = this.#peer;
    if (this.destroyed || !this.isOpen || peer === null) return;
    const network = this.#network;
    if (!network.reaches(this.host, peer.host)) return;
    while (this.#sendingBytes > 0) {
      const room = RECEIVE_BUFFER_BYTES - peer.#unreadBytes - this.#onTheWayBytes;
      // As TCP does: nobody is sent a few bytes each time that he has read a few.
      if (room < Math.min(LEAST_WINDOW_BYTES, this.#sendingBytes)) return;
      const piece = this.#cut(network.pieceBytes(Math.min(room, this.#sendingBytes, LARGEST_PIECE_BYTES)));
      this.#onTheWayBytes += piece.length;
      this.#travel(peer, piece);
    }
    if (!this.#ending || this.writableLength > 0 || this.#finSent) return;
    this.#finSent = true;
    this.#travel(peer, null);
    this.#closeIfOver();
  }

  /** A piece, or null for the end, arrives behind all before it. */
  #travel(peer: SimulatedSocket, piece: Buffer | null): void {
    const { schedule } = this.#network;
    const soonestMs = Math.max(this.#arrivesMs, schedule.nowMs + this.#network.latencyMs(this.host, peer.host));
    this.#arrivesMs = soonestMs + (piece?.length ?? 0) / this.#network.bytesPerMs(this.host, peer.host);
    schedule.after(this.#arrivesMs - schedule.nowMs, () => {
      if (piece !== null) this.#onTheWayBytes -= piece.length;
      peer.#arrive(piece);
      if (!this.destroyed) this.#take();
    });
  }

  #cut(bytes: number): Buffer {
    const parts: Buffer[] = [];
    let left = bytes;
    while (left > 0) {
      const first = this.#sending[0];
      const part = first.subarray(0, left);
      parts.push(part);
      left -= part.length;
      if (part.length === first.length) this.#sending.shift();
      else this.#sending[0] = first.subarray(part.length);
    }
    this.#sendingBytes -= bytes;
    return parts.length === 1 ? parts[0] : Buffer.concat(parts);
  }

  #arrive(piece: Buffer | null): void {
    if (piece === null) {
      if (!this.destroyed) this.#endArrived();
      return;
    }
    if (this.destroyed) {
      // Nobody is there any more to read it.
      const peer = this.#peer!;
      if (this.host.isUp) this.#tellPeer(() => peer.fail('ECONNRESET'));
      return;
    }
    this.#network.bytes += piece.length;
    const arrived = this.#network.tamper(piece);
    this.#unread.push(arrived);
    this.#unreadBytes += arrived.length;
    this.#read();
  }

  #endArrived(): void {
    this.#finArrived = true;
    this.#read();
  }

  /** Hands over what has arrived, as the owner has room. */
  #read(): void {
    if (this.#reading || this.sink === null) return;
    this.#network.schedule.actor = this.host;
    this.#reading = true;
    while (this.#unread.length > 0 && this.#mayRead && !this.destroyed) {
      const target = this.sink.buffer();
      if (target.length === 0) throw new Error('a socket is read into an empty buffer');
      const first = this.#unread[0];
      const isSlow = this.host.reads === 'slowly';
      const part = first.subarray(0, isSlow ? Math.min(target.length, SLOW_READ_BYTES) : target.length);
      if (isSlow) this.#rest();
      target.set(part);
      this.#unreadBytes -= part.length;
      if (part.length === first.length) this.#unread.shift();
      else this.#unread[0] = first.subarray(part.length);
      if (!this.sink.received(part.length)) this.#paused = true;
    }
    this.#reading = false;
    if (this.destroyed) return;
    if (this.#peer !== null && !this.#peer.destroyed) this.#peer.#send();
    if (this.#finArrived && !this.#endTold && this.#unread.length === 0 && this.#mayRead) {
      this.#endTold = true;
      this.#emit('end');
      if (!this.destroyed) this.#closeIfOver();
    }
  }

  get #mayRead(): boolean {
    return !this.#paused && !this.#resting && this.host.reads !== 'nothing';
  }

  #rest(): void {
    this.#resting = true;
    this.#later(SLOW_READ_EVERY_MS, () => {
      this.#resting = false;
      this.#read();
    });
  }

  /** Both directions are through. */
  #closeIfOver(): void {
    if (this.#finSent && this.#endTold && !this.destroyed) this.#close();
  }

  #close(): void {
    this.destroyed = true;
    this.host.sockets.delete(this);
    this.#network.schedule.soon(() => {
      this.#emit('close');
      this.#listeners.clear();
    });
  }

  #emit(event: string, argument?: unknown): void {
    this.#network.schedule.actor = this.host;
    for (const listener of this.#listeners.get(event) ?? []) listener(argument);
  }
}
