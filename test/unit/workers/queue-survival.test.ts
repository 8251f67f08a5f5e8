import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { giveUpFrom } from '../../../src/main/pool/queue-takeover.js';
import type { HandlerModule } from '../../../src/shared/handler.js';
import { Slot, SlotState, Worker } from '../../../src/shared/memory/arena-layout.js';
import { EntryWord, openEntries, segmentType } from '../../../src/shared/memory/queue-segment.js';
import { encodeFrame } from '../../../src/shared/wire/frame.js';
import { unknownRoute } from '../../../src/workers/handler-registry.js';
import { Death, Stage } from './pipeline-stage.js';

const settled = () => new Promise((resolve) => setImmediate(resolve));

function frame(type: string, n: number, bytes = 8): Buffer {
  const payload = Buffer.alloc(bytes, n);
  payload.writeUInt32BE(n);
  return Buffer.from(encodeFrame(type, payload));
}

/** Queued handlers that end when they are told to, and answer as they end. */
function rig(policy: object = {}, slots = 2, more: HandlerModule = {}) {
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const queued = {
    mode: 'queued' as const,
    ...policy,
    handler: async (
      message: { payload: Buffer; peerId: string },
      context: { reply(t: string, p: unknown): boolean },
    ) => {
      const n = message.payload.readUInt32BE(0);
      const key = `${message.peerId} ${n}`;
      begun.push(key);
      await new Promise<void>((resolve) => ends.set(key, resolve));
      if (message.payload.some((byte, i) => i >= 4 && byte !== (n & 0xff))) throw new Error(`${key} is torn`);
      context.reply('ack', message.payload.subarray(0, 4));
    },
  };
  const stage = new Stage({ q: queued, other: queued, ...more }, { slots });
  const end = async (key: string) => {
    ends.get(key)!();
    ends.delete(key);
    await settled();
    stage.pipeline.flush();
  };
  const queuedMessages = () => stage.arena.words[stage.arena.layout.worker(0) + Worker.QueuedMessages];
  return { stage, begun, ends, end, queuedMessages };
}

describe('messages that wait for a queued handler', () => {
  it('outlive their worker: what had begun is handled again, the others once, in their order', async () => {
    const { stage, begun, ends, end, queuedMessages } = rig();
    stage.arrive(0, Buffer.concat([0, 1, 2, 3].map((n) => frame('q', n))));
    stage.turns();
    await end('peer-0 0');
    expect(begun).toEqual(['peer-0 0', 'peer-0 1']);
    const used = stage.budget.usedBytes;
    ends.clear();
    expect(stage.takeOver()).toMatchObject({ waiting: 3, poisoned: [] });
    expect([queuedMessages(), stage.budget.usedBytes]).toEqual([3, used]);
    for (const n of [1, 2, 3]) await end(`peer-0 ${n}`);
    expect(begun).toEqual(['peer-0 0', 'peer-0 1', 'peer-0 1', 'peer-0 2', 'peer-0 3']);
    expect(queuedMessages()).toBe(0);
    expect(stage.out().frames.map(([, , payload]) => payload.readUInt32BE())).toEqual([0, 1, 2, 3]);
    expect(stage.errors).toEqual([]);
  });

  it('outlive their peer as well, and answers to it go nowhere', async () => {
    const { stage, begun, end } = rig();
    stage.arrive(0, Buffer.concat([0, 1].map((n) => frame('q', n))));
    stage.turns();
    stage.setState(0, SlotState.Closing);
    stage.turns();
    expect(stage.word(0, Slot.Released)).toBe(stage.word(0, Slot.Generation));
    stage.arena.words[stage.arena.layout.slot(0) + Slot.Generation]++;
    stage.takeOver();
    for (const n of [0, 1]) await end(`peer-0 ${n}`);
    expect(begun).toEqual(['peer-0 0', 'peer-0 0', 'peer-0 1']);
    expect(stage.out().frames).toEqual([]);
  });

  it('give their memory back once the replacement is done with them', async () => {
    const { stage, end } = rig();
    const before = stage.budget.usedBytes;
    for (let n = 0; n < 60; n++) {
      stage.arrive(0, frame('q', n, 3000));
      stage.turns();
    }
    expect(stage.segments.all.size).toBeGreaterThan(2);
    stage.takeOver();
    for (let n = 0; n < 60; n++) await end(`peer-0 ${n}`);
    expect(stage.out().frames).toHaveLength(60);
    stage.takeOver();
    expect([stage.segments.all.size, stage.budget.usedBytes]).toEqual([0, before]);
  });

  it('take no more memory than was counted for them, whatever they decode to, and decode for their handlers', async () => {
    const values: unknown[] = [];
    const ends: (() => void)[] = [];
    const handler = ({ value }: { value: unknown }) => {
      values.push((value as unknown[]).length);
      return new Promise<void>((resolve) => ends.push(resolve));
    };
    const policy = { mode: 'queued', codec: 'msgpack', concurrency: 1, handler } as const;
    const stage = new Stage({ bomb: policy }, { slots: 1, ringBytes: 2 ** 20 });
    // A list of a million empty maps: a byte each on the wire, some 60 in the heap.
    const items = 2 ** 20 - 5;
    const bomb = Buffer.alloc(2 ** 20, 0x80);
    bomb[0] = 0xdd;
    bomb.writeUInt32BE(items, 1);
    const heapBytes = process.memoryUsage().heapUsed;
    for (let n = 0; n < 6; n++) {
      const bytes = encodeFrame('bomb', bomb);
      for (let at = 0; at < bytes.length; ) {
        at += stage.arrive(0, bytes.subarray(at));
        stage.turns();
      }
    }
    expect(process.memoryUsage().heapUsed - heapBytes).toBeLessThan(2.5 * 60 * items);
    stage.takeOver();
    for (let n = 0; n < 6; n++) {
      ends.at(-1)!();
      await settled();
    }
    expect(values).toEqual(new Array(7).fill(items));
    expect(stage.errors).toEqual([]);
  });

  it('are counted and given up if the replacement has no handler for them', async () => {
    const { stage, begun } = rig();
    stage.arrive(0, frame('q', 0));
    stage.turns();
    stage.handlers = {};
    stage.takeOver();
    expect(stage.count('queueDropped')).toBe(1);
    expect(begun).toHaveLength(1);
  });
});

describe('a queued message that is at work when its worker dies', () => {
  it('is given up at the second death, and nothing else is', async () => {
    const { stage, begun, end } = rig();
    stage.arrive(1, Buffer.concat([7, 8].map((n) => frame('q', n))));
    stage.turns();
    expect(stage.takeOver().poisoned).toEqual([]);
    const generation = stage.word(1, Slot.Generation);
    expect(stage.takeOver()).toEqual({ waiting: 1, poisoned: [{ slot: 1, generation }] });
    await end('peer-1 8');
    expect(begun).toEqual(['peer-1 7', 'peer-1 7', 'peer-1 8']);
  });

  it('is handled alone by the replacement, so that no other is taken for it', async () => {
    const { stage, begun, end } = rig({ concurrency: 3 });
    stage.arrive(0, Buffer.concat([0, 1, 2, 3].map((n) => frame('q', n))));
    stage.arrive(1, frame('other', 9));
    stage.turns();
    expect(begun.length).toBe(4);
    begun.length = 0;
    stage.takeOver();
    expect(begun).toHaveLength(1);
    for (let i = 0; i < 4; i++) {
      expect(begun).toHaveLength(i + 1);
      await end(begun[i]);
    }
    expect(begun.toSorted()).toEqual(['peer-0 0', 'peer-0 1', 'peer-0 2', 'peer-0 3', 'peer-1 9']);
  });

  it('keeps the others waiting for a fifth of a second at most', async () => {
    const { stage, begun } = rig({ concurrency: 2 });
    stage.arrive(0, Buffer.concat([0, 1].map((n) => frame('q', n))));
    stage.turns();
    begun.length = 0;
    stage.takeOver();
    const startMs = performance.now();
    while (begun.length < 2 && performance.now() - startMs < 10_000) await settled();
    expect(begun).toEqual(['peer-0 0', 'peer-0 1']);
    expect(performance.now() - startMs).toBeGreaterThan(180);
  });

  it('is found by nobody as long as others were at work as well, and given up unpunished if that goes on', async () => {
    const { stage, begun, ends } = rig({ concurrency: 2 });
    stage.arrive(0, Buffer.concat([0, 1].map((n) => frame('q', n))));
    stage.turns();
    for (let death = 1; death < 5; death++) {
      begun.length = 0;
      ends.clear();
      expect(stage.takeOver()).toEqual({ waiting: 2, poisoned: [] });
      const startMs = performance.now();
      while (begun.length < 2 && performance.now() - startMs < 10_000) await settled();
    }
    expect(stage.takeOver()).toEqual({ waiting: 0, poisoned: [] });
    expect(stage.count('queueDropped')).toBe(2);
  });

  it('is followed into oblivion by all that its peer had waiting, if that is cut off', () => {
    const { stage } = rig();
    stage.arrive(1, Buffer.concat([7, 8, 9].map((n) => frame('q', n))));
    stage.arrive(0, frame('q', 1));
    stage.turns();
    stage.takeOver();
    const { poisoned } = stage.takeOverQueues();
    expect(poisoned).toHaveLength(1);
    expect(giveUpFrom(poisoned[0], stage.segments.all.values(), stage.arena, 0)).toBe(2);
    expect(stage.takeOverQueues().waiting).toBe(1);
  });

  it('holds nobody up if its handler was just being called: nobody else is suspected', () => {
    let isFatal = true;
    const begun: number[] = [];
    const handler = ({ payload }: { payload: Buffer }) => {
      const n = payload.readUInt32BE(0);
      begun.push(n);
      if (n !== 1 || !isFatal) return new Promise<void>(() => undefined);
      isFatal = false;
      stage.takeOver();
      return undefined;
    };
    const stage: Stage = new Stage({ q: { mode: 'queued', concurrency: 2, handler } }, { slots: 1 });
    stage.arrive(0, Buffer.concat([0, 1].map((n) => frame('q', n))));
    stage.turns();
    expect(begun).toEqual([0, 1, 0, 1]);
  });

  it('is not suspected while a frame is in hand that may have done it', () => {
    let deaths = 2;
    const inline = () => {
      if (deaths-- > 0) throw new Death();
    };
    const { stage, begun } = rig({}, 2, { inline });
    stage.arrive(0, frame('q', 0));
    stage.turns();
    stage.arrive(1, frame('inline', 0));
    for (let i = 0; i < 2; i++) {
      expect(() => stage.turns()).toThrow(Death);
      expect(stage.takeOver()).toMatchObject({ waiting: 1, poisoned: [] });
    }
    stage.takeOver();
    expect(begun).toHaveLength(4);
  });

  it('is the only one suspected if its handler was just being called, whatever frame its worker was at', () => {
    const deaths: unknown[] = [];
    const fatal = { mode: 'queued' as const, handler: () => void deaths.push(stage.takeOverQueues()) };
    const { stage, begun } = rig({}, 2, { fatal });
    stage.arrive(0, frame('q', 0));
    stage.turns();
    stage.arrive(1, frame('fatal', 0));
    stage.turns();
    expect(deaths).toEqual([{ waiting: 2, poisoned: [], doubtful: 0 }]);
    const [q] = [...stage.segments.all.values()].map((segment) => new Int32Array(segment));
    expect([segmentType(q), q[openEntries(q)[0] + EntryWord.Deaths]]).toEqual(['q', 0]);
    expect(begun).toEqual(['peer-0 0']);
  });
});

describe('any traffic and any deaths', () => {
  it('leave every message handled, begun twice only if it was at work at a death, answered once and in order', async () => {
    const plan = fc.record({
      frames: fc.array(fc.tuple(fc.nat(1), fc.constantFrom(8, 40, 900, 2500, 9000)), { minLength: 1, maxLength: 40 }),
      steps: fc.array(
        fc.oneof(
          { weight: 6, arbitrary: fc.constant('feed' as const) },
          { weight: 6, arbitrary: fc.constant('end' as const) },
          { weight: 1, arbitrary: fc.constant('die' as const) },
          { weight: 1, arbitrary: fc.constant('die in hand' as const) },
        ),
        { minLength: 1, maxLength: 120 },
      ),
      queueLength: fc.constantFrom(1, 3, 1024),
    });
    await fc.assert(
      fc.asyncProperty(plan, async ({ frames, steps, queueLength }) => {
        const { stage, begun, ends, end } = rig({ queueLength });
        const expected: number[][] = [[], []];
        const streams = [0, 1].map((slot) => {
          const own = frames.filter(([to]) => to === slot);
          expected[slot] = own.map((_, n) => n);
          return Buffer.concat(own.map(([, bytes], n) => frame('q', n, bytes)));
        });
        const fed = [0, 0];
        const acks: number[][] = [[], []];
        let again = 0;
        let dieInHand = false;
        let isDying = false;
        // Its suspicion would give messages up: those that die more often than once are not what is tried here.
        const suspects = new Set<string>();
        const die = () => {
          ends.clear();
          again++;
          isDying = false;
          stage.takeOver();
        };
        const turns = () => {
          const { queue } = stage.core.types.declare('q', () => unknownRoute).route;
          const { offer } = queue!;
          queue!.offer = (bytes, make) => {
            const dropped = offer.call(queue, bytes, make);
            if (dieInHand) {
              dieInHand = false;
              isDying = true;
              throw new Death();
            }
            return dropped;
          };
          try {
            stage.turns();
          } catch (error) {
            if (!(error instanceof Death)) throw error;
          } finally {
            queue!.offer = offer;
          }
          if (isDying) die();
        };
        const step = async (what: (typeof steps)[number]) => {
          if (what === 'die in hand') dieInHand = true;
          if (what === 'die' && [...ends.keys()].every((key) => !suspects.has(key))) {
            for (const key of ends.keys()) suspects.add(key);
            die();
          }
          if (what === 'end' && ends.size > 0) await end([...ends.keys()][0]);
          for (const [slot, stream] of streams.entries()) {
            const piece = stream.subarray(fed[slot], fed[slot] + 1500);
            if (what === 'feed' && piece.length > 0) fed[slot] += stage.arrive(slot, piece);
          }
          turns();
          for (const [slot, , payload] of stage.out().frames) acks[slot].push(payload.readUInt32BE(0));
        };
        for (const what of steps) await step(what);
        for (let i = 0; i < 1000 && acks.flat().length < frames.length; i++) await step(i % 2 === 0 ? 'feed' : 'end');
        expect(acks).toEqual(expected);
        expect(begun.length - frames.length).toBeLessThanOrEqual(again);
        expect(stage.errors).toEqual([]);
        expect(stage.count('droppedPoisoned')).toBe(0);
      }),
      { numRuns: 150 },
    );
  });
});
