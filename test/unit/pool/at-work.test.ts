import { describe, expect, it } from 'vitest';
import { messageInHand, typesWaitedFor } from '../../../src/main/pool/at-work.js';
import { whatItWasAt } from '../../../src/main/pool/death-reason.js';
import type { HandlerModule } from '../../../src/shared/handler.js';
import { Slot } from '../../../src/shared/memory/arena-layout.js';
import { encodeFrame } from '../../../src/shared/wire/frame.js';
import { Stage, type StageOptions } from '../workers/pipeline-stage.js';

const settled = () => new Promise((resolve) => setImmediate(resolve));

/** A worker that notes what the main thread reads of it while its handlers run. */
function rig(options: StageOptions, more: (note: () => void) => HandlerModule = () => ({})) {
  const seen: unknown[] = [];
  const buffers = () => ({ asides: stage.asides.all, segments: stage.segments.all });
  const look = () => messageInHand(stage.arena, 0, buffers());
  const note = () => void seen.push(look());
  const stage: Stage = new Stage({ small: note, 'a type of some length': note, ...more(note) }, options);
  return { stage, seen, look, waitedFor: () => [...typesWaitedFor(buffers())] };
}

describe('the message that a worker is at', () => {
  it('is told by its type while its handler runs, wherever it lies in the ring, and none is before and after', () => {
    const { stage, seen, look } = rig({ slots: 2, ringBytes: 1024 });
    expect(look()).toBeNull();
    const types = Array.from({ length: 60 }, (_, i) => (i % 3 === 0 ? 'a type of some length' : 'small'));
    for (const type of types) {
      stage.arrive(1, Buffer.from(encodeFrame(type, Buffer.alloc(57))));
      stage.turns();
    }
    expect(seen).toEqual(types.map((type) => ({ type, slot: 1, generation: stage.word(1, Slot.Generation) })));
    expect(look()).toBeNull();
  });

  it('is told where it was assembled aside', () => {
    const { stage, seen } = rig({ ringBytes: 1024 });
    const large = Buffer.from(encodeFrame('a type of some length', Buffer.alloc(5000)));
    for (let at = 0; at < large.length; at += 700) {
      stage.arrive(0, large.subarray(at, at + 700));
      stage.turns();
    }
    expect(seen).toMatchObject([{ type: 'a type of some length', slot: 0 }]);
  });

  it('is told where it waited in a queue; what has gone on to wait is told apart', async () => {
    let end: () => void = () => undefined;
    const { stage, seen, look, waitedFor } = rig({ slots: 2 }, (note) => ({
      slow: async () => {
        note();
        await new Promise<void>((resolve) => {
          end = resolve;
        });
      },
    }));
    stage.arrive(1, Buffer.from(encodeFrame('slow', Buffer.alloc(3))));
    stage.turns();
    expect(seen).toMatchObject([{ type: 'slow', slot: 1 }]);
    expect(look()).toBeNull();
    expect(waitedFor()).toEqual(['slow']);
    end();
    await settled();
    expect(waitedFor()).toEqual([]);
  });
});

describe('what a worker was at when it died', () => {
  it.each([
    [null, [], ''],
    ['tx', [], " with a message of type 'tx' in hand"],
    [null, ['a'], " with handlers of 'a' under way"],
    [null, ['a', 'b', 'c', 'd', 'e'], " with handlers of 'a', 'b', 'c' and 2 more under way"],
  ])('%j, %j: %j', (inHand, waitedFor, text) => {
    expect(whatItWasAt(inHand, waitedFor)).toBe(text);
  });
});
