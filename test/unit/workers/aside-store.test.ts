import { describe, expect, it } from 'vitest';
import { AsideStore } from '../../../src/workers/aside-store.js';
import { MIB, makeArena } from './stage.js';

function makeStore(budgetBytes: number) {
  const { budget } = makeArena({}, budgetBytes);
  const base = budget.usedBytes;
  const gone: number[] = [];
  const state = { mayKeep: true };
  const announce = (id: number, buffer: SharedArrayBuffer | null) => void (buffer === null && gone.push(id));
  const store = new AsideStore(budget, 16 * MIB, announce, () => state.mayKeep);
  return { store, state, gone, used: () => budget.usedBytes - base };
}

describe('memory for large frames', () => {
  it('is kept for the next one while there is enough', () => {
    const { store, gone, used } = makeStore(8 * MIB);
    const aside = store.take(MIB)!;
    store.give(aside);
    expect([used(), gone]).toEqual([MIB, []]);
    expect(store.take(MIB)).toBe(aside);
  });

  it('goes back at once while memory is short, with all that was kept', () => {
    const { store, state, gone, used } = makeStore(8 * MIB);
    const [first, second] = [store.take(MIB)!, store.take(2 * MIB)!];
    store.give(first);
    state.mayKeep = false;
    store.give(second);
    expect([used(), gone]).toEqual([0, [first.id, second.id]]);
  });

  it('that is kept goes back when it is asked for', () => {
    const { store, gone, used } = makeStore(8 * MIB);
    const aside = store.take(MIB)!;
    store.give(aside);
    store.clear();
    expect([used(), gone]).toEqual([0, [aside.id]]);
  });

  it('that was given back is collected: V8 would let gigabytes of shared buffers lie about', async () => {
    const { store, state } = makeStore(64 * MIB);
    state.mayKeep = false;
    const beforeBytes = process.memoryUsage.rss();
    let mostBytes = 0;
    for (let i = 0; i < 128; i++) {
      const aside = store.take(8 * MIB)!;
      aside.bytes.fill(1);
      store.give(aside);
      mostBytes = Math.max(mostBytes, process.memoryUsage.rss() - beforeBytes);
      if (i % 8 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    // A gigabyte went by.
    expect(mostBytes).toBeLessThan(512 * MIB);
  });
});
