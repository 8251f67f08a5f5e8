/**
 * A node in a process of its own with its memory watched from outside, and peers that make it hold memory. Reads /proc,
 * so Linux only.
 */
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterEach } from 'vitest';
import type { HistoryEntry, NodeStatus } from '../../dist/src/main/index.js';
import { frame, handshakeBytes } from '../integration/support/raw-peer.js';
import { type Program, startNodeCommand } from './program.js';

export const MIB = 2 ** 20;
const CHAIN_ID = 'paw-e2e';
const SAMPLE_MS = 20;
/** Pages of /proc/PID/statm. */
const PAGE_BYTES = 4096;

/** Resident memory of a process, as /proc tells it. */
export function residentBytes(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * PAGE_BYTES;
}

/** A node under watch. */
export class WatchedNode {
  readonly node: Program;
  readonly port: number;
  readonly admin: string;
  readonly startBytes: number;
  /** The most that was resident, and used of the budget, since the start. */
  peakBytes = 0;
  peakUsed = 0;
  readonly #timer: NodeJS.Timeout;

  private constructor(node: Program, listen: string, admin: string) {
    this.node = node;
    this.port = Number(listen.slice(listen.lastIndexOf(':') + 1));
    this.admin = admin;
    this.startBytes = residentBytes(this.pid);
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS);
    watched.push(this);
  }

  /** @param handlers name of a module of the integration tests */
  static async start(args: readonly string[], handlers: string): Promise<WatchedNode> {
    const module = fileURLToPath(new URL(`../integration/handlers/${handlers}`, import.meta.url));
    const { node, ready } = await startNodeCommand([...args, '--handlers', module, '--log-level', 'info']);
    return new WatchedNode(node, ready.listen, ready.admin);
  }

  get pid(): number {
    return this.node.child.pid!;
  }

  get isAlive(): boolean {
    return this.node.child.exitCode === null && this.node.child.signalCode === null;
  }

  async status(): Promise<NodeStatus> {
    const status = (await this.#get('/status')) as NodeStatus;
    this.peakUsed = Math.max(this.peakUsed, status.memory.used);
    return status;
  }

  async history(code: number): Promise<HistoryEntry[]> {
    return ((await this.#get(`/history?limit=1000&code=${code}`)) as { entries: HistoryEntry[] }).entries;
  }

  /** Waits for a status. */
  async until(isTrue: (status: NodeStatus) => boolean, what: string, timeoutMs = 15_000): Promise<NodeStatus> {
    const endMs = performance.now() + timeoutMs;
    for (;;) {
      const status = await this.status();
      if (isTrue(status)) return status;
      if (performance.now() > endMs) {
        throw new Error(`waited ${timeoutMs} ms for ${what}: ${JSON.stringify([status.memory, status.connections])}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  end(): void {
    clearInterval(this.#timer);
  }

  async #get(path: string): Promise<unknown> {
    return (await fetch(`http://${this.admin}${path}`)).json();
  }

  #sample(): void {
    if (this.isAlive) this.peakBytes = Math.max(this.peakBytes, residentBytes(this.pid));
  }
}

const watched: WatchedNode[] = [];
const sockets = new Set<Socket>();

// Before the program is ended, which its own module does.
afterEach(() => {
  for (const node of watched.splice(0)) node.end();
  for (const socket of sockets) socket.destroy();
  sockets.clear();
});

/** A peer that is a socket; it shakes hands, and reads only what it is told to. */
export class LoosePeer {
  readonly socket: Socket;
  readonly id: string;
  received = 0;
  closed = false;

  constructor(port: number, id: string, options: { readonly isDeaf?: boolean; readonly from?: string } = {}) {
    const { isDeaf = false, from = '127.0.0.1' } = options;
    this.id = id;
    this.socket = connect({ host: '127.0.0.1', port, localAddress: from });
    sockets.add(this.socket);
    this.socket.on('error', () => undefined);
    this.socket.on('close', () => {
      this.closed = true;
      sockets.delete(this.socket);
    });
    this.socket.write(handshakeBytes(CHAIN_ID, id));
    if (isDeaf) this.socket.pause();
    else {
      this.socket.on('data', (data) => {
        this.received += data.length;
      });
    }
  }

  send(type: string, payload: Uint8Array): void {
    this.socket.write(frame(type, payload));
  }

  /** Writes if what was written before is with the kernel. @returns whether it did */
  pour(bytes: Uint8Array): boolean {
    if (this.closed || this.socket.connecting || this.socket.writableLength > 0) return false;
    this.socket.write(bytes);
    return true;
  }
}

/** A peer that behaves: sends numbered messages and pings, and notes how late pongs are. */
export class GoodPeer {
  readonly #peer: LoosePeer;
  readonly #sentMs = new Map<number, number>();
  #input = Buffer.alloc(0);
  #greeted = false;
  #nonce = 0;
  readonly #timer: NodeJS.Timeout;
  sent = 0;
  /** How late each pong was. */
  readonly lateMs: number[] = [];

  constructor(port: number, id = 'good', everyMs = 50) {
    this.#peer = new LoosePeer(port, id, { from: '127.0.0.2' });
    this.#peer.socket.on('data', (data) => this.#read(data));
    this.#timer = setInterval(() => this.#speak(), everyMs);
  }

  get isConnected(): boolean {
    return !this.#peer.closed;
  }

  /** Sends no more, and waits for the last pong. */
  async rest(): Promise<void> {
    clearInterval(this.#timer);
    const endMs = performance.now() + 5000;
    while (this.#sentMs.size > 0 && this.isConnected && performance.now() < endMs) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  #speak(): void {
    const nonce = Buffer.alloc(8);
    nonce.writeUInt32BE(++this.#nonce, 4);
    this.#sentMs.set(this.#nonce, performance.now());
    this.#peer.send('note', Buffer.alloc(100, this.#nonce));
    this.#peer.send('ping', nonce);
    this.sent++;
  }

  #read(data: Buffer): void {
    this.#input = Buffer.concat([this.#input, data]);
    if (!this.#greeted && this.#input.length >= 65) {
      this.#greeted = true;
      this.#input = this.#input.subarray(65);
    }
    while (this.#greeted && this.#input.length >= 4 && this.#input.length >= 4 + this.#input.readUInt32BE(0)) {
      const end = 4 + this.#input.readUInt32BE(0);
      const typeEnd = 6 + this.#input.readUInt16BE(4);
      if (this.#input.toString('utf8', 6, typeEnd) === 'pong') this.#onPong(this.#input.readUInt32BE(typeEnd + 4));
      this.#input = this.#input.subarray(end);
    }
  }

  #onPong(nonce: number): void {
    const sentMs = this.#sentMs.get(nonce);
    if (sentMs === undefined) return;
    this.#sentMs.delete(nonce);
    this.lateMs.push(performance.now() - sentMs);
  }
}
