import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Allowance } from '../../../src/shared/memory/memory-budget.js';
import { SeenTable } from '../../../src/shared/memory/seen-table.js';
import { completePolicy, type Overflow } from '../../../src/shared/policy.js';
import { AsideStore } from '../../../src/workers/aside-store.js';
import { HandlerQueue } from '../../../src/workers/handler-queue.js';
import { PeerStream } from '../../../src/workers/peer-stream.js';
import { QueueGate } from '../../../src/workers/queue-gate.js';
import { QueueLog } from '../../../src/workers/queue-log.js';
import { FakeClock, makeArena, openSlot } from './stage.js';

const SEGMENT = 64 * 1024;
/** More than half of a segment, so that each takes one. */
const LARGE = 40_000;

class Purse implements Allowance {
  used = 0;
  limit = 3 * SEGMENT;
  reserve(bytes: number): boolean {
    if (this.used + bytes > this.limit) return false;
    this.used += bytes;
    return true;
  }
  release(bytes: number): void {
    this.used -= bytes;
  }
}

function rig(overflow: Overflow, concurrency: number, queueLength: number) {
  const purse = new Purse();
  const running = new Map<number, (error?: Error) => void>();
  const started: number[] = [];
  const errors: unknown[] = [];
  const counts = { waiting: 0, done: 0, mostRunning: 0 };
  const clock = new FakeClock();
  const took: number[] = [];
  const { arena } = makeArena({});
  openSlot(arena, 0);
  const stream = new PeerStream(arena, 0);
  const source = new Uint8Array(new SharedArrayBuffer(2 ** 20));
  const store = new AsideStore(purse, 0, () => undefined);
  const seen = new SeenTable(arena, 0);
  const log = new QueueLog(Buffer.from('t'), { arena, worker: 0, store, seen, keep: () => undefined });
  const gate = new QueueGate(clock, {
    afterTurn: setImmediate,
    afterMs: (ms, callback) => void setTimeout(callback, ms),
  });
  const queue = new HandlerQueue({
    policy: completePolicy('t', { mode: 'queued', concurrency, queueLength, overflow }, 'queued'),
    log,
    gate,
    onError: (error) => void errors.push(error),
    onDone: () => void counts.done++,
    addWaiting: (messages) => {
      counts.waiting += messages;
    },
    clock,
    took: (ms) => void took.push(ms),
  });
  /** As the pipeline does: takes a message, and once its frame is done has handlers called. */
  const offerTo = (bytes: number, run: () => unknown) => {
    const dropped = queue.offer(bytes, () => ({
      entry: log.append(stream, source, 0, bytes, null),
      run,
      released: () => undefined,
    }));
    queue.start();
    return dropped;
  };
  const offer = (n: number, bytes = 10) =>
    offerTo(bytes, () => {
      started.push(n);
      return new Promise<void>((resolve, reject) => {
        running.set(n, (error) => {
          running.delete(n);
          if (error === undefined) resolve();
          else reject(error);
        });
        counts.mostRunning = Math.max(counts.mostRunning, running.size);
      });
    });
  /** Messages that were left behind: as many as wait, and those that ran. */
  const adopt = (messages: number) => {
    const left = Array.from({ length: messages }, () => {
      log.hasRoom(10);
      return { entry: log.append(stream, source, 0, 10, null), run: () => undefined, released: () => undefined };
    });
    counts.waiting += messages;
    queue.adopt(left);
  };
  return { adopt, queue, purse, running, started, errors, counts, offer, offerTo, clock, took };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('a handler queue', () => {
  it('runs as many at once as its policy says, the rest in order', async () => {
    const r = rig('back-pressure', 2, 10);
    for (let n = 0; n < 5; n++) expect(r.offer(n)).toBe(0);
    expect([r.started, r.counts.waiting, r.purse.used]).toEqual([[0, 1], 5, SEGMENT]);
    for (let n = 0; n < 5; n++) {
      r.running.get(n)!();
      await settle();
    }
    expect([r.started, r.counts]).toEqual([[0, 1, 2, 3, 4], { waiting: 0, done: 5, mostRunning: 2 }]);
  });

  it('under back-pressure says that it is full, and takes the next when one is through', async () => {
    const r = rig('back-pressure', 1, 2);
    for (let n = 0; n < 3; n++) {
      expect(r.queue.isFull(10)).toBe(false);
      expect(r.offer(n)).toBe(0);
    }
    expect(r.queue.isFull(10)).toBe(true);
    r.running.get(0)!();
    await settle();
    expect(r.queue.isFull(10)).toBe(false);
  });

  it('under back-pressure keeps what it said there is room for, whoever else takes memory meanwhile', () => {
    const r = rig('back-pressure', 1, 2);
    expect(r.queue.isFull(10)).toBe(false);
    r.purse.limit = r.purse.used;
    expect(r.offer(0)).toBe(0);
    expect(r.started).toEqual([0]);
  });

  it('under back-pressure holds no memory for a message that it was asked about and did not get', () => {
    const r = rig('back-pressure', 1, 2);
    expect(r.queue.isFull(2 * SEGMENT)).toBe(false);
    expect(r.purse.used).toBeGreaterThan(2 * SEGMENT);
    r.queue.forgo();
    expect(r.purse.used).toBe(0);
    expect(r.queue.isFull(2 * SEGMENT)).toBe(false);
    expect(r.queue.isFull(20)).toBe(false);
    r.queue.forgo();
    expect(r.offer(0, 20)).toBe(0);
    expect(r.purse.used).toBe(SEGMENT);
  });

  it('under drop-new drops what comes while it is full', () => {
    const r = rig('drop-new', 1, 2);
    expect([0, 1, 2, 3, 4].map((n) => r.offer(n))).toEqual([0, 0, 0, 1, 1]);
    expect(r.queue.isFull(10)).toBe(false);
    expect([r.counts.waiting, r.purse.used]).toEqual([3, SEGMENT]);
  });

  it('under drop-old drops the oldest that waits, never one that runs', async () => {
    const r = rig('drop-old', 1, 2);
    expect([0, 1, 2, 3, 4].map((n) => r.offer(n))).toEqual([0, 0, 0, 1, 1]);
    expect([r.counts.waiting, r.purse.used]).toEqual([3, SEGMENT]);
    for (const n of [0, 3, 4]) {
      r.running.get(n)!();
      await settle();
    }
    expect([r.started, r.counts.waiting]).toEqual([[0, 3, 4], 0]);
  });

  it('gives memory back with the messages in it, whichever is through first', async () => {
    const r = rig('back-pressure', 3, 3);
    for (let n = 0; n < 3; n++) r.offer(n, LARGE);
    expect(r.purse.used).toBe(3 * SEGMENT);
    expect(r.queue.isFull(LARGE)).toBe(true);
    for (const [n, used] of [
      [1, 2 * SEGMENT],
      [0, SEGMENT],
      [2, SEGMENT],
    ]) {
      r.running.get(n)!();
      await settle();
      expect(r.purse.used).toBe(used);
    }
    expect(r.queue.isFull(LARGE)).toBe(false);
  });

  it.each(['before they first wait', 'after they waited for what is there already'])(
    'lets the event loop turn between handlers that burn their time %s',
    async (when) => {
      const r = rig('back-pressure', 1, 100);
      let calls = 0;
      const burn = async () => {
        calls++;
        if (when.startsWith('after')) await null;
        r.clock.ms += 1;
      };
      for (let n = 0; n < 60; n++) r.offerTo(10, burn);
      const seen: number[] = [];
      for (let turn = 0; turn < 100 && calls < 60; turn++) {
        await settle();
        seen.push(calls);
      }
      expect(calls).toBe(60);
      const steps = seen.map((count, i) => count - (seen[i - 1] ?? 0));
      // 5 ms for handlers, twice where a turn of the loop begins and ends between two looks.
      expect(Math.max(...steps)).toBeLessThanOrEqual(10);
    },
  );

  it('gives a place to what a worker before it left, however much that was, and drops nothing for it', () => {
    const r = rig('drop-old', 1, 2);
    r.adopt(3);
    expect([r.offer(10), r.counts.waiting]).toEqual([1, 3]);
  });

  it('goes on after a handler that throws or rejects', async () => {
    const r = rig('back-pressure', 1, 4);
    const bad = new Error('sync');
    r.offerTo(1, () => {
      throw bad;
    });
    r.offer(1);
    await settle();
    r.running.get(1)!(new Error('late'));
    await settle();
    r.offer(2);
    expect(r.started).toEqual([1, 2]);
    expect(r.errors.map((error) => (error as Error).message)).toEqual(['sync', 'late']);
    expect(r.counts.waiting).toBe(1);
  });

  it('tells how long each handler took, from its own start until it settled, well or not', async () => {
    const r = rig('back-pressure', 1, 4);
    for (const n of [0, 1]) r.offer(n);
    r.clock.ms += 30;
    r.running.get(0)!();
    await settle();
    r.clock.ms += 5;
    r.running.get(1)!(new Error('late'));
    await settle();
    expect(r.took).toEqual([30, 5]);
  });

  it.each(['back-pressure', 'drop-new', 'drop-old'] as const)(
    'under %s never passes its bounds nor the budget, and accounts for every message',
    async (overflow) => {
      const step = fc.oneof(
        {
          weight: 3,
          arbitrary: fc.record({ do: fc.constant('offer' as const), bytes: fc.integer({ min: 1, max: 120_000 }) }),
        },
        { weight: 2, arbitrary: fc.record({ do: fc.constant('finish' as const), which: fc.nat() }) },
      );
      await fc.assert(
        fc.asyncProperty(
          fc.array(step, { maxLength: 60 }),
          fc.integer({ min: 1, max: 3 }),
          fc.integer({ min: 1, max: 4 }),
          async (steps, concurrency, queueLength) => {
            const r = rig(overflow, concurrency, queueLength);
            let taken = 0;
            let dropped = 0;
            let offered = 0;
            for (const s of steps) {
              if (s.do === 'finish') {
                const all = [...r.running.values()];
                all[s.which % all.length]?.();
                await settle();
              } else if (!r.queue.isFull(s.bytes)) {
                dropped += r.offer(offered++, s.bytes);
                taken++;
              }
              expect(r.running.size).toBeLessThanOrEqual(concurrency);
              expect(r.counts.waiting).toBeLessThanOrEqual(concurrency + queueLength);
              expect(r.purse.used).toBeLessThanOrEqual(r.purse.limit);
            }
            if (overflow === 'back-pressure') expect(dropped).toBe(0);
            for (let i = 0; r.running.size > 0 && i < 100; i++) {
              for (const finish of [...r.running.values()]) finish();
              await settle();
            }
            expect([r.started.length, r.counts.waiting]).toEqual([taken - dropped, 0]);
            // The last segment is kept.
            expect(r.purse.used).toBeLessThanOrEqual(SEGMENT);
            expect(r.started).toEqual([...r.started].sort((a, b) => a - b));
          },
        ),
        { numRuns: 100 },
      );
    },
  );
});
