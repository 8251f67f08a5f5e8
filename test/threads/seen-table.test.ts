import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { SEEN_MS, SeenTable } from '../../src/shared/memory/seen-table.js';
import { makeArena } from '../unit/workers/stage.js';

const seed = Number(process.env.SEED ?? Math.trunc(Math.random() * 2 ** 31));

/** Mulberry32: the same numbers for the same seed. */
function random(state: { seed: number }): number {
  state.seed = (state.seed + 0x6d2b79f5) | 0;
  let mixed = Math.imul(state.seed ^ (state.seed >>> 15), state.seed | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
}

/** [number, hash high, hash low] in an order of this thread's own. */
function shuffled(hashes: readonly [number, number][], state: { seed: number }): [number, number, number][] {
  const order = hashes.map(([high, low], i): [number, number, number] => [i, high, low]);
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(random(state) * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

const running: Worker[] = [];
afterEach(async () => {
  for (const worker of running.splice(0)) await worker.terminate();
});

function start(workerData: object): { worker: Worker; ended: Promise<string> } {
  const worker = new Worker(new URL('./seen-thread.mjs', import.meta.url), { workerData });
  running.push(worker);
  const ended = new Promise<string>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', () => resolve('killed'));
  });
  return { worker, ended };
}

describe(`one seen table under several threads (seed ${seed})`, () => {
  it('tells exactly one of them that a message is new, when all see it at the same time', async () => {
    const [threads, rounds] = [3, 3000];
    const { arena } = makeArena({ workers: threads, seenEntries: 64 });
    // Four buckets, each as full as it can be without forgetting, and everything expires from round to round.
    const hashes = Array.from({ length: 64 }, (_, i): [number, number] => [i + 1, i]);
    const handled = new SharedArrayBuffer(4 * rounds * hashes.length);
    const shared = { handled, progress: new SharedArrayBuffer(4 * threads), gate: new SharedArrayBuffer(8) };
    const state = { seed };
    const ends = Array.from({ length: threads }, (_, thread) => {
      const order = shuffled(hashes, state);
      return start({ buffer: arena.buffer, thread, order, rounds, roundMs: SEEN_MS, threads, ...shared }).ended;
    });
    const main = new SeenTable(arena, threads);
    const all = Promise.all(ends);
    let isDone = false;
    void all.then(() => {
      isDone = true;
    });
    // The main thread looks in at the same time, and waits for nobody.
    while (!isDone) {
      for (const [high, low] of hashes) main.has(high, low, 1000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await all).toEqual(['done', 'done', 'done']);
    expect(new Set(new Int32Array(handled))).toEqual(new Set([1]));
  }, 60_000);

  it('loses no message and doubles at most those in hand, though threads are killed at any point', async () => {
    const [threads, messages, kills] = [2, 60_000, 40];
    const { arena } = makeArena({ workers: threads, seenEntries: 2 ** 20 });
    const state = { seed };
    const hashes = Array.from({ length: messages }, (): [number, number] => [
      Math.trunc(random(state) * 2 ** 32) | 0,
      Math.trunc(random(state) * 2 ** 32) | 0,
    ]);
    const handled = new SharedArrayBuffer(4 * messages);
    const shared = { handled, progress: new SharedArrayBuffer(4 * threads), gate: new SharedArrayBuffer(8) };
    const plans = Array.from({ length: threads }, (_, thread) => ({
      buffer: arena.buffer,
      thread,
      order: shuffled(hashes, state),
      rounds: 1,
      roundMs: 0,
      threads: 1,
      ...shared,
    }));
    const main = new SeenTable(arena, threads);
    let killed = 0;
    await Promise.all(
      plans.map(async (plan) => {
        for (;;) {
          const { worker, ended } = start(plan);
          await new Promise((resolve) => worker.once('online', resolve));
          const isLast = killed >= kills;
          const untilMs = performance.now() + random(state) * 15;
          while (!isLast && performance.now() < untilMs) await new Promise((resolve) => setImmediate(resolve));
          if (!isLast) {
            killed++;
            await worker.terminate();
          }
          if ((await ended) === 'done') return;
          main.recover(plan.thread);
        }
      }),
    );
    const counts = new Int32Array(handled);
    expect(counts.filter((count) => count === 0)).toHaveLength(0);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(messages + killed);
  }, 60_000);
});
