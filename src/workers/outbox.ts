/**
 * Writes what handlers send into the worker's outbound ring, as frames on the wire. Worker thread. A frame is written
 * once, straight into the ring; what is larger than a record goes in parts that the main thread joins.
 */
import { NodeError } from '../shared/errors.js';
import { FRAME_HEADER_BYTES, MAX_WIRE_FRAME_BYTES } from '../shared/limits.js';
import type { Arena } from '../shared/memory/arena.js';
import { Slot, SlotState } from '../shared/memory/arena-layout.js';
import { addCounter } from '../shared/memory/counters.js';
import { Claim, claimOfBacklog, type MemoryBudget } from '../shared/memory/memory-budget.js';
import { type OutboundWriter, RECORD_ID_BYTES, RecordKind } from '../shared/memory/outbound-ring.js';
import { writeFrameHeader } from '../shared/wire/frame.js';

/** What of a message type it takes to send it. */
export interface SendType {
  readonly bytes: Uint8Array;
  readonly number: number;
}

export class Outbox {
  readonly #arena: Arena;
  readonly #ring: OutboundWriter;
  readonly #sendQueueBytes: number;
  readonly #refused: number;
  readonly #shed: number;
  readonly #budget: MemoryBudget;
  /** IDs before the frames of the last run: another list starts another run. */
  #runIds: Uint8Array | null = null;

  constructor(arena: Arena, worker: number, ring: OutboundWriter, sendQueueBytes: number, budget: MemoryBudget) {
    this.#arena = arena;
    this.#ring = ring;
    this.#sendQueueBytes = sendQueueBytes;
    this.#budget = budget;
    this.#refused = arena.layout.workerCounter(worker, 'sendsRefused');
    this.#shed = arena.layout.workerCounter(worker, 'shedDirect');
  }

  /**
   * Sends to one connection of this worker. False, and nothing written, if the connection is gone, its send queue full
   * (the peer reads too slowly), or the memory budget has nothing left for what `claim` says it is.
   */
  reply(slot: number, generation: number, type: SendType, payload: Uint8Array, claim: Claim = Claim.Direct): boolean {
    const { words, layout } = this.#arena;
    const control = layout.slot(slot);
    // Plain loads, since this is done for each message: who has left a moment ago is passed over by the main thread.
    const state = words[control + Slot.State];
    const gone =
      words[control + Slot.Generation] !== generation || state === SlotState.Free || state === SlotState.Aborted;
    const queuedBytes = words[control + Slot.SendQueued];
    if (gone || queuedBytes >= this.#sendQueueBytes) {
      addCounter(words, this.#refused, 1);
      return false;
    }
    if (!this.#budget.hasRoom(queuedBytes > 0 ? claimOfBacklog(claim) : claim)) {
      addCounter(words, this.#refused, 1);
      addCounter(words, this.#shed, 1);
      return false;
    }
    this.#frame(RecordKind.Send, slot, generation, null, type, payload);
    return true;
  }

  /** Sends to a peer by its node ID, zero-padded to 32 bytes. */
  sendTo(id: Uint8Array, type: SendType, payload: Uint8Array): void {
    this.#frame(RecordKind.SendTo, 1, 0, id, type, payload);
  }

  /** Sends to all peers but those whose zero-padded node IDs are in `excluded`, one after the other. */
  broadcast(excluded: Uint8Array | null, type: SendType, payload: Uint8Array): void {
    this.#frame(RecordKind.Broadcast, (excluded?.length ?? 0) / RECORD_ID_BYTES, 0, excluded, type, payload);
  }

  /** Passes a message on to `fanout` peers, 0 for all, but not to where it came from, a zero-padded node ID. */
  relay(origin: Uint8Array, fanout: number, type: SendType, payload: Uint8Array): void {
    this.#frame(RecordKind.Relay, 1, fanout, origin, type, payload);
  }

  /** Hands the main thread a record that carries no frames: `pieces` one after the other, and a code. */
  tell(kind: RecordKind, slot: number, generation: number, pieces: readonly Uint8Array[] = [], code = 0): void {
    let length = 0;
    for (const piece of pieces) length += piece.length;
    if (length > this.#ring.maxDataBytes) {
      this.#inParts(kind, slot, generation, code, pieces, length);
      return;
    }
    let at = this.#ring.record(kind, slot, generation, length, code, 0);
    for (const piece of pieces) {
      this.#arena.bytes.set(piece, at);
      at += piece.length;
    }
  }

  #frame(kind: RecordKind, a: number, b: number, ids: Uint8Array | null, type: SendType, payload: Uint8Array): void {
    const head = FRAME_HEADER_BYTES + type.bytes.length;
    const frameBytes = head + payload.length;
    if (frameBytes > MAX_WIRE_FRAME_BYTES) {
      throw new NodeError('ERR_PAW_MESSAGE', `message of ${payload.length} bytes: a frame holds at most 10 MB`);
    }
    const idBytes = ids?.length ?? 0;
    if (idBytes + frameBytes > this.#ring.maxDataBytes) {
      const header = new Uint8Array(head);
      writeFrameHeader(header, 0, type.bytes, payload.length);
      const pieces = ids === null ? [header, payload] : [ids, header, payload];
      this.#inParts(kind, a, b, type.number, pieces, idBytes + frameBytes);
      return;
    }
    // Where the frame would begin if its payload had its header before it already.
    const source = payload.byteOffset - head;
    let at = ids === this.#runIds ? this.#ring.extend(kind, a, b, frameBytes, type.number, source) : -1;
    if (at === -1) {
      at = this.#ring.record(kind, a, b, idBytes + frameBytes, type.number, 1, 0, source);
      if (ids !== null) this.#arena.bytes.set(ids, at);
      at += idBytes;
      this.#runIds = ids;
    }
    this.#arena.bytes.set(payload, writeFrameHeader(this.#arena.bytes, at, type.bytes, payload.length));
  }

  #inParts(kind: RecordKind, a: number, b: number, type: number, pieces: readonly Uint8Array[], whole: number): void {
    const partBytes = this.#ring.maxDataBytes;
    let room = 0;
    let at = 0;
    let left = whole;
    for (const piece of pieces) {
      for (let done = 0; done < piece.length; ) {
        if (room === 0) {
          room = Math.min(partBytes, left);
          at = this.#ring.record(kind, a, b, room, type, 1, whole);
          left -= room;
        }
        const take = Math.min(room, piece.length - done);
        this.#arena.bytes.set(piece.subarray(done, done + take), at);
        at += take;
        done += take;
        room -= take;
      }
    }
  }
}
