/**
 * Takes records out of the workers' outbound rings: frames go to the send queues of their connections, the rest to
 * `RecordSink`. Main thread. Frames are copied out of the ring once, into a chunk that all their sockets write from, so
 * that no socket can hold up a ring.
 *
 * Works in turns: while there is anything to do, once per turn of the event loop after sockets have been read; when
 * there is nothing it parks on the main thread's signal.
 */
import type { ErrorCode } from '../../shared/errors.js';
import type { Arena } from '../../shared/memory/arena.js';
import { Header } from '../../shared/memory/arena-layout.js';
import { inPhase, MAX_PHASE_BYTES } from '../../shared/memory/copy-phase.js';
import { Claim, type MemoryBudget, TrackedAllowance } from '../../shared/memory/memory-budget.js';
import { OutboundReader, RECORD_ID_BYTES, RecordKind } from '../../shared/memory/outbound-ring.js';
import type { Sleep } from '../../shared/memory/signal.js';
import { readReason } from '../../shared/wire/disconnect.js';
import type { Timers } from '../timers.js';
import { type Chunk, ChunkPool } from './chunk-pool.js';
import type { Connection } from './connection.js';
import type { ConnectionTable } from './connection-table.js';

/** Most that is taken from one worker before the next one has its turn. */
const TURN_BYTES = 1024 * 1024;
/** And so many records: the smallest are commands that take the longest, and whoever floods us causes many. */
const TURN_RECORDS = 2048;
const CHUNK_BYTES = 256 * 1024;
/** Copies from this size on gain more by their phase than is lost by the gaps before them. */
const PHASED_BYTES = 256;

/** Records that carry no frames for sockets. `data` is valid only during the call. */
export interface RecordSink {
  deliver(connection: Connection, data: Buffer): void;
  published(worker: number, data: Buffer): void;
  /** A peer tells addresses. */
  pex(connection: Connection, payload: Buffer): void;
  /** A handler holds something against the peer. */
  penalised(connection: Connection, reason: string): void;
  pong(connection: Connection, payload: Buffer): void;
  disconnect(connection: Connection, payload: Buffer): void;
  violation(connection: Connection, code: ErrorCode): void;
  released(connection: Connection): void;
}

/** What is counted as frames leave. */
export interface SendCounts {
  /** `frames` of a type of worker `worker`'s type table were queued for one peer. */
  sent(connection: Connection, worker: number, type: number, frames: number): void;
  skipped(frames: number): void;
  /** These were skipped for want of memory. */
  shed(claim: Claim, frames: number): void;
  /** Whether a number of worker `worker`'s type table is that of ping or pong. */
  isKeepAlive(worker: number, type: number): boolean;
  /** `frames` were passed on, to one peer or more. */
  relayed(frames: number): void;
}

/** Chooses, among peers that have room, to which `fanout` of them a message is passed on; there are more than that. */
export type RelayTargets = (connections: readonly Connection[], fanout: number) => readonly Connection[];

/** A record too large for the ring, on its way in parts. */
interface Assembly {
  readonly chunk: Chunk | null;
  filled: number;
}

export class OutboundPump {
  readonly chunks: ChunkPool;
  readonly #arena: Arena;
  readonly #table: ConnectionTable;
  readonly #sink: RecordSink;
  readonly #counts: SendCounts;
  readonly #relayTargets: RelayTargets;
  readonly #sendQueueBytes: number;
  readonly #turnBegins: () => void;
  readonly #timers: Timers;
  readonly #readers: OutboundReader[];
  readonly #assemblies: (Assembly | null)[];
  readonly #signal: Sleep;
  readonly #dirty = new Set<Connection>();
  /** Chunk that frames are being copied into; not retained past the turn. */
  #chunk: Chunk | null = null;
  #first = 0;
  #scheduled = false;
  #parked = false;
  #stopped = false;

  constructor(parts: {
    arena: Arena;
    budget: MemoryBudget;
    table: ConnectionTable;
    sink: RecordSink;
    counts: SendCounts;
    relayTargets: RelayTargets;
    sendQueueBytes: number;
    /** Called as each turn begins: what was read before it is there for the workers. */
    turnBegins: () => void;
    timers: Timers;
    /** What workers raise. */
    signal: Sleep;
  }) {
    const { workers, outboundBytes } = parts.arena.layout.geometry;
    const allowance = new TrackedAllowance(parts.budget, parts.arena.words, Header.SendQueuesKib);
    this.chunks = new ChunkPool(Math.max(CHUNK_BYTES, outboundBytes / 4 + MAX_PHASE_BYTES), allowance);
    this.#arena = parts.arena;
    this.#table = parts.table;
    this.#sink = parts.sink;
    this.#counts = parts.counts;
    this.#relayTargets = parts.relayTargets;
    this.#sendQueueBytes = parts.sendQueueBytes;
    this.#turnBegins = parts.turnBegins;
    this.#timers = parts.timers;
    this.#readers = Array.from({ length: workers }, (_, worker) => new OutboundReader(parts.arena, worker));
    this.#assemblies = new Array(workers).fill(null);
    this.#signal = parts.signal;
  }

  /** Something may have come, or will within this turn: have a look at the end of it. */
  schedule(): void {
    if (this.#scheduled || this.#stopped) return;
    this.#scheduled = true;
    this.#timers.soon(() => {
      this.#scheduled = false;
      this.turn();
    });
  }

  /** Takes what the workers have published, within its share, and hands it to the sockets. */
  turn(): void {
    if (this.#stopped) return;
    this.#turnBegins();
    const workers = this.#readers.length;
    let more = false;
    for (let i = 0; i < workers; i++) more = this.#drain((this.#first + i) % workers, TURN_BYTES) || more;
    this.#first = (this.#first + 1) % workers;
    this.#flush();
    if (more) this.schedule();
    else this.#park();
  }

  /** Takes all that the workers have published by now, however much that is. */
  takeAll(): void {
    for (const [worker, reader] of this.#readers.entries()) {
      const { published } = reader;
      while (((published - reader.position) | 0) > 0) this.#drain(worker, TURN_BYTES);
    }
    this.#flush();
  }

  /** After a worker died: publishes and takes everything that its finished frames caused. */
  recover(worker: number): void {
    this.#readers[worker].recover();
    while (this.#drain(worker, TURN_BYTES));
    this.#assemblies[worker]?.chunk?.release();
    this.#assemblies[worker] = null;
    this.#flush();
  }

  /**
   * Copies a frame of the main thread's own to where sockets can write it from, and calls `use` with the place.
   * @returns false if the memory budget has no room for such a claim
   */
  place(
    bytes: number,
    claim: Claim,
    write: (target: Buffer, offset: number) => void,
    use: (chunk: Chunk, start: number) => void,
  ): boolean {
    if (this.#stopped) return false;
    const chunk = this.#room(bytes, claim);
    if (chunk === null) return false;
    const start = chunk.used;
    write(chunk.buffer, start);
    chunk.used += bytes;
    use(chunk, start);
    if (chunk !== this.#chunk) chunk.release();
    this.schedule();
    return true;
  }

  /** Adds frames to a connection's send queue. @returns false, counted, if there was no room for them */
  queue(connection: Connection, chunk: Chunk, start: number, length: number, frames: number, claim: Claim): boolean {
    if (connection.state !== 'Connected' && connection.state !== 'Disconnecting') return false;
    if (connection.finSentMs > 0 || !connection.writer.add(chunk, start, length, claim)) {
      this.#counts.skipped(frames);
      if (connection.finSentMs === 0 && connection.isOpen) this.#counts.shed(claim, frames);
      return false;
    }
    this.#dirty.add(connection);
    return true;
  }

  /** Hands everything that waits to the sockets now. */
  flushNow(): void {
    this.#flush();
  }

  stop(): void {
    this.#stopped = true;
    this.#chunk?.release();
    this.#chunk = null;
    this.chunks.clear();
  }

  #park(): void {
    if (this.#parked) return;
    const ticket = this.#signal.park();
    if (this.#readers.some((reader) => !reader.isEmpty)) {
      this.#signal.unpark();
      this.schedule();
      return;
    }
    const raised = this.#signal.wait(ticket);
    if (raised === null) {
      this.schedule();
      return;
    }
    this.#parked = true;
    void raised.then(() => {
      this.#parked = false;
      this.turn();
    });
  }

  #flush(): void {
    for (const connection of this.#dirty) connection.writer.flush();
    this.#dirty.clear();
    // Everybody who still needs the chunk has retained it.
    this.#chunk?.release();
    this.#chunk = null;
  }

  /** @returns whether there is more */
  #drain(worker: number, maxBytes: number): boolean {
    const reader = this.#readers[worker];
    if (reader.isEmpty) return false;
    const start = reader.position;
    for (let records = 0; records < TURN_RECORDS && ((reader.position - start) | 0) < maxBytes; records++) {
      if (!reader.next()) break;
      this.#record(worker, reader);
    }
    reader.release();
    return !reader.isEmpty;
  }

  #record(worker: number, reader: OutboundReader): void {
    if (reader.whole > 0) {
      this.#part(worker, reader);
      return;
    }
    if (reader.kind < RecordKind.Deliver) {
      const { dataOffset, dataBytes } = reader;
      const claim = this.#claimOf(worker, reader);
      const chunk = this.#room(dataBytes + MAX_PHASE_BYTES, claim);
      if (chunk === null) {
        this.#counts.skipped(reader.frames);
        this.#counts.shed(claim, reader.frames);
        return;
      }
      // Short ones stay close together, since adjacent ones of a connection are written as one.
      const start = dataBytes < PHASED_BYTES ? chunk.used : inPhase(chunk.used, dataOffset);
      chunk.buffer.set(this.#arena.bytes.subarray(dataOffset, dataOffset + dataBytes), start);
      chunk.used = start + dataBytes;
      this.#frames(worker, reader, chunk, start, dataBytes, claim);
      if (chunk !== this.#chunk) chunk.release();
      return;
    }
    const { buffer } = this.#arena;
    this.#command(worker, reader, Buffer.from(buffer, reader.dataOffset, reader.dataBytes));
  }

  /** What of the memory budget a record may have. */
  #claimOf(worker: number, { kind, type }: OutboundReader): Claim {
    if (kind === RecordKind.Broadcast || kind === RecordKind.Relay) return Claim.Broadcast;
    // What carries no frames is lost for good if it is refused here: it comes of messages that are done with.
    if (kind >= RecordKind.Deliver) return Claim.Control;
    return kind === RecordKind.Send && this.#counts.isKeepAlive(worker, type) ? Claim.Control : Claim.Direct;
  }

  /** Joins the parts of a large record; acts on it when it is whole. */
  #part(worker: number, reader: OutboundReader): void {
    let assembly = this.#assemblies[worker];
    const claim = this.#claimOf(worker, reader);
    if (assembly === null) {
      assembly = { chunk: this.chunks.exact(reader.whole, claim), filled: 0 };
      this.#assemblies[worker] = assembly;
    }
    const { chunk } = assembly;
    chunk?.buffer.set(
      this.#arena.bytes.subarray(reader.dataOffset, reader.dataOffset + reader.dataBytes),
      assembly.filled,
    );
    assembly.filled += reader.dataBytes;
    if (assembly.filled < reader.whole) return;
    this.#assemblies[worker] = null;
    if (chunk === null) {
      this.#counts.skipped(1);
      this.#counts.shed(claim, 1);
      return;
    }
    if (reader.kind < RecordKind.Deliver) this.#frames(worker, reader, chunk, 0, reader.whole, claim);
    else this.#command(worker, reader, chunk.buffer);
    chunk.release();
  }

  #frames(worker: number, reader: OutboundReader, chunk: Chunk, start: number, length: number, claim: Claim): void {
    const { kind, a, b, type, frames } = reader;
    const idBytes = kind === RecordKind.Send ? 0 : a * RECORD_ID_BYTES;
    const at = start + idBytes;
    const bytes = length - idBytes;
    const give = (connection: Connection | undefined) => {
      if (connection === undefined || !this.queue(connection, chunk, at, bytes, frames, claim)) return false;
      this.#counts.sent(connection, worker, type, frames);
      return true;
    };
    if (kind === RecordKind.Send) {
      give(this.#table.seated(a, b));
      return;
    }
    const ids = readIds(chunk.buffer, start, a);
    if (kind === RecordKind.SendTo) {
      const connection = this.#table.byId(ids[0]);
      if (connection === undefined) this.#counts.skipped(frames);
      else give(connection);
      return;
    }
    if (kind === RecordKind.Relay) {
      let reached = 0;
      for (const connection of this.#relayedTo(ids[0], b, frames)) if (give(connection)) reached++;
      if (reached > 0) this.#counts.relayed(frames);
      return;
    }
    for (const connection of this.#table.connected()) {
      if (ids.length > 0 && ids.includes(connection.peerId!)) continue;
      if (connection.writer.queuedBytes >= this.#sendQueueBytes) this.#counts.skipped(frames);
      else give(connection);
    }
  }

  /** To whom frames go that came from `origin`. A peer whose send queue is full is passed over: nobody waits for it. */
  #relayedTo(origin: string, fanout: number, frames: number): readonly Connection[] {
    const open: Connection[] = [];
    let full = 0;
    for (const connection of this.#table.connected()) {
      if (connection.peerId === origin) continue;
      if (connection.writer.queuedBytes >= this.#sendQueueBytes) full++;
      else open.push(connection);
    }
    const wanted = fanout === 0 ? open.length + full : Math.min(fanout, open.length + full);
    const missed = Math.max(0, wanted - open.length);
    if (missed > 0) this.#counts.skipped(missed * frames);
    return fanout === 0 || open.length <= fanout ? open : this.#relayTargets(open, fanout);
  }

  #command(worker: number, reader: OutboundReader, data: Buffer): void {
    if (reader.kind === RecordKind.Publish) {
      this.#sink.published(worker, data);
      return;
    }
    const connection =
      reader.kind === RecordKind.Penalize
        ? this.#table.seatedOrFormer(reader.a, reader.b)
        : this.#table.seated(reader.a, reader.b);
    if (connection === undefined) return;
    switch (reader.kind) {
      case RecordKind.Deliver:
        this.#sink.deliver(connection, data);
        break;
      case RecordKind.Pex:
        this.#sink.pex(connection, data);
        break;
      case RecordKind.Penalize:
        this.#sink.penalised(connection, readReason(data));
        break;
      case RecordKind.Pong:
        this.#sink.pong(connection, data);
        break;
      case RecordKind.Disconnect:
        this.#sink.disconnect(connection, data);
        break;
      case RecordKind.Violation:
        this.#sink.violation(connection, reader.type as ErrorCode);
        break;
      case RecordKind.Resume:
        connection.resume();
        break;
      case RecordKind.Released:
        this.#sink.released(connection);
        break;
    }
  }

  /** The turn's chunk if it has room, else another. A chunk that is not the turn's own is the caller's to release. */
  #room(bytes: number, claim: Claim): Chunk | null {
    if (this.#chunk !== null && this.#chunk.room >= bytes) return this.#chunk;
    const fresh = this.chunks.take(bytes, claim);
    if (fresh === null || bytes > this.chunks.chunkBytes) return fresh;
    this.#chunk?.release();
    this.#chunk = fresh;
    return fresh;
  }
}

/** Zero-padded node IDs that stand before the frames of a record. */
function readIds(buffer: Buffer, offset: number, count: number): string[] {
  const ids: string[] = [];
  for (let i = 0; i < count; i++) {
    const at = offset + i * RECORD_ID_BYTES;
    const end = buffer.indexOf(0, at);
    ids.push(buffer.toString('utf8', at, end === -1 || end > at + RECORD_ID_BYTES ? at + RECORD_ID_BYTES : end));
  }
  return ids;
}
