/**
 * The send queue of one connection. Main thread. What is added in a turn goes to the socket at the turn's end in one
 * write; while the kernel has not taken an earlier write, what comes is copied aside into memory of this queue's own,
 * so that a slow peer pins nothing that others need.
 */
import { type Claim, claimOfBacklog } from '../../shared/memory/memory-budget.js';
import type { Chunk, ChunkPool } from './chunk-pool.js';
import type { PeerSocket } from './network.js';

interface Segment {
  readonly chunk: Chunk;
  start: number;
  end: number;
}

const NOTHING = Buffer.alloc(0);
/** Memory that a busy queue takes at a time. */
const ASIDE_BYTES = 16 * 1024;
/** Most that is handed to the kernel at once, so that no connection takes more than its share of a turn. */
const WRITE_BYTES = 1024 * 1024;

export class SocketWriter {
  /** Bytes that the kernel has not taken. */
  queuedBytes = 0;
  readonly #socket: PeerSocket;
  readonly #pool: ChunkPool;
  readonly #onQueued: (bytes: number) => void;
  readonly #onTaken: (bytes: number) => void;
  #segments: Segment[] = [];
  /** Handed to the socket; the kernel has not taken all of it. An array of its own, which `#write` swaps with the other. */
  #inFlight: Segment[] = [];
  #inFlightBytes = 0;
  #aside: Chunk | null = null;
  /** What `#onQueued` was last told. */
  #toldBytes = 0;
  #closed = false;
  #kernelLeft = -1;
  #progressMs = 0;
  #held = false;
  #writeBytes = WRITE_BYTES;
  #waiting: { readonly bytes: number; resolve(): void }[] = [];

  /** `onQueued` is told how many bytes wait whenever that changes, `onTaken` what the kernel has taken. */
  constructor(
    socket: PeerSocket,
    pool: ChunkPool,
    onQueued: (bytes: number) => void,
    onTaken: (bytes: number) => void,
  ) {
    this.#socket = socket;
    this.#pool = pool;
    this.#onQueued = onQueued;
    this.#onTaken = onTaken;
  }

  /**
   * Adds bytes that lie in a chunk.
   * @returns false, and nothing added, if they had to be copied and the memory budget has no room for such a claim
   */
  add(chunk: Chunk, start: number, length: number, claim?: Claim): boolean {
    if (this.#closed) return false;
    if ((this.#inFlight.length > 0 || this.#held) && length <= this.#pool.chunkBytes) {
      if (!this.#copyAside(chunk, start, length, claim)) return false;
    } else {
      this.#push(chunk, start, length);
    }
    this.queuedBytes += length;
    return true;
  }

  /** Hands no more than this to the kernel at once, so that a hold can begin in good time. By default its own share. */
  limitWrites(bytes = WRITE_BYTES): void {
    this.#writeBytes = Math.min(WRITE_BYTES, bytes);
  }

  /** The peer has had its share for now (rulings 8): what comes waits until the hold is taken back. */
  hold(isHeld: boolean): void {
    if (this.#held === isHeld) return;
    this.#held = isHeld;
    if (!isHeld) this.flush();
  }

  get isHeld(): boolean {
    return this.#held;
  }

  /** Hands what waits to the socket. Call at the end of a turn. */
  flush(): void {
    while (this.#segments.length > 0 && this.#inFlight.length === 0 && !this.#closed && !this.#held) this.#write();
    if (this.queuedBytes !== this.#toldBytes) {
      this.#toldBytes = this.queuedBytes;
      this.#onQueued(this.queuedBytes);
    }
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = waiting.filter(({ bytes }) => this.queuedBytes >= bytes);
    for (const { bytes, resolve } of waiting) if (this.queuedBytes < bytes) resolve();
  }

  /** What this queue keeps of the memory budget: its share of each chunk, which is free only once all of it is done with. */
  get heldBytes(): number {
    let bytes = this.#aside?.shareBytes ?? 0;
    // A chunk of several segments counts as many users.
    for (const { chunk } of this.#inFlight) bytes += chunk.shareBytes;
    for (const { chunk } of this.#segments) bytes += chunk.shareBytes;
    return bytes;
  }

  /** Settles when fewer than `bytes` wait, or the connection is closed. */
  below(bytes: number): Promise<void> {
    if (this.queuedBytes < bytes || this.#closed) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ bytes, resolve }));
  }

  /** How long bytes have been waiting with none taken by the kernel (rulings 4, WriteTimeout). */
  stalledMs(nowMs: number): number {
    if (this.#inFlight.length === 0) {
      this.#progressMs = nowMs;
      return 0;
    }
    const left = kernelLeft(this.#socket) ?? this.#inFlightBytes;
    if (left !== this.#kernelLeft) {
      this.#kernelLeft = left;
      this.#progressMs = nowMs;
    }
    return nowMs - this.#progressMs;
  }

  /** The socket is closed: lets go of all memory. */
  dispose(): void {
    this.#closed = true;
    for (const { chunk } of [...this.#inFlight, ...this.#segments]) chunk.release();
    this.#aside?.release();
    this.#aside = null;
    this.#inFlight = [];
    this.#segments = [];
    this.queuedBytes = 0;
    this.flush();
  }

  #push(chunk: Chunk, start: number, length: number): void {
    const last = this.#segments.at(-1);
    if (last !== undefined && last.chunk === chunk && last.end === start) {
      last.end += length;
      return;
    }
    chunk.retain();
    this.#segments.push({ chunk, start, end: start + length });
  }

  #copyAside(from: Chunk, start: number, length: number, claim: Claim | undefined): boolean {
    let aside = this.#aside;
    if (aside === null || aside.room < length) {
      // Only a peer that is behind with its reading gets here.
      const behind = claim === undefined ? undefined : claimOfBacklog(claim);
      const fresh = this.#pool.exact(Math.max(ASIDE_BYTES, length), behind);
      if (fresh === null) return false;
      aside?.release();
      aside = fresh;
      this.#aside = fresh;
    }
    from.buffer.copy(aside.buffer, aside.used, start, start + length);
    this.#push(aside, aside.used, length);
    aside.used += length;
    return true;
  }

  #write(): void {
    const batch = this.#takeBatch();
    const socket = this.#socket;
    if (batch.length === 1) {
      const { chunk, start, end } = batch[0];
      socket.write(chunk.view(start, end));
    } else {
      socket.cork();
      for (const { chunk, start, end } of batch) socket.write(chunk.view(start, end));
      socket.uncork();
    }
    // The kernel took it all at once, which is the rule; no callback, no tick.
    if (socket.writableLength === 0) this.#taken();
    // An empty write behind it tells when the rest has gone.
    else socket.write(NOTHING, () => this.#onDrained());
  }

  /** Moves what waits, or as much of it as is handed over at once, to what is in flight. */
  #takeBatch(): Segment[] {
    const waiting = this.#segments;
    const batch = this.#inFlight;
    if (this.queuedBytes <= this.#writeBytes) {
      this.#inFlight = waiting;
      this.#segments = batch;
      this.#inFlightBytes = this.queuedBytes;
      return waiting;
    }
    while (this.#inFlightBytes < this.#writeBytes) {
      const segment = this.#takeFirst(this.#writeBytes - this.#inFlightBytes);
      batch.push(segment);
      this.#inFlightBytes += segment.end - segment.start;
    }
    return batch;
  }

  /** The first segment, or its first `most` bytes. */
  #takeFirst(most: number): Segment {
    const [first] = this.#segments;
    if (first.end - first.start <= most) return this.#segments.shift()!;
    first.chunk.retain();
    const part = { chunk: first.chunk, start: first.start, end: first.start + most };
    first.start += most;
    return part;
  }

  #taken(): void {
    const taken = this.#inFlight;
    for (let i = 0; i < taken.length; i++) taken[i].chunk.release();
    taken.length = 0;
    const bytes = this.#inFlightBytes;
    this.#inFlightBytes = 0;
    this.queuedBytes -= bytes;
    this.#onTaken(bytes);
    if (this.#segments.length === 0 && this.#aside !== null) {
      this.#aside.release();
      this.#aside = null;
    }
  }

  #onDrained(): void {
    if (this.#closed) return;
    this.#taken();
    // What comes next may happen to leave as much as this did: it is progress all the same.
    this.#kernelLeft = -1;
    this.flush();
  }
}

/** Bytes that libuv still has to hand over; undefined on a Node that hides it. */
function kernelLeft(socket: PeerSocket): number | undefined {
  const handle = (socket as unknown as { _handle?: { writeQueueSize?: number } | null })._handle;
  return handle?.writeQueueSize;
}
