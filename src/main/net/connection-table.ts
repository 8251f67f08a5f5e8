/**
 * All connections of a node, and the slots of shared memory that they sit in. Main thread. A slot is free again when
 * both sides have let go: the socket is closed, and the worker has released it.
 */
import { sinceSharedMs } from '../../shared/clock.js';
import type { Arena } from '../../shared/memory/arena.js';
import { Slot, SlotState } from '../../shared/memory/arena-layout.js';
import { ByteRing } from '../../shared/memory/byte-ring.js';
import { resetCounter } from '../../shared/memory/counters.js';
import type { Counts } from '../peers/admission.js';
import type { Connection, Seat } from './connection.js';

/** Connections that are remembered after they have left their slot: handlers may still be at what they sent. */
const MAX_FORMER = 1024;

export class ConnectionTable {
  readonly #arena: Arena;
  readonly #all = new Set<Connection>();
  readonly #byId = new Map<string, Connection>();
  readonly #seats: (Connection | null)[];
  readonly #counts = { inbound: 0, outbound: 0 };
  /** Inbound peers of each subnet that count against the limits. */
  readonly #subnets = new Map<string, number>();
  /** By slot and generation, the one that left first first. */
  readonly #former = new Map<string, Connection>();
  #free: number[];

  constructor(arena: Arena) {
    const { slots } = arena.layout.geometry;
    this.#arena = arena;
    this.#seats = new Array(slots).fill(null);
    this.#free = Array.from({ length: slots }, (_, i) => slots - 1 - i);
  }

  /** Every connection in any state whose socket is not closed. */
  get all(): ReadonlySet<Connection> {
    return this.#all;
  }

  /** Connected peers. */
  connected(): IterableIterator<Connection> {
    return this.#byId.values();
  }

  get connectedCount(): number {
    return this.#byId.size;
  }

  /** Slots whose worker or socket has not let go yet. */
  get takenSeats(): number {
    return this.#seats.length - this.#free.length;
  }

  /** Slots that newcomers find. */
  get freeSeats(): number {
    return this.#free.length;
  }

  byId(id: string): Connection | undefined {
    return this.#byId.get(id);
  }

  /** The connection that sits in a slot, if the generation is still its own. */
  seated(slot: number, generation: number): Connection | undefined {
    const connection = this.#seats[slot];
    return connection?.seat?.generation === generation ? connection : undefined;
  }

  /** The connection that sits in a slot or has left it with this generation, if that was not too many ago. */
  seatedOrFormer(slot: number, generation: number): Connection | undefined {
    return this.seated(slot, generation) ?? this.#former.get(`${slot} ${generation}`);
  }

  add(connection: Connection): void {
    this.#all.add(connection);
  }

  /** The socket is closed. */
  remove(connection: Connection): void {
    this.#all.delete(connection);
  }

  /** Connected peers that count against the limits. */
  counts(): Counts {
    return this.#counts;
  }

  /** Inbound peers from the subnet of a connection that count against the limits. */
  subnetPeers({ subnet }: Connection): number {
    return subnet === null ? 0 : (this.#subnets.get(subnet) ?? 0);
  }

  handshaking(): number {
    let count = 0;
    for (const { state } of this.#all) if (state === 'Handshaking') count++;
    return count;
  }

  /** Makes a connection findable by its node ID. */
  enter(connection: Connection): void {
    if (this.#byId.has(connection.peerId!)) throw new Error(`two connected peers '${connection.peerId}'`);
    this.#byId.set(connection.peerId!, connection);
    if (!connection.exempt) this.#count(connection, 1);
  }

  /** The connection is no longer a connected peer. */
  leave(connection: Connection): void {
    if (connection.peerId === null || this.#byId.get(connection.peerId) !== connection) return;
    this.#byId.delete(connection.peerId);
    if (!connection.exempt) this.#count(connection, -1);
  }

  /** Limits count a connected peer from now on, or no longer. */
  setExempt(connection: Connection, isExempt: boolean): void {
    if (connection.exempt === isExempt) return;
    connection.exempt = isExempt;
    if (this.#byId.get(connection.peerId!) === connection) this.#count(connection, isExempt ? -1 : 1);
  }

  #count({ direction, subnet }: Connection, change: 1 | -1): void {
    this.#counts[direction] += change;
    if (direction === 'outbound' || subnet === null) return;
    const peers = (this.#subnets.get(subnet) ?? 0) + change;
    if (peers === 0) this.#subnets.delete(subnet);
    else this.#subnets.set(subnet, peers);
  }

  /** Gives a connection a slot, pinned to a worker; null if there is none. */
  seat(connection: Connection, peerId: string, worker: number): Seat | null {
    const slot = this.#free.pop();
    if (slot === undefined) return null;
    const { words, bytes, layout } = this.#arena;
    const control = layout.slot(slot);
    const generation = (words[control + Slot.Generation] + 1) | 0 || 1;
    const sections = [Slot.SendQueued, Slot.SkipArmed, Slot.WriteCursor, Slot.ReadCursor, Slot.Progress, Slot.Scanned];
    const rest = [
      Slot.AsideId,
      Slot.AsideBytes,
      Slot.SkipRemaining,
      Slot.Latched,
      Slot.PartialSinceMs,
      Slot.LastFrameMs,
      Slot.StarvedSinceMs,
      Slot.QueuedUnits,
    ];
    for (const word of [...sections, ...rest, Slot.Queued, Slot.ReadPaused]) Atomics.store(words, control + word, 0);
    const counters = [Slot.BytesReceived, Slot.BytesSent, Slot.MessagesSent, Slot.MessagesReceived, Slot.FramesDropped];
    for (const counter of counters) resetCounter(words, control + counter);
    const id = Buffer.from(peerId);
    bytes.set(id, (control + Slot.PeerId) * 4);
    words[control + Slot.PeerIdLength] = id.length;
    words[control + Slot.Worker] = worker;
    Atomics.store(words, control + Slot.Generation, generation);
    Atomics.store(words, control + Slot.State, SlotState.Open);
    this.#seats[slot] = connection;
    return { slot, generation, worker, ring: new ByteRing(this.#arena, slot) };
  }

  /** Whether the worker has let go of a seat. */
  isReleased(seat: Seat): boolean {
    const { words, layout } = this.#arena;
    return Atomics.load(words, layout.slot(seat.slot) + Slot.Released) === seat.generation;
  }

  /** Lets go of a seat in place of its worker, which has never heard of it. */
  release(seat: Seat): void {
    const { words, layout } = this.#arena;
    Atomics.store(words, layout.slot(seat.slot) + Slot.Released, seat.generation);
  }

  /** Nothing more of what came for a seat is dispatched: its worker lets go of it at its next look. @returns whether there was more */
  abort(seat: Seat): boolean {
    const { words, layout } = this.#arena;
    const control = layout.slot(seat.slot);
    Atomics.store(words, control + Slot.State, SlotState.Aborted);
    const isAside = Atomics.load(words, control + Slot.AsideId) !== 0;
    return (
      isAside || Atomics.load(words, control + Slot.ReadCursor) !== Atomics.load(words, control + Slot.WriteCursor)
    );
  }

  /** Both sides have let go. */
  unseat(connection: Connection): void {
    const { slot, generation } = connection.seat!;
    const { words, layout } = this.#arena;
    if (this.#seats[slot] !== connection) throw new Error(`slot ${slot} is not this connection's`);
    Atomics.store(words, layout.slot(slot) + Slot.State, SlotState.Free);
    this.#seats[slot] = null;
    connection.seat = null;
    // Nobody will hold anything against one that never sent anything.
    if (connection.isHeard) this.#former.set(`${slot} ${generation}`, connection);
    if (this.#former.size > MAX_FORMER) this.#former.delete(this.#former.keys().next().value!);
    this.#free.push(slot);
  }

  /** When a peer last sent something other than ping and pong; 0 if it never has. */
  lastMessageMs({ seat }: Connection, nowMs: number): number {
    const { words, layout } = this.#arena;
    const lastFrame = seat === null ? 0 : Atomics.load(words, layout.slot(seat.slot) + Slot.LastFrameMs);
    return lastFrame === 0 ? 0 : nowMs - sinceSharedMs(nowMs, lastFrame);
  }

  /** Connections that sit in slots, closed ones too whose worker has not let go. */
  *seatedConnections(): Generator<Connection> {
    for (const connection of this.#seats) if (connection !== null) yield connection;
  }

  /** Connections that sit in slots pinned to a worker, for a replacement to take over. */
  pinnedTo(worker: number): Connection[] {
    return this.#seats.filter((connection): connection is Connection => connection?.seat?.worker === worker);
  }
}
