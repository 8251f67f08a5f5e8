import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Arena } from '../../../src/shared/memory/arena.js';
import {
  ArenaLayout,
  mainCounters,
  mainHistograms,
  SEEN_ENTRY_BYTES,
  SEEN_STRIPES,
  SLOT_WORDS,
  Slot,
  Worker,
  workerCounters,
  workerHistograms,
} from '../../../src/shared/memory/arena-layout.js';
import { ByteRing } from '../../../src/shared/memory/byte-ring.js';
import {
  addCounter,
  addUnordered,
  COUNTER_WORDS,
  readCounter,
  resetCounter,
} from '../../../src/shared/memory/counters.js';
import { HISTOGRAM_WORDS } from '../../../src/shared/memory/histogram.js';
import { MemoryBudget, TrackedAllowance } from '../../../src/shared/memory/memory-budget.js';
import { ReadyQueue } from '../../../src/shared/memory/ready-queue.js';
import { Signal } from '../../../src/shared/memory/signal.js';
import { TypeTable } from '../../../src/shared/memory/type-table.js';
import { makeArena, openSlot } from '../workers/stage.js';

describe('the layout of the arena', () => {
  it('has no sections that overlap, all on 128 bytes, whatever the geometry', () => {
    const geometry = fc.record({
      slots: fc.integer({ min: 1, max: 50 }),
      ringBytes: fc.constantFrom(128, 4096, 65_536),
      workers: fc.integer({ min: 1, max: 8 }),
      outboundBytes: fc.constantFrom(1024, 65_536),
      seenEntries: fc.constantFrom(16, 4096),
    });
    fc.assert(
      fc.property(geometry, (g) => {
        const layout = new ArenaLayout(g);
        const end = (histogram: number) => (histogram + HISTOGRAM_WORDS) * 4;
        const sections: [number, number][] = [[0, layout.mainCounter(mainCounters[0]) * 4]];
        sections.push([layout.mainCounter(mainCounters[0]) * 4, end(layout.mainHistogram(mainHistograms.at(-1)!))]);
        for (let w = 0; w < g.workers; w++) {
          sections.push([layout.worker(w) * 4, end(layout.workerHistogram(w, workerHistograms.at(-1)!))]);
          sections.push([layout.readyQueue(w) * 4, (layout.readyQueue(w) + 2 * layout.readyCapacity) * 4]);
          sections.push([layout.outboundRing(w), layout.outboundRing(w) + g.outboundBytes]);
          sections.push([layout.scratch(w), layout.scratch(w) + layout.scratchBytes]);
        }
        for (let s = 0; s < SEEN_STRIPES; s++) sections.push([layout.seenLock(s) * 4, layout.seenLock(s) * 4 + 4]);
        sections.push([layout.seenEntries * 4, layout.seenEntries * 4 + g.seenEntries * SEEN_ENTRY_BYTES]);
        for (let t = 0; t <= g.workers; t++) {
          const { count, sent, handled } = layout.typeTable(t);
          sections.push([count * 4, (sent + 64 * COUNTER_WORDS) * 4]);
          sections.push([handled * 4, end(handled + 63 * HISTOGRAM_WORDS)]);
        }
        for (let s = 0; s < g.slots; s++) {
          sections.push([layout.slot(s) * 4, (layout.slot(s) + SLOT_WORDS) * 4]);
          sections.push([layout.ring(s), layout.ring(s) + g.ringBytes]);
        }
        sections.sort((a, b) => a[0] - b[0]);
        for (const [i, [start, last]] of sections.entries()) {
          expect(start % 64).toBe(0);
          expect(last).toBeLessThanOrEqual(sections[i + 1]?.[0] ?? layout.totalBytes);
        }
      }),
    );
  });

  it('keeps words of different writers on lines of their own', () => {
    const main = [Slot.State, Slot.WriteCursor, Slot.SendQueued, Slot.BytesReceived, Slot.MessagesSent + 2];
    const worker = [Slot.ReadCursor, Slot.Progress, Slot.Released, Slot.FramesDropped + 2];
    const both = [Slot.Queued, Slot.ReadPaused];
    expect(new Set(main.map((word) => word >> 5))).toEqual(new Set([0]));
    expect(new Set(worker.map((word) => word >> 5))).toEqual(new Set([1]));
    expect(new Set(both.map((word) => word >> 5))).toEqual(new Set([2]));
    expect(Worker.ReadyTail >> 5).not.toBe(Worker.ReadyHead >> 5);
    expect(Worker.Signal >> 5).not.toBe(Worker.ReadyTail >> 5);
    const { layout } = makeArena().arena;
    expect(layout.workerCounter(0, workerCounters[0]) % 32).toBe(0);
    const { received, sent, handled } = layout.typeTable(0);
    expect([received, sent, handled].map((word) => word % 32)).toEqual([0, 0, 0]);
  });

  it('is the same for whoever attaches to the buffer', () => {
    const { arena } = makeArena({ slots: 3, workers: 2 });
    expect(Arena.attach(arena.buffer).layout.geometry).toEqual(arena.layout.geometry);
  });

  it.each([{ ringBytes: 1000 }, { slots: 0 }, { workers: 1.5 }, { outboundBytes: 3000 }, { seenEntries: 8 }])(
    'refuses %j',
    (wrong) => {
      expect(() => makeArena(wrong)).toThrow(RangeError);
    },
  );
});

describe('a counter', () => {
  it.each([addCounter, addUnordered])('counts across the borders of 32 bits, by %o', (addTo) => {
    const words = new Int32Array(new SharedArrayBuffer(16));
    let sum = 0;
    for (const amount of [0, 1, 2 ** 31, 2 ** 31, 2 ** 32 - 1, 5, 2 ** 32 - 1, 2 ** 52, 7]) {
      addTo(words, 0, amount);
      sum += amount;
      expect(readCounter(words, 0)).toBe(sum);
    }
    resetCounter(words, 0);
    expect(readCounter(words, 0)).toBe(0);
  });

  it('of a writer that died in a carry is still read', () => {
    const words = new Int32Array(new SharedArrayBuffer(16));
    words[0] = 1;
    expect(readCounter(words, 0)).toBe(2 ** 32);
  });
});

describe('a byte ring', () => {
  it('never lends more than is free, nor across its end, and throws when it is overrun', () => {
    const { arena } = makeArena({ ringBytes: 128 });
    const ring = openSlot(arena, 0);
    const control = arena.layout.slot(0);
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(128), fc.nat(128)), { maxLength: 50 }), (steps) => {
        for (const [write, read] of steps) {
          const region = ring.region(write);
          const offset = region.byteOffset - arena.layout.ring(0);
          expect(region.length).toBeLessThanOrEqual(Math.min(write, ring.free));
          expect(offset + region.length).toBeLessThanOrEqual(128);
          ring.commit(region.length);
          arena.words[control + Slot.ReadCursor] += Math.min(read, 128 - ring.free);
          expect(ring.free).toBeGreaterThanOrEqual(0);
        }
      }),
    );
    expect(() => ring.commit(ring.free + 1)).toThrow(/overrun/);
  });

  it('takes a pause back where half of it turned free meanwhile', () => {
    const { arena } = makeArena({ ringBytes: 128 });
    const ring = openSlot(arena, 1);
    ring.commit(100);
    expect(ring.pause()).toBe(true);
    arena.words[arena.layout.slot(1) + Slot.ReadCursor] = 90;
    expect(ring.pause()).toBe(false);
    expect(new ByteRing(arena, 1).free).toBe(118);
  });
});

describe('a ready queue', () => {
  it('holds a slot once, in order, and takes it again after it came out', () => {
    const { arena } = makeArena({ slots: 4 });
    for (let slot = 0; slot < 4; slot++) openSlot(arena, slot);
    const queue = new ReadyQueue(arena, 0);
    expect([2, 0, 2, 3, 0].map((slot) => queue.push(slot, 1))).toEqual([true, true, false, true, false]);
    const out: number[] = [];
    while (queue.pop()) out.push(queue.slot);
    expect(out).toEqual([2, 0, 3]);
    expect(queue.isEmpty).toBe(true);
    expect(queue.push(2, 1)).toBe(true);
  });

  it('ignores what was queued for a connection that had the slot before', () => {
    const { arena } = makeArena({ slots: 2 });
    openSlot(arena, 0);
    openSlot(arena, 1);
    const queue = new ReadyQueue(arena, 0);
    queue.push(0, 1);
    openSlot(arena, 0);
    queue.push(1, 1);
    expect(queue.pop()).toBe(true);
    expect(queue.slot).toBe(1);
    expect(queue.pop()).toBe(false);
    expect(queue.push(0, 1)).toBe(true);
  });

  it('empties at once for a replacement', () => {
    const { arena } = makeArena();
    openSlot(arena, 0);
    const queue = new ReadyQueue(arena, 0);
    queue.push(0, 1);
    queue.reset();
    expect(queue.pop()).toBe(false);
  });
});

describe('a signal', () => {
  it('wakes who is parked, also when it was raised between parking and waiting', async () => {
    const words = new Int32Array(new SharedArrayBuffer(16));
    const signal = new Signal(words, 0);
    const ticket = signal.park();
    const waiting = signal.wait(ticket);
    signal.raise();
    expect(await waiting).toBe('ok');
    const next = signal.park();
    signal.raise();
    expect(signal.wait(next)).toBeNull();
  });
});

describe('the memory budget', () => {
  it('is never passed, counts in whole KiB, and gives back what a dead thread held', () => {
    const { arena, budget } = makeArena({}, 10 * 1024);
    const before = budget.usedBytes;
    const held = new TrackedAllowance(budget, arena.words, arena.layout.worker(0) + Worker.QueuedKib);
    expect(held.reserve(4000)).toBe(true);
    expect(held.reserve(6 * 1024)).toBe(true);
    expect(held.reserve(1)).toBe(false);
    held.release(4000);
    expect(held.reserve(1)).toBe(true);
    held.forfeit();
    expect(budget.usedBytes).toBe(before);
    expect(new MemoryBudget(arena).budgetBytes).toBe(Math.floor((arena.buffer.byteLength + 10 * 1024) / 1024) * 1024);
  });
});

describe('a type table', () => {
  it('names at most 63 types, and counts the rest as other', () => {
    const { arena } = makeArena();
    const table = new TypeTable(arena, 0);
    const numbers = Array.from({ length: 100 }, (_, i) => table.intern(`type-${i}`));
    expect(numbers.slice(0, 63)).toEqual(Array.from({ length: 63 }, (_, i) => i + 1));
    expect(new Set(numbers.slice(63))).toEqual(new Set([0]));
    expect(table.intern('type-5')).toBe(6);
    expect(new TypeTable(arena, 0).names().slice(0, 3)).toEqual(['other', 'type-0', 'type-1']);
    table.addReceived(6, 3);
    table.addSent(6, 4);
    expect([table.received(6), table.sent(6), table.received(5)]).toEqual([3, 4, 0]);
    expect(new TypeTable(arena, 1).names()).toEqual(['other']);
  });
});
