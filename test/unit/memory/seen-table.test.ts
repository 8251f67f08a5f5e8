import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readCounter } from '../../../src/shared/memory/counters.js';
import { SEEN_MS, SeenTable } from '../../../src/shared/memory/seen-table.js';
import { MessageHash } from '../../../src/shared/wire/message-hash.js';
import { makeArena } from '../workers/stage.js';

const WORKERS = 2;

function rig(seenEntries = 1024) {
  const { arena } = makeArena({ workers: WORKERS, seenEntries });
  const { layout, words } = arena;
  return {
    arena,
    words,
    first: new SeenTable(arena, 0),
    second: new SeenTable(arena, 1),
    main: new SeenTable(arena, WORKERS),
    lock: (low: number) => layout.seenLock((low & (seenEntries / 16 - 1)) % 128),
    forgotten: () =>
      readCounter(words, layout.workerCounter(0, 'gossipForgotten')) +
      readCounter(words, layout.workerCounter(1, 'gossipForgotten')),
  };
}

describe('a seen table', () => {
  it('tells the first thread that a message is new, and every other that it is not', () => {
    const { first, second, main } = rig();
    expect(first.add(7, 9, 1000)).not.toBeNull();
    expect(second.add(7, 9, 1000)).toBeNull();
    expect(first.add(7, 9, 1000)).toBeNull();
    expect(second.add(8, 9, 1000)).not.toBeNull();
    expect(main.has(7, 9, 1000)).toBe(true);
    expect(main.has(9, 7, 1000)).toBe(false);
  });

  it('remembers for five minutes from the first time, however often the message comes', () => {
    const { first, second } = rig();
    first.remember(1, 1, 500);
    for (let ms = 500; ms < 500 + SEEN_MS; ms += 10_000) expect(second.add(1, 1, ms)).toBeNull();
    expect(second.has(1, 1, 500 + SEEN_MS - 1)).toBe(true);
    expect(second.has(1, 1, 500 + SEEN_MS)).toBe(false);
    expect(second.add(1, 1, 500 + SEEN_MS)).not.toBeNull();
    expect(first.add(1, 1, 600 + SEEN_MS)).toBeNull();
  });

  it('keeps its times right where shared milliseconds wrap, and where clocks differ a little', () => {
    for (const start of [0x7fff_ff00, -0x100, 0xffff_ff00]) {
      const { first, second } = rig();
      first.remember(1, 1, start | 0);
      expect(second.has(1, 1, (start - 5) | 0)).toBe(true);
      expect(second.has(1, 1, (start + 0x200) | 0)).toBe(true);
      expect(second.has(1, 1, (start + SEEN_MS) | 0)).toBe(false);
    }
  });

  it('forgets the oldest of a full bucket, counted, and an expired one before that, uncounted', () => {
    const { first, forgotten } = rig(16);
    for (let i = 1; i <= 16; i++) first.remember(i, 0, 1000 + i);
    first.remember(17, 0, 2000);
    expect(forgotten()).toBe(1);
    expect(first.has(1, 0, 2000)).toBe(false);
    for (let i = 2; i <= 17; i++) expect(first.has(i, 0, 2000)).toBe(true);
    const laterMs = 1005 + SEEN_MS;
    first.remember(18, 0, laterMs);
    first.remember(19, 0, laterMs);
    expect(forgotten()).toBe(1);
    expect(first.has(17, 0, laterMs)).toBe(true);
    expect(first.has(6, 0, laterMs)).toBe(true);
  });

  it('forgets what was not taken after all', () => {
    const { first, second } = rig();
    first.forget(first.add(1, 2, 1000)!);
    const hold = second.add(1, 2, 1000)!;
    expect(hold).not.toBeNull();
    second.letGo(hold);
    expect(first.add(1, 2, 1000)).toBeNull();
  });

  it('forgets for a replacement exactly what the worker before it still held', () => {
    const { arena, first, second } = rig();
    first.letGo(first.add(1, 1, 1000)!);
    first.remember(2, 2, 1000);
    first.add(3, 3, 1000);
    first.add(4, 4, 1000);
    first.forget(first.add(5, 5, 1000)!);
    second.add(6, 6, 1000);
    const replacement = new SeenTable(arena, 0);
    expect(replacement.forgetHeld()).toBe(2);
    expect(replacement.forgetHeld()).toBe(0);
    expect([1, 2, 3, 4, 5, 6].map((n) => second.has(n, n, 1000))).toEqual([true, true, false, false, false, true]);
  });

  it('lets go of nothing that has become the entry of another message', () => {
    const { first, second, arena } = rig(16);
    const hold = first.add(100, 0, 1000)!;
    for (let i = 1; i <= 16; i++) second.add(i, 0, 1001);
    expect(second.has(100, 0, 1001)).toBe(false);
    first.letGo(hold);
    first.forget(hold);
    for (let i = 1; i <= 16; i++) expect(second.has(i, 0, 1001)).toBe(true);
    expect(new SeenTable(arena, 1).forgetHeld()).toBe(16);
  });

  it('has the lock of a dead worker taken back, and no other', () => {
    const { words, lock, first, second, main } = rig();
    Atomics.store(words, lock(5), 1);
    Atomics.store(words, lock(6), 2);
    main.recover(0);
    expect(second.add(1, 5, 1000)).not.toBeNull();
    expect(words[lock(6)]).toBe(2);
    main.recover(1);
    expect(first.add(1, 6, 1000)).not.toBeNull();
  });

  it('never makes the main thread wait for a lock: it remembers as soon as it can', async () => {
    const { words, lock, main, first } = rig();
    Atomics.store(words, lock(5), 1);
    const startMs = performance.now();
    for (let i = 0; i < 100; i++) {
      expect(main.has(1, 5, 1000)).toBe(false);
      main.remember(i, 5, 1000);
    }
    expect((performance.now() - startMs) / 100).toBeLessThan(2);
    await new Promise((resolve) => setImmediate(resolve));
    main.recover(0);
    expect(first.has(99, 5, 1000)).toBe(false);
    await new Promise((resolve) => setImmediate(resolve));
    expect(first.has(99, 5, 1000)).toBe(true);
  });

  it('does as a plain map of times would, whatever is done to it', () => {
    const step = fc.record({
      do: fc.constantFrom('add', 'add', 'keep', 'forget', 'remember', 'die'),
      thread: fc.nat(1),
      message: fc.nat(30),
      passMs: fc.oneof(fc.nat(50), fc.nat(SEEN_MS)),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), fc.integer(), (steps, startMs) => {
        // Room for all of them in one bucket each, so nothing is forgotten early.
        const { arena } = makeArena({ workers: 2, seenEntries: 1024 });
        const tables = [new SeenTable(arena, 0), new SeenTable(arena, 1)];
        const known = new Map<number, { ms: number; holder: number }>();
        let ms = 0;
        for (const { do: what, thread, message, passMs } of steps) {
          ms += passMs;
          const sharedMs = (startMs + ms) | 0;
          const entry = known.get(message);
          const isSeen = entry !== undefined && ms - entry.ms < SEEN_MS;
          const table = tables[thread];
          const [high, low] = [message - 15, message * 3];
          if (what === 'die') {
            tables[thread] = new SeenTable(arena, thread);
            tables[thread].forgetHeld();
            for (const [key, { holder }] of known) if (holder === thread) known.delete(key);
          } else if (what === 'remember') {
            expect(table.has(high, low, sharedMs)).toBe(isSeen);
            table.remember(high, low, sharedMs);
            if (!isSeen) known.set(message, { ms, holder: -1 });
          } else {
            const hold = table.add(high, low, sharedMs);
            expect(hold === null).toBe(isSeen);
            if (hold === null) continue;
            known.set(message, { ms, holder: what === 'add' ? thread : -1 });
            if (what === 'keep') table.letGo(hold);
            if (what === 'forget') {
              table.forget(hold);
              known.delete(message);
            }
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('the hash of a message', () => {
  const key = Buffer.alloc(32, 3);
  const taken = (hash: MessageHash, type: string, payload: Uint8Array) => {
    hash.take(Buffer.from(type), payload);
    return `${hash.high} ${hash.low}`;
  };

  it('is the first 64 bits of SHA-256 over key, type length, type and payload, wherever the payload lies', () => {
    const hash = new MessageHash(key);
    for (const bytes of [0, 1, 100, 2048, 2049, 100_000]) {
      const payload = new Uint8Array(new SharedArrayBuffer(bytes + 7), 7).fill(bytes);
      const digest = createHash('sha256')
        .update(Buffer.concat([key, Buffer.of(0, 2), Buffer.from('tx'), payload]))
        .digest();
      expect(taken(hash, 'tx', payload)).toBe(`${digest.readInt32BE(0)} ${digest.readInt32BE(4)}`);
    }
  });

  it('tells type from payload, and one key from another', () => {
    const hash = new MessageHash(key);
    const all = [
      taken(hash, 'tx', Buffer.from('abc')),
      taken(hash, 'txa', Buffer.from('bc')),
      taken(hash, 'tx', Buffer.from('abd')),
      taken(new MessageHash(Buffer.alloc(32, 4)), 'tx', Buffer.from('abc')),
    ];
    expect(new Set(all).size).toBe(4);
    expect(taken(hash, 'tx', Buffer.from('abc'))).toBe(all[0]);
    expect(() => new MessageHash(Buffer.alloc(16))).toThrow(RangeError);
  });
});
