import { describe, expect, it } from 'vitest';
import type { Connection } from '../../../src/main/net/connection.js';
import type { ConnectionTable } from '../../../src/main/net/connection-table.js';
import { MemoryRelief, PATIENCE_MS } from '../../../src/main/net/memory-relief.js';
import { toSharedMs } from '../../../src/shared/clock.js';
import { QUEUED_UNIT_BYTES, Slot, SlotState, Worker } from '../../../src/shared/memory/arena-layout.js';
import { Claim } from '../../../src/shared/memory/memory-budget.js';
import { FakeClock, MIB, makeArena, openSlot } from '../workers/stage.js';

const STEP_MS = 50;
const GIB = 2 ** 30;

/** Peers in slots, each of its own host, that hold what the test says. */
function rig(peers: number) {
  const { arena, budget } = makeArena({ slots: peers }, 16 * MIB);
  const clock = new FakeClock();
  const state = { shed: 0, spared: 0, stopping: false, silentMs: 0 };
  const cut: number[] = [];
  const destroyed: number[] = [];
  const woken: number[] = [];
  const lost: number[] = [];
  const connections = Array.from({ length: peers }, (_, slot) => {
    openSlot(arena, slot);
    const writer = { queuedBytes: 0, heldBytes: 0 };
    const connection = {
      leavingMs: 0,
      persistent: false,
      hostKey: `10.0.0.${slot + 1}`,
      seat: { slot, generation: 1, worker: 0 },
      state: 'Connected',
      writer,
      destroy() {
        destroyed.push(slot);
        connection.state = 'Disconnected';
        Object.assign(writer, { queuedBytes: 0, heldBytes: 0 });
      },
    };
    return connection as unknown as Connection;
  });
  const slotOf = (connection: Connection) => connection.seat!.slot;
  const relief = new MemoryRelief({
    arena,
    budget,
    table: {
      connected: () => connections.filter(({ state }) => state === 'Connected').values(),
      get all() {
        return connections.filter(({ state }) => state !== 'Disconnected');
      },
      seatedConnections: () => connections.values(),
      isReleased: ({ slot, generation }: { slot: number; generation: number }) =>
        arena.words[arena.layout.slot(slot) + Slot.Released] === generation,
    } as unknown as ConnectionTable,
    clock,
    shed: () => state.shed,
    spare: () => void state.spared++,
    silentMs: () => state.silentMs,
    isStopping: () => state.stopping,
    cutOff: (connection, { code }) => {
      expect(code).toBe(0x49);
      cut.push(slotOf(connection));
      connection.state = 'Disconnecting';
    },
    lastFramesLost: (connection) => void lost.push(slotOf(connection)),
    wake: (connection) => void woken.push(slotOf(connection)),
  });
  const set = (slot: number, word: number, value: number) => {
    arena.words[arena.layout.slot(slot) + word] = value;
  };
  return {
    arena,
    budget,
    clock,
    state,
    relief,
    cut,
    destroyed,
    woken,
    lost,
    connections,
    /** A peer holds so much; half of it in a frame, half in handler queues. */
    holds(slot: number, bytes: number) {
      set(slot, Slot.AsideBytes, bytes / 2);
      set(slot, Slot.QueuedUnits, bytes / 2 / QUEUED_UNIT_BYTES);
    },
    /** So much waits in a peer's send queue. */
    sends(slot: number, bytes: number) {
      Object.assign(connections[slot]!.writer, { queuedBytes: bytes, heldBytes: bytes });
    },
    /** So much waits in handler queues, whoever sent it. */
    queues(bytes: number) {
      arena.words[arena.layout.worker(0) + Worker.QueuedKib] = bytes / 1024;
    },
    starve: (slot: number) => set(slot, Slot.StarvedSinceMs, toSharedMs(clock.ms)),
    feed: (slot: number) => set(slot, Slot.StarvedSinceMs, 0),
    set,
    /** Sweeps for so long. */
    pass(ms: number, meanwhile: () => void = () => undefined) {
      for (let done = 0; done < ms; done += STEP_MS) {
        clock.ms += STEP_MS;
        meanwhile();
        relief.sweep();
      }
    },
  };
}

describe('a shortage of memory', () => {
  it('costs nobody the connection as long as nobody starves, however long it lasts', () => {
    const r = rig(3);
    r.holds(0, MIB);
    while (r.budget.reserve(MIB / 4, Claim.Inbound));
    r.pass(10 * PATIENCE_MS);
    expect([r.cut, r.relief.starvedMs]).toEqual([[], 0]);
  });

  it('makes what is kept for later go back, four times a second', () => {
    const r = rig(1);
    r.pass(1000);
    expect(r.state.spared).toBe(0);
    while (r.budget.reserve(1024, Claim.Inbound));
    r.pass(1000);
    expect(r.state.spared).toBe(4);
  });

  it('costs the largest holder its connection once another has starved for two seconds', () => {
    const r = rig(3);
    r.holds(0, 2 * MIB);
    r.holds(1, 6 * MIB);
    r.starve(2);
    r.pass(PATIENCE_MS - STEP_MS);
    expect(r.cut).toEqual([]);
    r.pass(2 * STEP_MS);
    expect(r.cut).toEqual([1]);
    // What it held comes back.
    r.feed(2);
    r.pass(PATIENCE_MS);
    expect(r.cut).toEqual([1]);
  });

  it('costs one after the other theirs until nobody starves', () => {
    const r = rig(4);
    for (const slot of [0, 1, 2]) r.holds(slot, (3 + slot) * MIB);
    r.starve(3);
    r.pass(PATIENCE_MS + 700);
    expect(r.cut).toEqual([2, 1, 0]);
  });

  it('costs nobody the connection while messages of those who left are most of it, and the rest once they are handled', () => {
    const r = rig(4);
    for (const slot of [0, 1, 2]) r.holds(slot, MIB);
    r.starve(3);
    r.queues(1.5 * MIB + 11 * MIB);
    r.pass(10 * PATIENCE_MS);
    expect(r.cut).toEqual([]);
    // Handlers are through with them, and somebody starves all the same.
    r.queues(1.5 * MIB);
    r.pass(2 * STEP_MS);
    expect(r.cut).toEqual([0, 1]);
  });

  it('costs those theirs who fill handler queues, though their messages take more room than their payload', () => {
    const r = rig(4);
    for (const slot of [0, 1, 2]) r.set(slot, Slot.QueuedUnits, (3 * MIB) / QUEUED_UNIT_BYTES);
    r.queues(14 * MIB);
    r.starve(3);
    r.pass(PATIENCE_MS + STEP_MS);
    expect(r.cut).toEqual([0]);
  });

  it('costs those theirs who have more in handler queues than a word counts in bytes', () => {
    const r = rig(3);
    r.holds(0, 8 * MIB);
    r.set(1, Slot.QueuedUnits, (3 * GIB) / QUEUED_UNIT_BYTES);
    r.starve(2);
    r.pass(PATIENCE_MS + STEP_MS);
    expect(r.cut).toEqual([1]);
  });

  it('costs those theirs whose few bytes keep the most memory from being free', () => {
    const r = rig(3);
    r.sends(0, MIB);
    Object.assign(r.connections[1]!.writer, { queuedBytes: 1000, heldBytes: 2 * MIB });
    r.starve(2);
    r.pass(PATIENCE_MS + STEP_MS);
    expect(r.cut).toEqual([1]);
  });

  it('costs nobody the connection who holds next to nothing of it', () => {
    const r = rig(4);
    r.holds(0, 16 * 1024);
    r.sends(1, 50);
    r.holds(2, 4 * MIB);
    r.starve(3);
    r.pass(10 * PATIENCE_MS);
    expect(r.cut).toEqual([2]);
  });

  it('costs nobody the connection while those that wait get on, however slowly', () => {
    const r = rig(3);
    r.holds(0, 8 * MIB);
    // Each is served once a second, and waits again.
    let turn = 0;
    r.pass(10 * PATIENCE_MS, () => {
      if (turn++ % 20 === 0) for (const slot of [1, 2]) r.starve(slot);
    });
    expect(r.cut).toEqual([]);
  });

  it('costs nobody the connection for one that starved until its worker let go of it', () => {
    const r = rig(2);
    r.holds(0, 6 * MIB);
    r.starve(1);
    r.set(1, Slot.Released, 1);
    r.pass(10 * PATIENCE_MS);
    expect([r.cut, r.relief.starvedMs]).toEqual([[], 0]);
  });

  it('costs nobody the connection while the worker of those that starved does not look whether they still do', () => {
    const r = rig(3);
    r.holds(0, 6 * MIB);
    r.starve(1);
    r.set(2, Slot.State, SlotState.Closing);
    r.starve(2);
    r.state.silentMs = 1000;
    r.pass(10 * PATIENCE_MS);
    expect([r.cut, r.lost, r.relief.starvedMs]).toEqual([[], [], 0]);
    // It is back, and finds no memory.
    r.state.silentMs = 0;
    r.pass(STEP_MS);
    expect(r.cut).toEqual([0]);
  });

  it('spares peers that the operator has named by address while others hold as much', () => {
    const r = rig(3);
    r.holds(0, 3 * MIB);
    r.holds(1, 3 * MIB);
    r.connections[0]!.persistent = true;
    r.starve(2);
    r.pass(PATIENCE_MS + STEP_MS);
    expect(r.cut).toEqual([1]);
  });

  it('spares nobody for an unconditional ID, which anybody may show', () => {
    const r = rig(3);
    r.holds(0, 4 * MIB);
    r.holds(1, 3 * MIB);
    // What an unconditional ID brings.
    r.connections[0]!.exempt = true;
    r.starve(2);
    r.pass(PATIENCE_MS + STEP_MS);
    expect(r.cut).toEqual([0]);
  });

  it('ends the connection at once where a farewell would stand behind what is not read', () => {
    const r = rig(2);
    r.sends(0, 4 * MIB);
    r.starve(1);
    r.pass(PATIENCE_MS + STEP_MS);
    expect([r.cut, r.destroyed]).toEqual([[0], [0]]);
    const q = rig(2);
    q.holds(0, 4 * MIB);
    q.starve(1);
    q.pass(PATIENCE_MS + STEP_MS);
    expect([q.cut, q.destroyed]).toEqual([[0], []]);
  });

  it('costs those that are being left theirs first, who may hold more than any peer and read nothing', () => {
    const r = rig(4);
    r.holds(0, 6 * MIB);
    for (const slot of [1, 2]) {
      r.connections[slot]!.state = 'Disconnecting';
      r.sends(slot, slot * MIB);
    }
    r.starve(3);
    r.pass(PATIENCE_MS + STEP_MS);
    expect([r.cut, r.destroyed]).toEqual([[], [2]]);
    expect(r.connections[2]!.cause?.code).toBe(0x49);
    // What the other one holds is not enough.
    r.pass(250);
    expect([r.cut, r.destroyed]).toEqual([[0], [2, 1]]);
  });

  it('costs nobody anything while the node drains', () => {
    const r = rig(3);
    r.state.stopping = true;
    r.connections[0]!.state = 'Disconnecting';
    r.sends(0, 6 * MIB);
    r.holds(1, 6 * MIB);
    r.starve(2);
    r.pass(10 * PATIENCE_MS);
    expect([r.cut, r.destroyed]).toEqual([[], []]);
  });

  it('counts messages that are left out all the time as starvation, and some now and then not', () => {
    const r = rig(1);
    r.holds(0, MIB);
    while (r.budget.reserve(MIB / 4, Claim.Inbound));
    let turn = 0;
    r.pass(10 * PATIENCE_MS, () => {
      if (turn++ % 40 === 0) r.state.shed++;
    });
    expect(r.cut).toEqual([]);
    r.pass(PATIENCE_MS + 4 * STEP_MS, () => void r.state.shed++);
    expect(r.cut).toEqual([0]);
  });

  it('costs nobody the connection once there is room again, whatever was left out before', () => {
    const r = rig(1);
    r.holds(0, MIB);
    const taken = 15 * MIB;
    expect(r.budget.reserve(taken, Claim.Control)).toBe(true);
    r.pass(PATIENCE_MS - STEP_MS, () => void r.state.shed++);
    // Those who held it have gone by themselves.
    r.budget.release(taken);
    r.pass(PATIENCE_MS);
    expect([r.cut, r.relief.starvedMs]).toEqual([[], 0]);
  });

  it('does not keep the place of a closed connection whose last frames find no memory, and tells of them', () => {
    const r = rig(2);
    r.set(0, Slot.State, SlotState.Closing);
    r.connections[0]!.leavingMs = r.clock.ms;
    r.starve(0);
    r.pass(4900);
    expect([r.woken, r.lost]).toEqual([[], []]);
    r.pass(200);
    expect([r.woken, r.lost]).toEqual([[0], [0]]);
    expect(r.arena.words[r.arena.layout.slot(0) + Slot.State]).toBe(SlotState.Aborted);
  });

  it('gives the last frames of a connection their time from its close on, however long it starved before', () => {
    const r = rig(2);
    r.starve(0);
    r.pass(8000);
    r.set(0, Slot.State, SlotState.Closing);
    r.connections[0]!.leavingMs = r.clock.ms;
    r.pass(4900);
    expect(r.lost).toEqual([]);
    r.pass(200);
    expect(r.lost).toEqual([0]);
  });

  it('takes no frame that has arrived from a node that drains', () => {
    const r = rig(2);
    r.state.stopping = true;
    r.set(0, Slot.State, SlotState.Closing);
    r.connections[0]!.leavingMs = r.clock.ms;
    r.starve(0);
    r.pass(60_000);
    expect([r.woken, r.lost]).toEqual([[], []]);
  });
});
