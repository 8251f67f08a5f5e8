import type { Socket } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChunkPool } from '../../../src/main/net/chunk-pool.js';
import { SocketWriter } from '../../../src/main/net/socket-writer.js';
import { MIB, makeArena } from '../workers/stage.js';

/** A socket whose kernel takes what the test lets it take. It reads memory only as the kernel does: when it takes it. */
class FakeSocket {
  readonly taken: number[] = [];
  /** Bytes that the kernel takes at once. */
  window = Number.POSITIVE_INFINITY;
  readonly #pending: { readonly bytes: Uint8Array; done: number; then?: () => void }[] = [];
  corked = 0;

  get writableLength(): number {
    return this.#pending.reduce((sum, { bytes, done }) => sum + bytes.length - done, 0);
  }

  get _handle() {
    return { writeQueueSize: this.writableLength };
  }

  write(bytes: Uint8Array, then?: () => void): boolean {
    this.#pending.push(then === undefined ? { bytes, done: 0 } : { bytes, done: 0, then });
    if (this.corked === 0) this.#take();
    return true;
  }

  cork(): void {
    this.corked++;
  }

  uncork(): void {
    if (--this.corked === 0) this.#take();
  }

  /** The kernel takes `bytes` more. */
  open(bytes: number): void {
    this.window += bytes;
    this.#take();
  }

  #take(): void {
    const callbacks: (() => void)[] = [];
    while (this.#pending.length > 0) {
      const first = this.#pending[0];
      const take = Math.min(this.window, first.bytes.length - first.done);
      for (const byte of first.bytes.subarray(first.done, first.done + take)) this.taken.push(byte);
      first.done += take;
      this.window -= take;
      if (first.done < first.bytes.length) break;
      this.#pending.shift();
      if (first.then !== undefined) callbacks.push(first.then);
    }
    for (const then of callbacks) then();
  }
}

function stage(budgetBytes = 16 * MIB) {
  const { budget } = makeArena({}, budgetBytes);
  const base = budget.usedBytes;
  const pool = new ChunkPool(64 * 1024, budget);
  const socket = new FakeSocket();
  const told: number[] = [];
  let taken = 0;
  const writer = new SocketWriter(
    socket as unknown as Socket,
    pool,
    (bytes) => told.push(bytes),
    (bytes) => {
      taken += bytes;
    },
  );
  /** Adds bytes that stand in a chunk of their own, and lets the chunk go as the pump does at the end of a turn. */
  const add = (bytes: Uint8Array): boolean => {
    const chunk = pool.take(bytes.length)!;
    chunk.buffer.set(bytes);
    const isAdded = writer.add(chunk, 0, bytes.length);
    chunk.release();
    return isAdded;
  };
  return { writer, socket, pool, add, told, taken: () => taken, used: () => budget.usedBytes - base };
}

describe('a send queue', () => {
  it('hands a turn’s bytes to the socket in order, and lets go of all memory once the kernel has them', () => {
    const { writer, socket, add, told, taken, used, pool } = stage();
    for (const text of ['one ', 'two ', 'three']) add(Buffer.from(text));
    expect([writer.queuedBytes, socket.taken.length]).toEqual([13, 0]);
    writer.flush();
    expect(Buffer.from(socket.taken).toString()).toBe('one two three');
    expect([writer.queuedBytes, taken(), told.at(-1) ?? 0]).toEqual([0, 13, 0]);
    pool.clear();
    expect(used()).toBe(0);
  });

  it('joins neighbours in a chunk to one write', () => {
    const { writer, socket, pool } = stage();
    let writes = 0;
    const write = socket.write.bind(socket);
    socket.write = (bytes, then) => {
      writes++;
      return write(bytes, then);
    };
    const chunk = pool.take(100)!;
    chunk.buffer.set(Uint8Array.from({ length: 100 }, (_, i) => i));
    for (let at = 0; at < 100; at += 10) writer.add(chunk, at, 10);
    chunk.release();
    writer.flush();
    expect(socket.taken).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect(writes).toBe(1);
  });

  it('waits for the kernel, and pins no chunk of others meanwhile', () => {
    const { writer, socket, pool, add } = stage();
    socket.window = 3;
    add(Buffer.from('first '));
    writer.flush();
    const shared = pool.take(6)!;
    shared.buffer.write('second');
    writer.add(shared, 0, 6);
    shared.release();
    writer.flush();
    // The pool has it back already, for the next turn.
    expect(pool.take(1)).toBe(shared);
    shared.buffer.fill(0);
    expect(writer.queuedBytes).toBe(12);
    socket.open(100);
    expect(Buffer.from(socket.taken).toString()).toBe('first second');
    expect(writer.queuedBytes).toBe(0);
  });

  it('answers for its share of each chunk that it keeps from being free, however little it has of it', () => {
    const { writer, socket, pool, add, used } = stage();
    const other = new SocketWriter(
      { ...socket, write: () => true, writableLength: 1 } as unknown as Socket,
      pool,
      () => undefined,
      () => undefined,
    );
    expect(writer.heldBytes).toBe(0);
    socket.window = 0;
    const chunk = pool.take(100)!;
    for (const [each, start] of [
      [writer, 0],
      [other, 0],
      [writer, 50],
      [writer, 90],
    ] as const) {
      each.add(chunk, start, 10);
    }
    chunk.release();
    writer.flush();
    other.flush();
    expect([writer.heldBytes, other.heldBytes]).toEqual([48 * 1024, 16 * 1024]);
    // What is copied aside takes a piece of memory of its own.
    add(Buffer.alloc(10));
    pool.clear();
    expect(writer.heldBytes + other.heldBytes).toBe(used());
    other.dispose();
    expect(writer.heldBytes).toBe(used());
    socket.open(Number.POSITIVE_INFINITY);
    expect(writer.heldBytes).toBe(0);
  });

  it('refuses what the memory budget has no room for, and has added nothing then', () => {
    const { writer, socket, add } = stage(80 * 1024);
    socket.window = 1;
    add(Buffer.from('held'));
    writer.flush();
    const before = writer.queuedBytes;
    // A chunk that the budget does not know, so that only the copy needs room.
    const foreign = { buffer: Buffer.alloc(1000), retain: () => undefined, release: () => undefined };
    const results = Array.from({ length: 100 }, () => writer.add(foreign as never, 0, 1000));
    expect(results[0]).toBe(true);
    expect(results.at(-1)).toBe(false);
    const added = results.filter((isAdded) => isAdded).length;
    expect(writer.queuedBytes).toBe(before + added * 1000);
    socket.open(Number.POSITIVE_INFINITY);
    expect(socket.taken).toHaveLength(before + added * 1000);
  });

  it('tells who waits for room as soon as there is some, or nobody to wait for', async () => {
    const { writer, socket, add } = stage();
    socket.window = 0;
    add(Buffer.alloc(100));
    writer.flush();
    const order: string[] = [];
    const done = [
      writer.below(101).then(() => order.push('at once')),
      writer.below(1).then(() => order.push('empty')),
      writer.below(50).then(() => order.push('half')),
    ];
    socket.open(60);
    await done[0];
    expect(order).toEqual(['at once']);
    socket.open(100);
    await Promise.all(done);
    add(Buffer.alloc(10));
    socket.window = 0;
    add(Buffer.alloc(10));
    writer.flush();
    const waiting = writer.below(1);
    writer.dispose();
    await waiting;
    expect(writer.queuedBytes).toBe(0);
  });

  it('takes nothing any more once the socket is closed, and gives all memory back', () => {
    const { writer, socket, pool, add, used } = stage();
    socket.window = 1;
    add(Buffer.alloc(5000));
    writer.flush();
    add(Buffer.alloc(5000));
    add(Buffer.alloc(200_000));
    writer.dispose();
    pool.clear();
    expect(used()).toBe(0);
    expect(add(Buffer.alloc(1))).toBe(false);
    // The kernel's word may come late.
    socket.open(1e6);
    expect(writer.queuedBytes).toBe(0);
  });
});

describe('a stalled write', () => {
  it('is as old as the last byte that the kernel took', () => {
    const { writer, socket, add } = stage();
    socket.window = 10;
    add(Buffer.alloc(100));
    expect(writer.stalledMs(1000)).toBe(0);
    writer.flush();
    expect(writer.stalledMs(1100)).toBe(0);
    expect(writer.stalledMs(1600)).toBe(500);
    socket.open(1);
    expect(writer.stalledMs(2000)).toBe(0);
    expect(writer.stalledMs(2500)).toBe(500);
    socket.open(1000);
    expect(writer.stalledMs(3000)).toBe(0);
  });

  it('is none where the kernel takes one write after the other, also if each leaves as much as the last', () => {
    const { writer, socket, add } = stage();
    socket.window = 0;
    add(Buffer.alloc(1000));
    writer.flush();
    for (let nowMs = 0; nowMs < 60_000; nowMs += 250) {
      expect(writer.stalledMs(nowMs)).toBe(0);
      add(Buffer.alloc(1000));
      // The kernel takes the write in hand, and nothing of the next.
      socket.open(1000);
    }
  });
});

describe('whatever is added, flushed and taken in whatever order', () => {
  it('comes out as it went in, within the budget, and leaves no memory behind', () => {
    const step = fc.oneof(
      fc.record({ add: fc.integer({ min: 1, max: 3000 }) }),
      fc.record({ add: fc.integer({ min: 60_000, max: 90_000 }) }),
      fc.record({ open: fc.integer({ min: 1, max: 5000 }) }),
      fc.constant({ flush: true }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { writer, socket, pool, add, used, taken } = stage(4 * MIB);
        socket.window = 0;
        const expected: number[] = [];
        for (const [seed, what] of steps.entries()) {
          if ('open' in what) socket.open(what.open);
          else if ('flush' in what) writer.flush();
          else {
            const bytes = Uint8Array.from({ length: what.add }, (_, i) => (seed * 7 + i) & 0xff);
            if (add(bytes)) for (const byte of bytes) expected.push(byte);
          }
        }
        socket.open(Number.POSITIVE_INFINITY);
        writer.flush();
        expect(Buffer.compare(Buffer.from(socket.taken), Buffer.from(expected))).toBe(0);
        expect([writer.queuedBytes, taken()]).toEqual([0, expected.length]);
        pool.clear();
        expect(used()).toBe(0);
      }),
      { numRuns: 50 },
    );
  });
});
